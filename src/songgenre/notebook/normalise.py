"""What makes a notebook's bytes depend on nothing but what a person wrote and what it computed."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from songgenre.atomic import replacing
from songgenre.errors import UserError

_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")


def clean(notebook: NotebookNode) -> NotebookNode:
    """A notebook as it is committed: without outputs, counts and what editors leave behind.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    nbformat.NotebookNode
        A copy.
    """
    cleaned = _strip_metadata(notebook)
    for cell in cleaned.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return cleaned


def clean_file(path: Path, check: bool = False) -> bool:
    """Clean a notebook where it lies.

    Parameters
    ----------
    path : Path
    check : bool
        Whether to leave it as it is.

    Returns
    -------
    bool
        Whether it was not clean.

    Raises
    ------
    UserError
        If there is no such notebook, or it cannot be read.
    """
    try:
        before = path.read_text("utf-8")
        after = nbformat.writes(clean(nbformat.reads(before, as_version=4))) + "\n"
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"Expected a notebook at {path}, but it cannot be read: {error}") from None
    if after != before and not check:
        with replacing(path) as partial:
            partial.write_text(after, encoding="utf-8", newline="\n")
    return after != before


def normalize(executed: NotebookNode) -> NotebookNode:
    """An executed notebook without what differs from run to run: times, random names, memory addresses.

    Parameters
    ----------
    executed : nbformat.NotebookNode
        As papermill leaves it.

    Returns
    -------
    nbformat.NotebookNode
        A copy.
    """
    normal = _strip_metadata(executed)
    for cell in normal.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        for output in cell.get("outputs", []):
            _normalize_output(output)
    return normal


def clean_before_save(model: dict[str, Any], **_: Any) -> None:
    """Clean what JupyterLab is about to save (a ``pre_save_hook`` of Jupyter's contents manager)."""
    if model["type"] == "notebook" and model["content"]["nbformat"] == 4:
        model["content"] = clean(NotebookNode(_as_nodes(model["content"])))


def _as_nodes(content: Any) -> Any:
    if isinstance(content, dict):
        return NotebookNode({key: _as_nodes(value) for key, value in content.items()})
    return [_as_nodes(item) for item in content] if isinstance(content, list) else content


def _strip_metadata(notebook: NotebookNode) -> NotebookNode:
    """A copy whose metadata are the kernel and the tags of the cells, and nothing else."""
    plain = copy.deepcopy(notebook)
    plain.metadata = NotebookNode(
        kernelspec=NotebookNode(display_name="Python 3", language="python", name="python3"),
        language_info=NotebookNode(name="python"),
    )
    for cell in plain.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
    return plain


def _normalize_output(output: NotebookNode) -> None:
    if "text" in output:
        output.text = _ADDRESS.sub("", output.text)
    for mime, content in output.get("data", {}).items():
        if mime.startswith("text/") and isinstance(content, str):
            output.data[mime] = _ADDRESS.sub("", content)
