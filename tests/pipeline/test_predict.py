"""Models that were changed, or that no longer fit the parameters, are not used silently."""

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from songgenre.paths import Project

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def changed(small: "Clone", tmp_path_factory: pytest.TempPathFactory) -> "Clone":
    """A copy whose model is not what its stage wrote, and whose parameters do not fit another."""
    clone = small.copy(tmp_path_factory.mktemp("changed") / "clone")
    file = Project(clone.root).model("transfer") / "transfer.skops"
    as_written = file.read_bytes()
    file.unlink()
    file.write_bytes(as_written + b"\0")
    params = clone.root / "params.yaml"
    params.write_text(params.read_text().replace("  n_mfcc: 20", "  n_mfcc: 13"))
    return clone


def predict(clone: "Clone", *options: str) -> "subprocess.CompletedProcess[str]":
    song = next(iter(sorted(Project(clone.root).audio.iterdir())))
    command = ["songgenre", "predict", "--json", *options, str(song)]
    return subprocess.run(command, cwd=clone.root, text=True, capture_output=True)


def test_a_model_that_does_not_fit_the_parameters_says_so(changed: "Clone") -> None:
    ended = predict(changed, "--model", "sklearn")
    assert ended.returncode == 1
    assert "dvc repro" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_model_that_is_not_what_its_stage_wrote_is_refused_unless_it_is_trusted(changed: "Clone") -> None:
    refused = predict(changed, "--model", "transfer")
    assert refused.returncode == 1
    assert "models/transfer" in refused.stderr
    assert json.loads(predict(changed, "--model", "transfer", "--skip-hash-check").stdout)["model"] == "transfer"
