"""Faults of the system are messages, too."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from songgenre.paths import Project

ROOT = Path(__file__).parents[1]
SONGGENRE = [sys.executable, "-c", "from songgenre.cli import main; main()"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "notebooks").mkdir()
    notebook = new_notebook(cells=[new_markdown_cell("# A story", id="title")])
    nbformat.write(notebook, tmp_path / "notebooks" / "03_eda.ipynb")
    return Project(tmp_path)


def build(project: Project, largest_file: int | None = None) -> "subprocess.CompletedProcess[str]":
    """Build the site; no file may grow larger than so many bytes, as on a full disk."""

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    environment = os.environ | {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*SONGGENRE, "report", "build"]
    return subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, preexec_fn=limit, check=False
    )


def test_site_that_cannot_be_written_says_why_and_the_old_one_stays(project: Project) -> None:
    assert build(project).returncode == 0
    before = {path: path.read_bytes() for path in project.reports.rglob("*") if path.is_file()}
    ended = build(project, largest_file=2000)
    assert ended.returncode == 1
    assert "File too large" in ended.stderr
    assert "free some space, or raise the quota" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert {path: path.read_bytes() for path in project.reports.rglob("*") if path.is_file()} == before
    assert build(project).returncode == 0


def test_defect_of_the_program_keeps_its_traceback(project: Project) -> None:
    project.html.parent.mkdir()
    project.html.symlink_to(project.html)
    ended = build(project)
    assert ended.returncode != 0
    assert "Traceback" in ended.stderr


def test_a_copy_of_the_site_is_made_and_asking_for_none_says_what_to_ask_for(project: Project) -> None:
    def export(*options: str) -> "subprocess.CompletedProcess[str]":
        command = [*SONGGENRE, "report", "export", *options]
        return subprocess.run(
            command, cwd=project.root, env=os.environ | {"NO_COLOR": "1"}, capture_output=True, text=True, check=False
        )

    assert build(project).returncode == 0
    assert export("--to", "copy").returncode == 0
    assert (project.root / "copy" / "index.html").read_bytes() == (project.html / "index.html").read_bytes()
    ended = export()
    assert ended.returncode == 1
    assert "--to FILE.zip or --pdf FILE" in ended.stderr
    assert "Traceback" not in ended.stderr
