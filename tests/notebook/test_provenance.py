"""What made a report: the same in every run where it is hashed, and beside it where it is not."""

import hashlib
import io
import json
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console

from songgenre.errors import UserError
from songgenre.notebook import provenance, runner
from songgenre.paths import Project
from songgenre.report.site import build

ROOT = Path(__file__).parents[2]
STAGES = """
stages:
  eda:
    cmd: songgenre notebook run 03_eda
    deps: [data/clean/excluded.parquet, data/features/mel.npy, data/raw/audio, notebooks/03_eda.ipynb, src/songgenre]
    params: [eda]
    outs: [models/eda, reports/notebooks/03_eda.ipynb]
"""
CODE = (
    "from pathlib import Path; Path('../models/eda').mkdir(parents=True); Path('../models/eda/a').write_text('a model')"
)


class Told(NamedTuple):
    """What the reports and the logs of a run say."""

    notebook: nbformat.NotebookNode
    page: BeautifulSoup
    runs: dict[str, dict[str, str]]
    log: dict[str, Any]
    hashed: dict[str, bytes]


class History(NamedTuple):
    """Of a project whose notebook ran, ran again after a change that was not committed, and then failed."""

    commit: str
    first: Told
    second: Told
    failure: Exception
    log: dict[str, Any]
    runs: dict[str, dict[str, str]]


def new_project(folder: Path) -> Project:
    """A project under git whose only notebook writes a model."""
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "data" / "raw" / "audio").mkdir(parents=True)
    (folder / "data" / "clean").mkdir()
    (folder / "data" / "features" / "mel.npy").mkdir(parents=True)
    for part in range(2):
        (folder / "data" / "features" / "mel.npy" / f"part-00000{part}.npy").write_text(f"part {part}")
    (folder / "data" / "clean" / "excluded.parquet").write_text("tracks")
    (folder / "notebooks").mkdir()
    parameters = new_code_cell(
        "compared_genres = ['hip-hop', 'classical']\nsongs_per_genre = 3", metadata={"tags": ["parameters"]}
    )
    nbformat.write(new_notebook(cells=[parameters, new_code_cell(CODE)]), folder / "notebooks" / "03_eda.ipynb")
    git(folder, "init", "--quiet")
    git(folder, "add", "params.yaml", "dvc.yaml", "notebooks")
    git(folder, "-c", "user.name=tests", "-c", "user.email=tests@localhost", "commit", "--quiet", "--message", "All")
    return Project(folder)


def git(folder: Path, *command: str) -> str:
    return subprocess.check_output(["git", *command], cwd=folder, text=True).strip()


def run(project: Project) -> None:
    runner.run(project, "03_eda", Console(file=io.StringIO()))


def runs(project: Project) -> dict[str, dict[str, str]]:
    script = (project.html / provenance.SCRIPT).read_text("utf-8")
    return json.loads(script.removeprefix("window.runs = ").removesuffix(";\n"))


def told(project: Project) -> Told:
    """After a run."""
    shutil.rmtree(project.root / "models", ignore_errors=True)
    run(project)
    build(project)
    made = runs(project)
    page = BeautifulSoup((project.html / "03_eda.html").read_text("utf-8"), "html.parser")
    paths = [
        path
        for path in project.reports.rglob("*")
        if path.is_file() and path.parent.name != "logs" and path.name != provenance.SCRIPT
    ]
    return Told(
        nbformat.read(project.executed("03_eda"), as_version=4),
        page,
        made,
        json.loads(project.log("03_eda").read_text()),
        {str(path): path.read_bytes() for path in paths},
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    project = new_project(tmp_path_factory.mktemp("project"))
    commit = git(project.root, "rev-parse", "--short=12", "HEAD")
    first = told(project)
    (project.root / "dvc.yaml").write_text(STAGES + "# changed\n")
    second = told(project)
    with pytest.raises(UserError) as failure:
        run(project)
    log = json.loads(project.log("03_eda").read_text())
    provenance.publish(project)
    return History(commit, first, second, failure.value, log, runs(project))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.integration
def test_executed_notebook_and_its_page_say_what_they_were_made_from(history: History) -> None:
    made = history.first.notebook.metadata.songgenre
    assert made.inputs == {
        "data/clean/excluded.parquet": sha256("tracks"),
        "data/features/mel.npy": sha256(sha256("part 0") + sha256("part 1")),
    }
    assert made.models == {"models/eda/a": sha256("a model")}
    assert made.packages["numpy"] == version("numpy")
    said = " ".join(history.first.page.select_one("footer.made").get_text().split())
    assert f"data/clean/excluded.parquet {sha256('tracks')}" in said
    assert f"models/eda/a {sha256('a model')}" in said
    assert f"tensorflow {version('tensorflow')}" in said
    assert "songs_per_genre = 3" in said
    assert "dvc repro --force eda" in said


@pytest.mark.integration
def test_run_is_told_beside_the_pages(history: History) -> None:
    said, log = history.first.runs["03_eda"], history.first.log
    assert said["commit"] == said["checkout"] == history.commit
    assert platform.system() in said["machine"]
    assert f"Python {platform.python_version()}" in said["machine"]
    assert f"{log['seconds']:.0f} s" in said["run"]
    assert f"{log['peak_anonymous_mib']} MiB" in said["run"]
    assert log["started"][:10] in said["run"]


@pytest.mark.integration
def test_what_differs_from_run_to_run_is_in_nothing_that_is_hashed(history: History) -> None:
    assert history.second.hashed == history.first.hashed
    changed = history.second.runs["03_eda"]
    assert changed["checkout"] == history.commit
    assert changed["commit"].startswith(history.commit)
    assert "not committed" in changed["commit"]
    assert not any(history.commit.encode() in content for content in history.first.hashed.values())


@pytest.mark.integration
def test_what_the_stages_write_is_no_change_to_the_commit(project: Project) -> None:
    (project.root / "reports" / "metrics").mkdir(parents=True)
    (project.root / "reports" / "metrics" / "eda.json").write_text("{}")
    known = provenance.run_environment(project)
    assert known["commit"] == git(project.root, "rev-parse", "--short=12", "HEAD")


@pytest.mark.integration
def test_without_git_the_commit_is_not_recorded(project: Project) -> None:
    shutil.rmtree(project.root / ".git")
    log = {"finished": True, "started": "2026-02-03T04:05:06+00:00", "seconds": 7.2, "peak_anonymous_mib": 89}
    project.log("03_eda").parent.mkdir(parents=True)
    project.log("03_eda").write_text(json.dumps(log | provenance.run_environment(project)))
    project.html.mkdir()
    provenance.publish(project)
    assert "commit" not in runs(project)["03_eda"]
    assert "machine" in runs(project)["03_eda"]


@pytest.mark.integration
def test_run_that_failed_is_not_told(history: History) -> None:
    assert "FileExistsError" in str(history.failure)
    assert history.log.get("finished") is None
    assert history.runs == {}
