"""The recipes of docs/extending.md, followed to the letter in a clone that is built."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pandas as pd
import pytest

from songgenre.params import load_params
from songgenre.paths import Project
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.slow
PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()


def blocks(heading: str) -> list[str]:
    """The code of a recipe, block by block."""
    [recipe] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```\w+\n(.*?)^```$", recipe, re.MULTILINE | re.DOTALL)


def insert(path: Path, code: str, after: str) -> None:
    text = path.read_text()
    assert text.count(after) == 1
    path.write_text(text.replace(after, after + code))


@pytest.fixture
def clone(small: "Clone", tmp_path: Path) -> "Clone":
    """A copy of the small clone, whose own package is used."""
    return small.copy(tmp_path / "clone")


def repro(clone: "Clone", *stages: str) -> str:
    return clone.run("dvc", "repro", *stages, PYTHONPATH=str(clone.root / "src"))


def test_model_is_tuned_and_compared(clone: "Clone") -> None:
    imported, line, literal, command = blocks("A model")
    pipelines = clone.root / "src" / "songgenre" / "models" / "pipelines.py"
    insert(pipelines, imported, "from sklearn.neighbors import KNeighborsClassifier\n")
    insert(pipelines, line, "PIPELINES: dict[str, Callable[[int], Pipeline]] = {\n")
    path = clone.root / "notebooks" / "05_sklearn.ipynb"
    notebook = nbformat.read(path, as_version=4)
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    small = load_params(clone.root / "params.yaml").section("sklearn")
    cell.source = "\n".join(f"{name} = {value!r}" for name, value in small.items())
    cell.source = cell.source.replace("grids = {", f"grids = {{\n{literal}")
    nbformat.write(notebook, path)
    clone.run(*command.split(), PYTHONPATH=str(clone.root / "src"))
    repro(clone, "sklearn")
    metrics = json.loads((clone.root / "reports" / "metrics" / "sklearn.json").read_text())
    assert metrics["naive_bayes"]["accuracy"] > metrics["baseline"]["accuracy"]
    assert (clone.root / "models" / "sklearn" / "naive_bayes.skops").is_file()


def test_source_is_collected_and_cleaned(clone: "Clone") -> None:
    module, case = blocks("A source")
    sources = clone.root / "src" / "songgenre" / "sources"
    (sources / "hum.py").write_text(module)
    insert(
        sources / "registry.py",
        "from songgenre.sources.hum import Hum\n",
        "from songgenre.sources.folder import Folder\n",
    )
    insert(sources / "registry.py", case, "    match source:\n")
    params = clone.root / "src" / "songgenre" / "params.py"
    params.write_text(params.read_text().replace('source: Literal["demo"', 'source: Literal["hum", "demo"'))
    settings = clone.root / "params.yaml"
    settings.write_text(settings.read_text().replace("  source: folder", "  source: hum"))
    repro(clone, "wrangling")
    tracks = read_table(TRACKS, Project(clone.root).tracks)
    assert tracks["genre"].value_counts().to_dict() == {"hiss": 16, "hum": 16}
    assert tracks["artist_group"].nunique() == 16


def test_notebook_becomes_a_stage_and_a_page(clone: "Clone") -> None:
    parameters, code, save, section, typed, stage, dep = blocks("A notebook")
    new = nbformat.v4
    cells = [new.new_markdown_cell("# 09 Loudness\n\n*Which genre is the loudest?*", id="title")]
    cells += [new.new_code_cell(parameters.rstrip(), id="parameters", metadata={"tags": ["parameters"]})]
    cells += [new.new_code_cell(code.rstrip(), id="table")]
    cells += [new.new_code_cell(save.rstrip(), id="save", metadata={"tags": ["save"]})]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new.new_notebook(cells=cells, metadata=kernel), clone.root / "notebooks" / "09_loudness.ipynb")
    settings = clone.root / "params.yaml"
    settings.write_text(f"{settings.read_text()}\n{section}")
    params = clone.root / "src" / "songgenre" / "params.py"
    insert(params, "    loudness: Loudness\n", "    evaluation: Evaluation\n")
    params.write_text(
        params.read_text().replace("class Evaluation(Section):", f"{typed}\n\nclass Evaluation(Section):")
    )
    insert(clone.root / "dvc.yaml", f"{stage}\n", "stages:\n")
    insert(clone.root / "dvc.yaml", dep, " songgenre report build\n    deps:\n")
    assert re.findall(r"Running stage '(\w+)'", repro(clone)) == ["loudness", "report"]
    assert "Running stage" not in repro(clone)
    assert 'href="09_loudness.html"' in (clone.root / "reports" / "html" / "index.html").read_text()
    page = (clone.root / "reports" / "html" / "09_loudness.html").read_text()
    assert "Which genre is the loudest?" in page
    project = Project(clone.root)
    tracks = read_table(TRACKS, project.tracks)
    loudness = read_table(DESCRIPTORS, project.descriptors).set_index("track_id")["rms_mean"]
    by_genre: pd.Series = tracks["track_id"].map(loudness).groupby(tracks["genre"]).mean()
    for genre, mean in by_genre.items():
        assert re.search(rf"{genre}</th>.*?{mean:.3f}", page, re.DOTALL)
    assert pd.read_csv(project.plot("loudness"))["genre"].tolist() == by_genre.index.tolist()
