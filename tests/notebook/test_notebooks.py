"""The rules that every notebook keeps."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from songgenre import params
from songgenre.notebook.normalise import clean
from songgenre.notebook.parameters import parameters_cell

ROOT = Path(__file__).parents[2]
MAX_LINES, MAX_WIDTH = 100, 100
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def sources(path: Path, cell_type: str) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == cell_type]


def test_opens_with_title_question_inputs_and_outputs(path: Path) -> None:
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(rf"# {path.stem[:2]} \w", first.source)
    assert re.search(r"^\*.*\?\*$", first.source, re.MULTILINE)
    assert "**Inputs:**" in first.source
    assert "**Outputs:**" in first.source


def test_is_in_the_table_of_contents(path: Path) -> None:
    title, _, question, *_ = nbformat.read(path, as_version=4).cells[0].source.splitlines()
    row = f"| [{title.removeprefix('# ')}]({path.name}) | {question.strip('*')} |"
    assert row in (path.parent / "README.md").read_text()


def test_ends_with_checks_and_computed_conclusions(path: Path) -> None:
    *_, heading = sources(path, "markdown")
    *_, last = sources(path, "code")
    assert heading.endswith("## Checks and conclusions")
    assert "assert " in last
    assert re.search(r"f\"[^\"]*\{", last)


def test_tells_a_story_in_at_most_a_hundred_lines_besides_parameters_and_saving(path: Path) -> None:
    code = "\n".join(
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and not {"parameters", "save"} & set(cell.metadata.get("tags", []))
    )
    assert len([line for line in code.splitlines() if line.strip()]) <= MAX_LINES
    assert max(map(len, code.splitlines())) <= MAX_WIDTH
    tree = ast.parse(code)
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node for node in ast.walk(tree) if isinstance(node, definitions)]


def test_parameters_are_those_of_params_yaml(path: Path) -> None:
    section = path.stem.partition("_")[2]
    assert parameters_cell(path) == params.load_params(ROOT / "params.yaml").section(section)


def test_is_committed_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert notebook == clean(notebook)
    assert path.read_text() == nbformat.writes(notebook) + "\n"


def test_every_figure_has_a_text_alternative(path: Path) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse("\n".join(sources(path, "code"))))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "show"
    ]
    assert all("alt" in {keyword.arg for keyword in call.keywords} for call in calls)


def test_saves_in_one_cell_of_its_own_whatever_is_no_input_of_a_later_one(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    saving = [cell for cell in cells if "stage.save(" in cell.source]
    assert [cell for cell in cells if "save" in cell.metadata.get("tags", [])] == saving
    assert len(saving) == (path.stem != "03_eda")
    others = "\n".join(cell.source for cell in cells if cell not in saving)
    assert not re.search(r"\bwrite_\w+\(", others)
    assert f'Stage.start("{path.stem}")' in others


@pytest.mark.integration
def test_lint_finds_what_is_wrong_in_it(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("never_defined"))
    command = [sys.executable, "-m", "ruff", "check", "--force-exclude", "--stdin-filename", path]
    ended = subprocess.run(command, cwd=ROOT, input=nbformat.writes(notebook), text=True, capture_output=True)
    assert ended.returncode == 1
    assert "never_defined" in ended.stdout
