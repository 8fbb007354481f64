"""Whether two versions of a file differ by rounding, in predicted genres, or otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from songgenre.reproduce.diff import UNREADABLE, extracted, file_names, load_array, read_datasets, read_values

TOLERANCE = 0.01
"""Largest difference that counts as rounding, relative to the largest magnitude of a column, array or value."""

ABSOLUTE_TOLERANCE = 1e-12
"""Largest difference that counts as rounding for values near zero."""

PRESENTATION = frozenset({".css", ".html", ".ipynb", ".js", ".md", ".png", ".svg"})
"""Suffixes of files that only present results."""

PREDICTED = "predicted"
"""Column of predicted genres."""

StageClass = Literal["rounding", "changed decisions", "other"]
"""Class of the differences of a stage, from harmless to serious."""


class Severity(IntEnum):
    """Severity of the differences between two versions of a file."""

    ROUNDING = 1
    """Floating-point numbers differ by at most `TOLERANCE`."""
    VALUES = 2
    """Other numbers or texts differ."""
    DECISIONS = 3
    """Predicted genres differ."""
    STRUCTURE = 4
    """Files, columns, rows, shapes or types differ, or a file cannot be read."""


def assess(before: Path, after: Path) -> Severity | None:
    """Find out how seriously two versions of a file or folder differ.

    Parameters
    ----------
    before, after : Path
        Files with the same suffix, or folders.

    Returns
    -------
    Severity or None
        The most serious difference; None if the bytes are the same, and for pages, notebooks and images, which only
        present results. Other bytes that this module cannot explain are ``VALUES``.
    """
    if not after.exists() or before.is_dir() != after.is_dir():
        return Severity.STRUCTURE
    if before.is_dir():
        return _assess_folders(before, after)
    if before.suffix in PRESENTATION or before.read_bytes() == after.read_bytes():
        return None
    if before.suffix not in _ASSESSORS:
        return Severity.VALUES
    try:
        return _ASSESSORS[before.suffix](before, after) or Severity.VALUES
    except UNREADABLE:
        return Severity.STRUCTURE


def classify_stage(
    severities: Collection[Severity], upstream: Collection[StageClass], other_inputs: bool
) -> StageClass:
    """Classify the differences of a stage.

    Parameters
    ----------
    severities : collection of Severity
        Those of its outputs.
    upstream : collection of {"rounding", "changed decisions", "other"}
        Classes of the stages whose differing outputs it reads.
    other_inputs : bool
        Whether its command, parameters, code or other inputs differ.

    Returns
    -------
    {"rounding", "changed decisions", "other"}
        A stage with other values, but the same predictions, has changed decisions if a stage before it has. A stage
        that only presents results has the most serious class of the stages before it.

    Examples
    --------
    >>> classify_stage([Severity.ROUNDING], [], other_inputs=False)
    'rounding'
    >>> classify_stage([Severity.VALUES], ["changed decisions"], other_inputs=False)
    'changed decisions'
    """
    worst = max(severities, default=None)
    if other_inputs or worst == Severity.STRUCTURE or (worst is None and not upstream):
        return "other"
    if worst is None:
        return max(upstream, key=get_args(StageClass).index)
    if worst == Severity.DECISIONS or (worst == Severity.VALUES and "changed decisions" in upstream):
        return "changed decisions"
    return "rounding" if worst == Severity.ROUNDING else "other"


def _assess_folders(before: Path, after: Path) -> Severity | None:
    names = file_names(before, after)
    if not all((folder / name).is_file() for folder in (before, after) for name in names):
        return Severity.STRUCTURE
    return _worst(assess(before / name, after / name) for name in names)


def _assess_tables(before: pd.DataFrame, after: pd.DataFrame) -> Severity | None:
    if not before.index.equals(after.index) or not before.dtypes.equals(after.dtypes):
        return Severity.STRUCTURE
    return _worst(_assess_column(before[name], after[name]) for name in before.columns)


def _assess_column(before: pd.Series, after: pd.Series) -> Severity | None:
    severity = _assess_arrays(before.to_numpy(), after.to_numpy())
    return Severity.DECISIONS if severity and before.name == PREDICTED else severity


def _assess_arrays(before: np.ndarray, after: np.ndarray) -> Severity | None:
    if before.dtype != after.dtype or before.shape != after.shape:
        return Severity.STRUCTURE
    if before.dtype.kind not in "fiub":
        return None if pd.Series(before.ravel()).equals(pd.Series(after.ravel())) else Severity.VALUES
    if np.array_equal(before, after, equal_nan=before.dtype.kind == "f"):
        return None
    return Severity.ROUNDING if _is_close(before, after) else Severity.VALUES


def _is_close(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether numbers differ by rounding; those of a mel image by at most one of its 256 levels."""
    if before.dtype == np.uint8:
        return bool(np.abs(before.astype(np.int16) - after).max() <= 1)
    finite = np.isfinite(before)
    if before.dtype.kind != "f" or not np.array_equal(finite, np.isfinite(after)):
        return False
    if not np.array_equal(before[~finite], after[~finite], equal_nan=True):
        return False
    a, b = (array[finite].astype(np.float64) for array in (before, after))
    return bool(np.abs(a - b).max(initial=0.0) <= max(TOLERANCE * np.abs(a).max(initial=0.0), ABSOLUTE_TOLERANCE))


def _assess_json(before: Path, after: Path) -> Severity | None:
    a, b = read_values(before), read_values(after)
    if a.keys() != b.keys():
        return Severity.STRUCTURE
    return _worst(_assess_value(a[name], b[name]) for name in a)


def _assess_value(before: Any, after: Any) -> Severity | None:
    """Compare two values of a JSON file; a whole number may stand for a floating-point number."""
    if float in (type(before), type(after)) and {type(before), type(after)} <= {float, int}:
        return _assess_arrays(np.float64(before).reshape(1), np.float64(after).reshape(1))
    if type(before) is not type(after):
        return Severity.STRUCTURE
    return None if before == after else Severity.VALUES


def _assess_datasets(before: Path, after: Path) -> Severity | None:
    a, b = read_datasets(before), read_datasets(after)
    if a.keys() != b.keys():
        return Severity.STRUCTURE
    return _worst(_assess_arrays(np.asarray(a[name]), np.asarray(b[name])) for name in a)


def _assess_archives(before: Path, after: Path) -> Severity | None:
    with extracted(before, after) as (a, b):
        return _assess_folders(a, b)


def _worst(severities: Iterable[Severity | None]) -> Severity | None:
    return max((severity for severity in severities if severity), default=None)


_ASSESSORS: Mapping[str, Callable[[Path, Path], Severity | None]] = {
    ".csv": lambda a, b: _assess_tables(pd.read_csv(a), pd.read_csv(b)),
    ".h5": _assess_datasets,
    ".json": _assess_json,
    ".keras": _assess_archives,
    ".npy": lambda a, b: _assess_arrays(load_array(a), load_array(b)),
    ".npz": _assess_archives,
    ".parquet": lambda a, b: _assess_tables(pd.read_parquet(a), pd.read_parquet(b)),
    ".skops": _assess_archives,
}
