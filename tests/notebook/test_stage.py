"""A notebook that saves: as a stage of the pipeline, and run by hand."""

import io
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console

from songgenre.notebook import runner
from songgenre.paths import Project

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.integration

CELLS = (
    "from pathlib import Path\nfrom songgenre.notebook.stage import Stage\nstage = Stage.start('03_eda')",
    "def write(text, number, path):\n"
    "    path.parent.mkdir(parents=True, exist_ok=True)\n"
    "    path.write_text(f'{text} {number}')",
    "stage.save((write, 'songs', songs_per_genre, stage.project.plot('songs')))",
    "print(stage.output(stage.project.plot('songs')).read_text())",
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    project = Project(tmp_path)
    project.notebooks.mkdir()
    parameters = 'compared_genres = ["hip-hop", "classical"]\nsongs_per_genre = 9'
    declared = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[declared, *map(new_code_cell, CELLS)]), project.notebooks / "03_eda.ipynb")
    return project


def files(project: Project) -> dict[str, str]:
    """All that a notebook wrote."""
    paths = (project.root / folder for folder in ("reports/plots", "scratch"))
    found = [path for folder in paths for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(project.root).as_posix(): path.read_text() for path in found}


def run_by_hand(project: Project) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(project.notebooks / "03_eda.ipynb", as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(project.notebooks)}}).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_only_the_stage_of_the_pipeline_writes_its_outputs(project: Project) -> None:
    shown, printed = run_by_hand(project)
    assert "`scratch/03_eda/`" in shown.data["text/markdown"]
    assert printed.text == "songs 9\n"
    by_hand = {"scratch/03_eda/reports/plots/songs.csv": "songs 9"}
    assert files(project) == by_hand
    runner.run(project, "03_eda", Console(file=io.StringIO()))
    executed = nbformat.read(project.executed("03_eda"), as_version=4)
    assert [output.text for cell in executed.cells for output in cell.get("outputs", [])] == ["songs 3\n"]
    assert files(project) == by_hand | {"reports/plots/songs.csv": "songs 3"}
