import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbformat.corpus.words import generate_corpus_id
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from songgenre.errors import UserError
from songgenre.notebook.normalise import clean, clean_file, normalize

ROOT = Path(__file__).parents[2]


class Jupyter(NamedTuple):
    """A server, and the folder that it serves."""

    address: str
    folder: Path


@pytest.fixture
def used() -> nbformat.NotebookNode:
    """A notebook as an editor leaves it after running it."""
    cell = new_code_cell("object()", id="one", execution_count=7)
    cell.metadata = {
        "tags": ["parameters"],
        "collapsed": True,
        "execution": {"iopub.status.busy": "2026-01-01T00:00:00Z"},
    }
    cell.outputs = [
        new_output("execute_result", {"text/plain": "<object object at 0x7f3a5c0b1d20>"}, execution_count=7),
        new_output("stream", name="stdout", text="<Thing at 0x7f3a5c0b1d20>\n"),
    ]
    injected = new_code_cell("a = 1", id="8f3b2a1c", metadata={"tags": ["injected-parameters"]})
    notebook = new_notebook(cells=[new_markdown_cell("# Title", id="zero"), cell, injected])
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": "3.11.7"},
        "papermill": {"start_time": "2026-01-01", "output_path": "/home/somebody/out.ipynb"},
    }
    return notebook


def test_clean_leaves_what_a_person_wrote(used: nbformat.NotebookNode) -> None:
    cleaned = clean(used)
    assert [cell.source for cell in cleaned.cells] == [cell.source for cell in used.cells]
    assert cleaned.cells[1].metadata == {"tags": ["parameters"]}
    assert cleaned.cells[1].outputs == []
    assert cleaned.cells[1].execution_count is None
    assert "2026" not in nbformat.writes(cleaned)
    assert "3.11.7" not in nbformat.writes(cleaned)
    nbformat.validate(cleaned)


def as_vs_code_saves(notebook: nbformat.NotebookNode) -> str:
    for cell in notebook.cells:
        cell.id = generate_corpus_id()
        cell.metadata["vscode"] = {"languageId": "python"}
    notebook.metadata = {
        "kernelspec": {"display_name": ".venv (3.12.1)", "language": "python", "name": "python3"},
        "language_info": {"codemirror_mode": {"name": "ipython"}, "name": "python", "version": "3.12.1"},
    }
    return nbformat.writes(notebook)


def as_nbformat_4_4_saves(notebook: nbformat.NotebookNode) -> str:
    for cell in notebook.cells:
        del cell["id"]
    notebook.nbformat_minor = 4
    return nbformat.writes(notebook)


def with_empty_cells(notebook: nbformat.NotebookNode) -> str:
    notebook.cells += [new_code_cell(""), new_markdown_cell(" \n"), new_code_cell("\n")]
    return nbformat.writes(notebook)


@pytest.mark.parametrize("save_as", [as_vs_code_saves, as_nbformat_4_4_saves, with_empty_cells])
def test_what_an_editor_changes_is_undone(tmp_path: Path, save_as: Callable[[nbformat.NotebookNode], str]) -> None:
    committed = ROOT / "notebooks" / "08_evaluation.ipynb"
    path = tmp_path / committed.name
    path.write_text(save_as(nbformat.read(committed, as_version=4)))
    assert path.read_bytes() != committed.read_bytes()
    assert clean_file(path)
    assert path.read_bytes() == committed.read_bytes()
    assert not clean_file(path)


def test_clean_is_idempotent_and_leaves_its_argument(used: nbformat.NotebookNode) -> None:
    before = nbformat.writes(used)
    assert clean(clean(used)) == clean(used)
    assert nbformat.writes(used) == before


def test_normalise_keeps_outputs_without_what_differs_between_runs(used: nbformat.NotebookNode) -> None:
    text = nbformat.writes(normalize(used))
    for trace in ("2026", "0x7f3a5c0b1d20", "somebody", "8f3b2a1c"):
        assert trace not in text
    assert "<object object" in text
    nbformat.validate(normalize(used))


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """With the hook of `make lab`."""
    folder, runtime = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("runtime")
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root", "--port=0"]
    options = [
        "--ServerApp.ip=127.0.0.1",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
        f"--ServerApp.root_dir={folder}",
        "--ContentsManager.pre_save_hook=songgenre.notebook.normalise.clean_before_save",
    ]
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(runtime)}
    server = subprocess.Popen(
        [*command, *options], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield Jupyter(f"{address_of(server, runtime)}api", folder)
    finally:
        server.terminate()
        server.wait(60)


def address_of(server: "subprocess.Popen[bytes]", runtime: Path) -> str:
    """Where it listens, once it does."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None
        with suppress(FileNotFoundError, ValueError):
            return json.loads((runtime / f"jpserver-{server.pid}.json").read_text())["url"]
        time.sleep(0.05)
    raise TimeoutError


def save(jupyter: Jupyter, name: str, notebook: nbformat.NotebookNode) -> None:
    """Save a notebook as JupyterLab does."""
    body = json.dumps({"type": "notebook", "format": "json", "content": notebook}).encode()
    request = urllib.request.Request(
        f"{jupyter.address}/contents/{name}", body, {"Content-Type": "application/json"}, method="PUT"
    )
    urllib.request.urlopen(request).close()


@pytest.mark.integration
def test_saving_a_notebook_that_was_run_leaves_its_file_untouched(
    jupyter: Jupyter, used: nbformat.NotebookNode
) -> None:
    path = jupyter.folder / "run.ipynb"
    nbformat.write(clean(used), path)
    before = path.read_bytes()
    save(jupyter, path.name, used)
    assert path.read_bytes() == before


@pytest.mark.integration
def test_git_shows_only_what_a_person_changed(jupyter: Jupyter) -> None:
    path = Path(shutil.copy(ROOT / "notebooks" / "08_evaluation.ipynb", jupyter.folder))
    git = ("git", "-C", str(jupyter.folder), "-c", "user.name=tests", "-c", "user.email=tests@localhost")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "As it is"]):
        subprocess.run([*git, *command], check=True)
    notebook = nbformat.read(path, as_version=4)
    for count, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.execution_count = count
        cell.metadata["execution"] = {"iopub.status.busy": "2026-01-01T00:00:00Z"}
        cell.outputs = [new_output("stream", name="stdout", text="as it ran\n")]
    notebook.metadata["language_info"]["version"] = "3.12.1"
    notebook.cells[0].source += "\nMy own remark."
    save(jupyter, path.name, notebook)
    diff = subprocess.run([*git, "diff", "--unified=0"], check=True, capture_output=True, text=True).stdout
    changed = [line for line in diff.splitlines() if line.startswith(("+ ", "- "))]
    [removed, again, added] = [line[1:].strip() for line in changed]
    assert again == removed[:-1] + '\\n",'
    assert added == '"My own remark."'


@pytest.mark.parametrize("content", ["", "{}", "[]", "[" * 99_999, '{"nbformat": 4}', '{"nbformat": 4, "cells": [1]}'])
def test_file_that_is_no_notebook_is_named_and_stays(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.ipynb").write_text(content)
    with pytest.raises(UserError, match=r"x\.ipynb: not a readable notebook"):
        clean_file(tmp_path / "x.ipynb")
    assert (tmp_path / "x.ipynb").read_text() == content
