"""What made a report: the same in every run where it is hashed, and beside it where it is not."""

import hashlib
import io
import json
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console

from songgenre.notebook import provenance, runner
from songgenre.paths import Project
from songgenre.report.site import build

ROOT = Path(__file__).parents[2]
STAGES = """
stages:
  eda:
    cmd: songgenre notebook run 03_eda
    deps: [data/clean/excluded.parquet, data/raw/audio, notebooks/03_eda.ipynb, src/songgenre]
    params: [eda]
    outs: [models/eda, reports/notebooks/03_eda.ipynb]
"""
CODE = (
    "from pathlib import Path; Path('../models/eda').mkdir(parents=True); Path('../models/eda/a').write_text('a model')"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project under git whose only notebook writes a model."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "data" / "raw" / "audio").mkdir(parents=True)
    (tmp_path / "data" / "clean").mkdir()
    (tmp_path / "data" / "clean" / "excluded.parquet").write_text("tracks")
    (tmp_path / "notebooks").mkdir()
    parameters = new_code_cell(
        "compared_genres = ['hip-hop', 'classical']\nsongs_per_genre = 3", metadata={"tags": ["parameters"]}
    )
    nbformat.write(new_notebook(cells=[parameters, new_code_cell(CODE)]), tmp_path / "notebooks" / "03_eda.ipynb")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "params.yaml", "dvc.yaml", "notebooks")
    git(tmp_path, "-c", "user.name=tests", "-c", "user.email=tests@localhost", "commit", "--quiet", "--message", "All")
    return Project(tmp_path)


def git(folder: Path, *command: str) -> str:
    return subprocess.check_output(["git", *command], cwd=folder, text=True).strip()


def run(project: Project) -> None:
    shutil.rmtree(project.root / "models", ignore_errors=True)
    runner.run(project, "03_eda", Console(file=io.StringIO()))


def runs(project: Project) -> dict[str, dict[str, str]]:
    script = (project.root / "reports" / "logs" / "provenance.js").read_text("utf-8")
    return json.loads(script.removeprefix("window.runs = ").removesuffix(";\n"))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def test_executed_notebook_and_its_page_say_what_they_were_made_from(project: Project) -> None:
    run(project)
    made = nbformat.read(project.executed("03_eda"), as_version=4).metadata.songgenre
    assert made.inputs == {"data/clean/excluded.parquet": sha256("tracks")}
    assert made.models == {"models/eda/a": sha256("a model")}
    assert made.packages["numpy"] == version("numpy")
    foot = BeautifulSoup((project.html / "03_eda.html").read_text("utf-8"), "html.parser").select_one("footer.made")
    said = " ".join(foot.get_text().split())
    assert f"data/clean/excluded.parquet {sha256('tracks')}" in said
    assert f"models/eda/a {sha256('a model')}" in said
    assert f"tensorflow {version('tensorflow')}" in said
    assert "songs_per_genre = 3" in said
    assert "dvc repro --force eda" in said


def test_run_is_told_beside_the_pages(project: Project) -> None:
    run(project)
    told = runs(project)["03_eda"]
    log = json.loads(project.log("03_eda").read_text())
    assert told["commit"] == told["checkout"] == git(project.root, "rev-parse", "--short=12", "HEAD")
    assert told["machine"].endswith(f"{platform.system()}, Python {platform.python_version()}")
    assert f"{log['seconds']:.0f} s, at most {log['peak_anonymous_mib']} MiB of memory" in told["run"]
    assert log["started"][:10] in told["run"]


def test_what_differs_from_run_to_run_is_in_nothing_that_is_hashed(project: Project) -> None:
    def hashed() -> dict[str, bytes]:
        build(project)
        paths = [path for path in project.reports.rglob("*") if path.is_file() and path.parent.name != "logs"]
        return {str(path): path.read_bytes() for path in paths}

    run(project)
    first, told = hashed(), runs(project)["03_eda"]
    (project.root / "dvc.yaml").write_text(STAGES + "# changed\n")
    run(project)
    assert hashed() == first
    assert runs(project)["03_eda"]["commit"] == f"{told['commit']}, and changes that were not committed"
    assert not any(told["commit"].encode() in content for content in first.values())


def test_what_the_stages_write_is_no_change_to_the_commit(project: Project) -> None:
    (project.root / "reports" / "metrics").mkdir(parents=True)
    (project.root / "reports" / "metrics" / "eda.json").write_text("{}")
    known = provenance.circumstances(project)
    assert known["commit"] == git(project.root, "rev-parse", "--short=12", "HEAD")


def test_without_git_the_commit_is_not_recorded(project: Project) -> None:
    shutil.rmtree(project.root / ".git")
    run(project)
    assert "commit" not in runs(project)["03_eda"]
    assert "machine" in runs(project)["03_eda"]


def test_run_that_failed_is_not_told(project: Project) -> None:
    run(project)
    with pytest.raises(Exception, match="FileExistsError"):
        runner.run(project, "03_eda", Console(file=io.StringIO()))
    assert json.loads(project.log("03_eda").read_text()).get("finished") is None
    provenance.publish(project)
    assert runs(project) == {}
