"""What dvc.yaml promises, before anything runs."""

import ast
from pathlib import Path

import nbformat
import pytest
from ruamel.yaml import YAML

from songgenre.params import Params

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "src" / "songgenre" / "report" / "templates"
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
NOTEBOOK_STAGES = {name: stage for name, stage in STAGES.items() if " notebook run " in stage["cmd"]}

PREDICTIONS = {f"reports/predictions/{stage}.parquet" for stage in ("sklearn", "cnn", "transfer", "evaluation")}

WITHOUT_INFLUENCE = {
    "atomic",
    "code_version",
    "ending",
    "errors",
    "native_stderr",
    "numba_cache",
    "params",
    "paths",
    "progress",
    "provenance",
    "redaction",
    "stage",
    "temporary",
}
"""Modules that a change of which cannot change what a stage writes."""


def defining_file(name: str) -> Path | None:
    """The file of a module or package, or of the one that a name is imported from."""
    path = ROOT / "src" / Path(*name.split("."))
    candidates = [place for each in (path, path.parent) for place in (each.with_suffix(".py"), each / "__init__.py")]
    return next(filter(Path.is_file, candidates), None)


def imported(source: str) -> set[Path]:
    """The files of this package that Python code imports, but for that of the package itself."""
    files: set[Path | None] = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        files |= set(map(defining_file, names))
    return files - {None, ROOT / "src" / "songgenre" / "__init__.py"}


def closure(source: str) -> set[Path]:
    """The files that code imports, directly or not; every import of the package runs `instruction_level`."""
    found: set[Path] = set()
    waiting = imported(source) | {ROOT / "src" / "songgenre" / "runtime" / "instruction_level.py"}
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= imported(path.read_text()) - found
    return {path for path in found if path.stem not in WITHOUT_INFLUENCE}


def code(notebook: Path) -> str:
    cells = nbformat.read(notebook, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


def started(stage: str) -> str:
    """The code with which a stage starts."""
    if stage == "report":
        return "import songgenre.report.site"
    [notebook] = [ROOT / dep for dep in STAGES[stage]["deps"] if dep.startswith("notebooks/")]
    return code(notebook)


def test_every_notebook_is_a_stage_with_a_section_of_parameters() -> None:
    notebooks = {path.stem.partition("_")[2]: path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    commands = {name: stage["cmd"] for name, stage in NOTEBOOK_STAGES.items()}
    environment = 'PATH="$PATH:$DVC_ROOT/.venv/bin"'
    assert commands == {name: f"{environment} songgenre notebook run {path}" for name, path in notebooks.items()}
    assert set(NOTEBOOK_STAGES) == set(Params.model_fields) - {"compute"}
    assert all(stage["params"] == [name] for name, stage in NOTEBOOK_STAGES.items())


@pytest.mark.parametrize("name", [*NOTEBOOK_STAGES, "report"])
def test_stage_depends_on_the_modules_that_it_uses_and_no_others(name: str) -> None:
    deps = [ROOT / dep for dep in STAGES[name]["deps"] if dep.startswith("src/") and (ROOT / dep) != TEMPLATES]
    used = closure(started(name))
    uncovered = [path for path in used if not any(path.is_relative_to(dep) for dep in deps)]
    unused = [dep for dep in deps if not any(path.is_relative_to(dep) for path in used)]
    assert uncovered == []
    assert unused == []


MODELS = {"sklearn", "cnn", "transfer", "evaluation"}
NOTEBOOKS = {"scraping", "wrangling", "eda", "features"} | MODELS
STALE = {
    "plots/style": NOTEBOOKS | {"report"},
    "plots/scraping": {"scraping"},
    "plots/wrangling": {"wrangling"},
    "plots/eda": {"eda"},
    "plots/features": {"features"},
    "plots/models": MODELS,
    "plots/sklearn": {"sklearn"},
    "plots/cnn": {"cnn"},
    "plots/transfer": {"transfer"},
    "plots/evaluation": {"evaluation"},
    "plots/excerpts": {"scraping", "eda", "cnn", "transfer", "evaluation", "report"},
    "evaluation/intervals": MODELS | {"report"},
    "evaluation/metrics": MODELS | {"report"},
    "evaluation/files": MODELS | {"report"},
    "evaluation/ensemble": {"evaluation", "report"},
    "evaluation/folds": {"sklearn", "cnn"},
    "evaluation/significance": {"evaluation"},
    "evaluation/hierarchy": {"evaluation"},
    "evaluation/prior_shift": {"evaluation"},
    "evaluation/similarity": {"report"},
    "tables/columns": NOTEBOOKS | {"report"},
    "tables/files": NOTEBOOKS | {"report"},
    "tables/catalogue": {"scraping", "wrangling", "evaluation", "report"},
    "tables/genres": {"scraping", "evaluation"},
    "tables/tracks": NOTEBOOKS - {"scraping"} | {"report"},
    "tables/excluded": {"wrangling", "report"},
    "tables/descriptors": {"features", "sklearn", "report"},
    "tables/mel_images": {"features", "cnn", "report"},
    "tables/mel_index": {"features", "cnn", "report"},
    "tables/embeddings": {"transfer", "report"},
    "tables/predictions": MODELS | {"report"},
}
"""Stages that run again when a module changes; the report follows where an executed notebook changes."""


@pytest.mark.parametrize(
    "module",
    [
        f"{package}/{path.stem}"
        for package in ("plots", "evaluation", "tables")
        for path in sorted((ROOT / "src" / "songgenre" / package).glob("*.py"))
        if path.stem != "__init__"
    ],
)
def test_a_changed_module_makes_exactly_these_stages_stale(module: str) -> None:
    file = f"src/songgenre/{module}.py"
    stale = {name for name, stage in STAGES.items() if any(Path(file).is_relative_to(dep) for dep in stage["deps"])}
    assert stale == STALE[module]


@pytest.mark.parametrize("name", STAGES)
def test_stage_reads_what_earlier_stages_wrote(name: str) -> None:
    earlier = list(STAGES)[: list(STAGES).index(name)]
    written = {path for stage in earlier for path in outputs(stage)}
    read = {dep for dep in STAGES[name]["deps"] if dep.startswith(("data/", "models/", "reports/"))}
    assert read - {"data/raw/folder.json"} <= written  # which `songgenre run` writes


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ("sklearn", {"evaluation", "report"}),
        ("features", {"sklearn", "cnn", "evaluation", "report"}),
        ("pretrained", {"transfer", "evaluation", "report"}),
        ("eda", {"report"}),
    ],
)
def test_what_follows_a_stage(changed: str, stale: set[str]) -> None:
    followers: set[str] = set()
    for name in STAGES:
        written = {path for earlier in {changed} | followers for path in outputs(earlier)}
        if name != changed and written & set(STAGES[name]["deps"]):
            followers.add(name)
    assert followers == stale


def test_report_depends_on_what_it_shows() -> None:
    shown = {
        path
        for name in NOTEBOOK_STAGES
        for path in outputs(name)
        if path.startswith(("reports/notebooks/", "reports/metrics/")) or path in PREDICTIONS
    }
    assert shown <= set(STAGES["report"]["deps"])


def outputs(name: str) -> list[str]:
    stage = STAGES[name]
    listed = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in listed]
