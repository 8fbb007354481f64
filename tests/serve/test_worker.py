from pathlib import Path

import pytest

from songgenre.serve.worker import Worker

ROOT = Path(__file__).parents[2]


@pytest.mark.integration
def test_package_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sklearn.py").write_text("raise ModuleNotFoundError(name='sklearn')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(ROOT)
    with pytest.raises(ModuleNotFoundError) as error:
        Worker("sklearn", 60, skip_hash_check=False)
    assert error.value.name == "sklearn"
