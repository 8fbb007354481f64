"""The same pipeline, on the same machine but elsewhere and otherwise set, writes the same bytes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.slow
ELSEWHERE = {
    "OMP_NUM_THREADS": "1",
    "LC_ALL": "C",
    "TZ": "Pacific/Auckland",
    "PYTHONHASHSEED": "42",
    "COLUMNS": "60",
}


@pytest.fixture(scope="module")
def other(small_clone: "Callable[..., Clone]", music: Path, tmp_path_factory: pytest.TempPathFactory) -> "Clone":
    """A clone of the same in another folder, built under other settings."""
    root = tmp_path_factory.mktemp("other") / "a folder with a space, and ümlauts"
    root.mkdir()
    other = small_clone(music, root)
    other.run("dvc", "repro", umask=0o077, **ELSEWHERE)
    return other


def test_another_folder_and_other_settings_give_the_same_lock(small: "Clone", other: "Clone") -> None:
    assert "identical: 10 stages" in small.run("songgenre", "reproduce", "--with", str(other.root))
    assert (other.root / "dvc.lock").read_text() == (small.root / "dvc.lock").read_text()


def test_what_is_changed_is_explained_with_what_follows(small: "Clone", other: "Clone") -> None:
    params = other.root / "params.yaml"
    params.write_text(params.read_text().replace("bootstrap_samples: 100", "bootstrap_samples: 200"))
    other.run("dvc", "repro")
    with pytest.raises(AssertionError) as report:
        small.run("songgenre", "reproduce", "--with", str(other.root))
    lines = [line.strip() for line in str(report.value).splitlines()]
    assert any(re.match(r"evaluation .*evaluation\.bootstrap_samples: 100 .* 200", line) for line in lines)
    assert any(re.match(r"report .*evaluation", line) for line in lines)
    assert re.search(r"evaluation .*report ", lines[-1])
    assert any(".ci95_" in line for line in lines)
    assert any(line.startswith("cell ") for line in lines)
    assert any(line.startswith("08_evaluation.html: line ") for line in lines)
