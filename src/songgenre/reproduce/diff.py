"""Differences between two versions of a file: table cells, notebook cells, metrics or weights, and their distance."""

from __future__ import annotations

import base64
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import matplotlib.image
import nbformat
import numpy as np
import pandas as pd
from nbformat import NotebookNode

from songgenre.notebook.provenance import SCRIPT

MAX_LINES = 10
"""Reported differences per file."""

UNREADABLE = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    nbformat.ValidationError,
)
"""Exceptions of reading or comparing a damaged, encrypted or unusual file."""

WIDTH = 60
"""Characters of a line that are shown around the first difference."""


def explain(before: Path, after: Path) -> list[str]:
    """List the differences between two versions of a file or folder.

    Parameters
    ----------
    before, after : Path
        Files with the same suffix, which determines how they are compared, or folders.

    Returns
    -------
    list of str
        A line per difference, at most `MAX_LINES` and one with the number of further differences; empty if the bytes
        are the same.
    """
    if not after.exists():
        return ["is missing"]
    lines = list(_differences(before, after))
    left = len(lines) - MAX_LINES
    return lines[:MAX_LINES] + ([f"and {left} more differences"] if left > 0 else [])


def _differences(before: Path, after: Path) -> Iterator[str]:
    if before.is_dir() and after.is_dir():
        yield from _folders(before, after)
    elif before.is_dir() or after.is_dir():
        yield "is a folder in one and a file in the other"
    elif before.read_bytes() != after.read_bytes():
        yield from _files(before, after)


def _files(before: Path, after: Path) -> Iterator[str]:
    compare = COMPARATORS.get(before.suffix, _bytes)
    try:
        lines = list(compare(before, after))
    except UNREADABLE as error:
        yield f"cannot be read as {before.suffix}: {error}"
        lines = []
    yield from lines or _bytes(before, after)


def _folders(before: Path, after: Path) -> Iterator[str]:
    for name in file_names(before, after):
        if not (after / name).is_file():
            yield f"{name}: is missing"
        elif not (before / name).is_file():
            yield f"{name}: is new"
        else:
            yield from (f"{name}: {line}" for line in _differences(before / name, after / name))


def file_names(before: Path, after: Path) -> list[Path]:
    """List the files in two versions of a folder, at any depth.

    Parameters
    ----------
    before, after : Path
        The folders.

    Returns
    -------
    list of Path
        Paths relative to the folders, sorted; a file may be in one of them only. The facts about the runs, which
        differ in every run, are left out.
    """
    files = {file.relative_to(folder) for folder in (before, after) for file in folder.rglob("*") if file.is_file()}
    return sorted(file for file in files if file.name != SCRIPT)


def _bytes(before: Path, after: Path) -> Iterator[str]:
    a, b = before.read_bytes(), after.read_bytes()
    if len(a) != len(b):
        yield f"{len(a)} bytes became {len(b)}"
    yield f"first differing byte: {_first_difference(a, b)}"


def _first_difference(a: bytes | str, b: bytes | str) -> int:
    pairs = enumerate(zip(a, b, strict=False))
    return next((place for place, (x, y) in pairs if x != y), min(len(a), len(b)))


def _text(before: Path, after: Path) -> Iterator[str]:
    yield from _lines(before.read_text("utf-8"), after.read_text("utf-8"))


def _lines(before: str, after: str) -> Iterator[str]:
    """Yield the first line that differs, if there is one."""
    for number, (a, b) in enumerate(zip_longest(before.splitlines(), after.splitlines()), start=1):
        if a != b:
            yield f"line {number}: {_excerpts(a, b)}"
            return


def _excerpts(before: str | None, after: str | None) -> str:
    if before is None:
        return f"{_shorten(after or '', 0)} is new"
    if after is None:
        return f"{_shorten(before, 0)} is missing"
    start = max(0, _first_difference(before, after) - WIDTH // 2)
    return f"{_shorten(before, start)} became {_shorten(after, start)}"


def _shorten(line: str, start: int) -> str:
    shown = line[start : start + WIDTH]
    return repr(f"{'…' if start else ''}{shown}{'…' if start + WIDTH < len(line) else ''}")


def _json(before: Path, after: Path) -> Iterator[str]:
    yield from changed_values(read_values(before), read_values(after))


def read_values(path: Path) -> dict[str, Any]:
    """Read all values of a JSON file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        From the paths of the values to the values, see `flatten`.
    """
    return dict(flatten(json.loads(path.read_text("utf-8"))))


def flatten(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values in nested dicts and lists, each with its path.

    Parameters
    ----------
    node : Any
        Content of a JSON file, or a part of it.
    path : str
        Path of `node` in the file, keys and indices separated by dots.

    Yields
    ------
    path : str
        Path of a value.
    value : Any
        Value that is not a container, or an empty container.

    Examples
    --------
    >>> dict(flatten({"svm": {"ci95": [0.7, 0.9]}}))
    {'svm.ci95.0': 0.7, 'svm.ci95.1': 0.9}
    """
    if not isinstance(node, dict | list) or not node:
        yield path, node
        return
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield from flatten(value, f"{path}.{key}" if path else str(key))


def changed_values(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Describe the names whose values changed, are new or are missing.

    Parameters
    ----------
    before, after : mapping
        From names to values.

    Yields
    ------
    str
        A line per difference.

    Examples
    --------
    >>> list(changed_values({"folds": 5, "seed": 1}, {"folds": 10}))
    ['folds: 5 became 10', 'seed: 1 is missing']
    """
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield f"{name}: {before[name]!r} is missing"
        elif name not in before:
            yield f"{name}: {after[name]!r} is new"
        elif not _same(before[name], after[name]):
            yield f"{name}: {before[name]!r} became {after[name]!r}"


def _same(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))


def _csv(before: Path, after: Path) -> Iterator[str]:
    yield from _tables(pd.read_csv(before), pd.read_csv(after))


def _parquet(before: Path, after: Path) -> Iterator[str]:
    yield from _tables(pd.read_parquet(before), pd.read_parquet(after))


def _tables(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[str]:
    if len(before) != len(after):
        yield f"{len(before)} rows became {len(after)}"
    for name in before.columns.symmetric_difference(after.columns, sort=False):
        yield f"column {name} is {'missing' if name in before else 'new'}"
    rows = min(len(before), len(after))
    for name in before.columns.intersection(after.columns, sort=False):
        yield from (f"column {name}: {line}" for line in _values(before[name][:rows], after[name][:rows], "rows"))


def _values(before: Any, after: Any, of: str = "values") -> Iterator[str]:
    """Describe how many values differ, the first one, and the distance of numbers."""
    a, b = np.asarray(before), np.asarray(after)
    if a.dtype != b.dtype:
        yield f"type {a.dtype} became {b.dtype}"
    if a.shape != b.shape:
        yield f"shape {a.shape} became {b.shape}"
        return
    numeric = all(np.issubdtype(array.dtype, np.number) for array in (a, b))
    differs = _count_unequal(a, b, numeric)
    if not differs.any():
        return
    first = tuple(int(index) for index in np.argwhere(differs)[0]) if a.ndim else ()
    where = first[0] if len(first) == 1 else first
    values = f"first at {where}: {a[first]} became {b[first]}" if a.ndim else f"{a} became {b}"
    yield f"{differs.sum()} of {a.size} {of} differ{_distance(a[differs], b[differs]) if numeric else ''}; {values}"


def _count_unequal(a: np.ndarray, b: np.ndarray, numeric: bool) -> np.ndarray:
    if numeric:
        return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))
    pairs = zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
    return np.array([not _same(x, y) for x, y in pairs], dtype=bool).reshape(a.shape)


def _distance(a: np.ndarray, b: np.ndarray) -> str:
    """Largest absolute difference, and largest relative to the value before."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    absolute = np.abs(a - b)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = absolute / np.abs(a)
    return f", by at most {np.nanmax(absolute):.2g} (relative {np.nanmax(relative):.2g})"


def _npy(before: Path, after: Path) -> Iterator[str]:
    yield from _values(load_array(before), load_array(after))


def load_array(path: Path) -> np.ndarray:
    """Map an array into memory.

    Parameters
    ----------
    path : Path
        File in the format ``.npy``.

    Returns
    -------
    np.ndarray
        Read-only array.
    """
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _hdf5(before: Path, after: Path) -> Iterator[str]:
    a, b = read_datasets(before), read_datasets(after)
    yield from changed_values(dict.fromkeys(a, "array"), dict.fromkeys(b, "array"))
    for name in a.keys() & b.keys():
        yield from (f"{name}: {line}" for line in _values(a[name], b[name]))


def read_datasets(path: Path) -> dict[str, np.ndarray]:
    """Read all datasets of an HDF5 file.

    Parameters
    ----------
    path : Path
        The file, such as the weights in a Keras model.

    Returns
    -------
    dict
        From the names of the datasets to their arrays.
    """
    datasets: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: datasets.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return datasets


def _archives(before: Path, after: Path) -> Iterator[str]:
    with extracted(before, after) as (a, b):
        yield from _folders(a, b)


@contextmanager
def extracted(before: Path, after: Path) -> Iterator[tuple[Path, Path]]:
    """Extract two versions of a zip archive into temporary folders.

    Parameters
    ----------
    before, after : Path
        The archives.

    Yields
    ------
    before, after : Path
        Folders with their contents, which are deleted when the context ends.
    """
    with TemporaryDirectory() as folder:
        a, b = Path(folder) / "before", Path(folder) / "after"
        for path, target in ((before, a), (after, b)):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(target)
        yield a, b


def _notebooks(before: Path, after: Path) -> Iterator[str]:
    a, b = (nbformat.read(path, as_version=4) for path in (before, after))
    if len(a.cells) != len(b.cells):
        yield f"{len(a.cells)} cells became {len(b.cells)}"
    for index, (x, y) in enumerate(zip(a.cells, b.cells, strict=False)):
        yield from (f"cell {index}, {line}" for line in _cells(x, y))
    if a.metadata != b.metadata:
        yield "the metadata differ"


def _cells(before: NotebookNode, after: NotebookNode) -> Iterator[str]:
    yield from (f"source: {line}" for line in _lines(before.source, after.source))
    a, b = before.get("outputs", []), after.get("outputs", [])
    if len(a) != len(b):
        yield f"{len(a)} outputs became {len(b)}"
    for x, y in zip(a, b, strict=False):
        yield from (f"output: {line}" for line in _outputs(x, y))
    if before.id != after.id or before.metadata != after.metadata:
        yield "its id or metadata differ"


def _outputs(before: NotebookNode, after: NotebookNode) -> Iterator[str]:
    yield from _lines(before.get("text", ""), after.get("text", ""))
    a, b = before.get("data", {}), after.get("data", {})
    yield from changed_values(dict.fromkeys(a, "output"), dict.fromkeys(b, "output"))
    for kind in a.keys() & b.keys():
        if a[kind] != b[kind]:
            yield from _images(a[kind], b[kind]) if kind == "image/png" else _lines(str(a[kind]), str(b[kind]))


def _images(before: str, after: str) -> Iterator[str]:
    a, b = (matplotlib.image.imread(io.BytesIO(base64.b64decode(png)), format="png") for png in (before, after))
    if a.shape != b.shape:
        yield f"image of {a.shape[1]} x {a.shape[0]} pixels became one of {b.shape[1]} x {b.shape[0]}"
        return
    differs = (a != b).any(axis=-1) if a.ndim == 3 else a != b
    yield f"image: {differs.mean():.2%} of the pixels differ, on average by {np.abs(a - b).mean():.2g} of full scale"


COMPARATORS: Mapping[str, Callable[[Path, Path], Iterator[str]]] = {
    ".csv": _csv,
    ".h5": _hdf5,
    ".html": _text,
    ".ipynb": _notebooks,
    ".json": _json,
    ".keras": _archives,
    ".md": _text,
    ".npy": _npy,
    ".npz": _archives,
    ".parquet": _parquet,
    ".skops": _archives,
}
