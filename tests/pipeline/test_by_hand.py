"""The notebooks run by hand, with other parameters, in a project that is built."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from ruamel.yaml import YAML

from songgenre.notebook.runner import KERNEL_ENVIRONMENT
from songgenre.notebook.stage import STAGE_VARIABLE

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
CHANGED = {
    "01_scraping": 'genre_names = {"Pop": "popular"}',
    "02_wrangling": "seed = 1",
    "03_eda": "songs_per_genre = 2",
    "04_features": "n_mfcc = 4",
    "05_sklearn": "seed = 1",
    "06_cnn": "learning_rate = 0.1",
    "07_transfer": "shrinkage = [0.3]",
    "08_evaluation": 'ensemble = ["svm", "cnn"]',
}
"""One parameter of each notebook; the others are those of the small pipeline."""

LONG = ("05_sklearn", "06_cnn", "07_transfer")


@pytest.fixture(scope="module")
def clone(small: "Clone", tmp_path_factory: pytest.TempPathFactory) -> "Clone":
    return small.copy(tmp_path_factory.mktemp("by_hand") / "clone")


def outputs(name: str) -> set[str]:
    """The outputs of a stage of dvc.yaml, without its executed notebook."""
    [stage] = [stage for stage in STAGES.values() if stage["cmd"].endswith(f" {name}")]
    listed = [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]
    paths = {entry if isinstance(entry, str) else next(iter(entry)) for entry in listed}
    return {path for path in paths if not path.startswith("reports/notebooks/")}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in CHANGED]
)
def test_replaces_nothing_that_the_pipeline_wrote(clone: "Clone", name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in KERNEL_ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv(STAGE_VARIABLE, raising=False)
    before = clone.written("data/raw", "data/clean", "data/features", "models", "reports")
    notebook = nbformat.read(clone.root / "reports" / "notebooks" / f"{name}.ipynb", as_version=4)
    [cell] = [cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    cell.source += f"\n{CHANGED[name]}"
    NotebookClient(notebook, resources={"metadata": {"path": str(clone.root / "notebooks")}}).execute()
    assert clone.written("data/raw", "data/clean", "data/features", "models", "reports") == before
    assert clone.run("git", "status", "--porcelain") == ""
    scratch = clone.root / "scratch" / name
    assert {path for path in outputs(name) if (scratch / path).exists()} == outputs(name)
    shown = [
        output.data["text/markdown"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text/markdown" in output.get("data", {})
    ]
    assert re.search(rf"scratch/{name}/", shown[0])
