"""`songgenre run` on a pipeline of one stage."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAGE = """stages:
  scraping:
    cmd: echo once >> runs
    deps: [data/raw/folder.json]
    params: [scraping]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    root.mkdir()
    (root / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (root / "dvc.yaml").write_text(STAGE)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], cwd=root, check=True)
    return root


def run(project: Path, *arguments: str) -> int:
    """Run the command in a sub-folder of the project; say how often the stage has run by now."""
    (project / "notebooks").mkdir(exist_ok=True)
    command = [Path(sys.executable).with_name("songgenre"), "run", *arguments]
    bare = {"PATH": os.defpath, "PYTHONIOENCODING": "ascii"}
    subprocess.run(command, cwd=project / "notebooks", check=True, env=os.environ | bare)
    return len((project / "runs").read_text().splitlines())


@pytest.mark.integration
def test_new_songs_are_noticed(project: Path, tmp_path: Path) -> None:
    music = tmp_path / "my (own) músic 音楽, ~1 ${x}"
    (music / "rock").mkdir(parents=True)
    assert run(project) == 1
    assert run(project, "--folder", str(music)) == 2
    assert run(project) == 2
    (music / "rock" / "a.mp3").touch()
    assert run(project) == 3
    assert run(project, "--folder", str(music)) == 3
