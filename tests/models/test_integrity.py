"""A model is refused unless it is, byte for byte, what DVC noted when its stage wrote it."""

import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from songgenre.errors import UserError
from songgenre.models.integrity import verify_hash
from songgenre.paths import Project

pytestmark = pytest.mark.integration

ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "true",
}
STAGES = """
stages:
  sklearn:
    cmd: mkdir -p models/sklearn/more && echo svm > models/sklearn/svm.skops && echo b > models/sklearn/more/ä.skops
      && echo c > models/sklearn/more.skops
    outs:
      - models/sklearn
  cnn:
    cmd: echo cnn > models/cnn.keras
    outs:
      - models/cnn.keras
"""


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose models DVC itself has hashed."""
    folder = tmp_path_factory.mktemp("hashed")
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "params.yaml").write_text("{}\n")
    for command in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"], ["dvc", "repro", "--quiet"]):
        subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True)
    return folder


@pytest.fixture
def project(hashed: Path, tmp_path: Path) -> Project:
    return Project(shutil.copytree(hashed, tmp_path / "project", symlinks=True))


MODELS = ["models/sklearn/svm.skops", "models/sklearn/more/ä.skops", "models/cnn.keras"]


def test_what_the_stages_wrote_is_trusted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [verify_hash(project, project.root / name) for name in MODELS] == [project.root / name for name in MODELS]
    monkeypatch.chdir(project.root / "models")
    assert verify_hash(project, Path("cnn.keras")) == Path("cnn.keras")


@pytest.mark.parametrize("name", MODELS)
def test_changed_model_is_refused_with_both_hashes_and_how_to_insist(project: Project, name: str) -> None:
    path = project.root / name
    path.write_text("another")
    with pytest.raises(UserError, match=r"dvc\.lock") as error:
        verify_hash(project, path)
    said = str(error.value)
    assert path.name in said
    assert "--skip-hash-check" in said
    lock = (project.root / "dvc.lock").read_text()
    expected, found = re.findall(r"\b[0-9a-f]{32}(?:\.dir)?", said)
    assert f"md5: {expected}" in lock
    assert found not in lock
    subprocess.run(["dvc", "commit", "--force", "--quiet"], cwd=project.root, env=ENVIRONMENT, check=True)
    assert f"md5: {found}" in (project.root / "dvc.lock").read_text()
    assert verify_hash(project, path) == path


def test_model_beside_those_of_a_stage_is_refused(project: Project) -> None:
    (project.root / "models" / "sklearn" / "new.skops").write_text("new")
    with pytest.raises(UserError, match=r"new\.skops"):
        verify_hash(project, project.root / "models" / "sklearn" / "new.skops")


def test_model_that_leads_elsewhere_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.keras").write_text("cnn\n")
    (project.root / "models" / "link.keras").symlink_to(tmp_path / "elsewhere.keras")
    with pytest.raises(UserError, match=r"link\.keras.*dvc\.lock"):
        verify_hash(project, project.root / "models" / "link.keras")


def test_model_that_no_stage_wrote_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "mailed.skops").write_bytes(pickle.dumps("a model"))
    with pytest.raises(UserError, match=r"mailed\.skops.*dvc\.lock.*--skip-hash-check"):
        verify_hash(project, tmp_path / "mailed.skops")
    (project.root / "dvc.lock").unlink()
    with pytest.raises(UserError, match=r"svm\.skops.*dvc\.lock"):
        verify_hash(project, project.root / MODELS[0])


def test_missing_model_and_broken_lock_are_named(project: Project) -> None:
    with pytest.raises(UserError, match=r"gone\.skops.*dvc repro") as gone:
        verify_hash(project, project.root / "models" / "gone.skops")
    (project.root / "dvc.lock").write_text("stages: [broken")
    with pytest.raises(UserError, match=r"dvc\.lock.*git") as broken:
        verify_hash(project, project.root / MODELS[0])
    assert not any("--skip-hash-check" in str(error.value) for error in (gone, broken))
