"""The parameters cell of a notebook, and its section of ``params.yaml``, whose values a stage uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from songgenre.errors import UserError, did_you_mean
from songgenre.notebook.normalise import UNREADABLE
from songgenre.params import Params, write_section
from songgenre.paths import Project
from songgenre.redaction import redact

ABSENT = object()


def find_notebook(project: Project, name: str) -> Path:
    """Find a notebook of a project.

    Parameters
    ----------
    project : Project
        Project of the notebook.
    name : str
        Name of the notebook, for example ``"04_features"``.

    Returns
    -------
    Path
        The notebook.

    Raises
    ------
    UserError
        If there is no such notebook.
    """
    source = project.notebooks / f"{name}.ipynb"
    if not source.is_file():
        names = [path.stem for path in sorted(project.notebooks.glob("*.ipynb"))]
        raise UserError(f"{name!r}: no such notebook.{did_you_mean(name, names)} Name one of {', '.join(names)}.")
    return source


def section_of(name: str) -> str:
    """Return the section of ``params.yaml`` that a notebook gets.

    Parameters
    ----------
    name : str
        Name of the notebook.

    Returns
    -------
    str
        The part behind the number.
    """
    return name.partition("_")[2]


def parameters_cell(notebook: Path) -> dict[str, Any]:
    """Read the parameters that a notebook declares.

    Parameters
    ----------
    notebook : Path
        Notebook with one cell that is tagged ``parameters``.

    Returns
    -------
    dict
        From parameter to its default.

    Raises
    ------
    UserError
        If the file is no notebook, not exactly one cell is tagged ``parameters``, or the cell contains anything but
        assignments of literals.
    """
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except UNREADABLE as error:
        raise UserError(f"{notebook}: not a readable notebook ({error}). Restore it with git.") from None
    declarations = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(declarations) != 1:
        raise UserError(
            f"{notebook}: {len(declarations)} cells have the tag `parameters`. Give exactly one cell the tag."
        )
    try:
        return dict(map(_declaration, ast.parse(declarations[0].source).body))
    except (SyntaxError, TypeError, ValueError, MemoryError, RecursionError):
        raise UserError(
            f"{notebook}: the parameters cell does not consist of literals. Write only lines `name = literal` into it."
        ) from None


def _declaration(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, ast.literal_eval(value)
    raise ValueError(f"line {statement.lineno}: no assignment of a literal to one name")


def find_differences(project: Project, name: str, settings: Params) -> list[str]:
    """List the parameters that differ between the parameters cell of a notebook and ``params.yaml``.

    Parameters
    ----------
    project : Project
        Project of the notebook.
    name : str
        Name of the notebook.
    settings : Params
        Content of ``params.yaml``.

    Returns
    -------
    list of str
        Such as ``sklearn.repeats: 3 in the cell, 2 in params.yaml``; empty if they agree.

    Raises
    ------
    UserError
        If the notebook is missing, or its parameters cell is not valid.
    """
    section = section_of(name)
    return list(_differences(section, parameters_cell(find_notebook(project, name)), settings.section(section)))


def write_parameters(project: Project, name: str) -> None:
    """Write the values of the parameters cell of a notebook into ``params.yaml``; everything else there stays.

    Parameters
    ----------
    project : Project
        Project of the notebook.
    name : str
        Name of the notebook.

    Raises
    ------
    UserError
        If the notebook is missing, or its parameters cell is not valid; ``params.yaml`` is then unchanged.
    """
    write_section(project.params, section_of(name), parameters_cell(find_notebook(project, name)))


def _differences(place: str, cell: Any, stored: Any) -> Iterator[str]:
    if isinstance(cell, Mapping) and isinstance(stored, Mapping):
        for name in dict.fromkeys([*stored, *cell]):
            yield from _differences(f"{place}.{name}", cell.get(name, ABSENT), stored.get(name, ABSENT))
    elif cell != stored:
        yield f"{place}: {_format(cell)} in the cell, {_format(stored)} in params.yaml"


def _format(value: Any) -> str:
    return "nothing" if value is ABSENT else redact(repr(value))
