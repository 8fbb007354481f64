"""Normalisation of notebooks: their bytes depend only on the text, the code and the results."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from songgenre.atomic import replacing
from songgenre.errors import UserError

UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError, nbformat.ValidationError)
"""Errors that nbformat raises for files that are no notebooks."""
NBFORMAT_MINOR = 5
"""Version 4.5 of the format is the first one with cell ids."""

_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")


def clean(notebook: NotebookNode) -> NotebookNode:
    """Remove all that editors add: outputs, execution counts, metadata, ids of their own, empty cells at the end.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Notebook, which is not changed.

    Returns
    -------
    nbformat.NotebookNode
        Clean copy in version 4.5 of the format; the id of a cell is its position.
    """
    plain = _strip_metadata(notebook)
    plain.nbformat_minor = NBFORMAT_MINOR
    while plain.cells and not plain.cells[-1].source.strip():
        del plain.cells[-1]
    for position, cell in enumerate(plain.cells, start=1):
        cell.id = f"cell-{position:02}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return plain


def clean_file(path: Path, check: bool = False) -> bool:
    """Clean a notebook in place.

    Parameters
    ----------
    path : Path
        Notebook to clean.
    check : bool
        Whether to check the notebook only, without a change.

    Returns
    -------
    bool
        Whether the notebook was not clean.

    Raises
    ------
    UserError
        If the notebook is missing, or cannot be read.
    """
    try:
        before = path.read_text("utf-8")
        after = nbformat.writes(clean(nbformat.reads(before, as_version=4))) + "\n"
    except (OSError, *UNREADABLE) as error:
        raise UserError(f"{path}: not a readable notebook. Restore it with git, or name another. {error}") from None
    if after != before and not check:
        with replacing(path) as partial:
            partial.write_text(after, encoding="utf-8", newline="\n")
    return after != before


def normalize(executed: NotebookNode) -> NotebookNode:
    """Remove the content of an executed notebook that differs between runs: times, random names, memory addresses.

    Parameters
    ----------
    executed : nbformat.NotebookNode
        Notebook that papermill has executed; it is not changed.

    Returns
    -------
    nbformat.NotebookNode
        Normalised copy.
    """
    normal = _strip_metadata(executed)
    for cell in normal.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        for output in cell.get("outputs", []):
            _normalize_output(output)
    return normal


def clean_before_save(model: dict[str, Any], **_: Any) -> None:
    """Clean a notebook before JupyterLab saves it (a ``pre_save_hook`` of Jupyter's contents manager).

    Parameters
    ----------
    model : dict
        Model of the file in Jupyter's contents API; the content of a notebook is replaced.
    """
    if model["type"] == "notebook" and model["content"]["nbformat"] == 4:
        model["content"] = clean(NotebookNode(_as_nodes(model["content"])))


def _as_nodes(content: Any) -> Any:
    if isinstance(content, dict):
        return NotebookNode({key: _as_nodes(value) for key, value in content.items()})
    return [_as_nodes(item) for item in content] if isinstance(content, list) else content


def _strip_metadata(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook; of its metadata, only the kernel and the tags of the cells remain."""
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
