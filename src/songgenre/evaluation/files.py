"""Metrics and plot points on disk, as DVC reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.evaluation.metrics import (
    Metrics,
)

_STAGE_METRICS = TypeAdapter(dict[str, Metrics])


def file_hash(path: Path) -> str:
    """First 12 digits of the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def write_plot(table: pd.DataFrame, path: Path) -> None:
    """Write the points of a plot as CSV, for ``dvc plots``."""
    with replacing(path) as partial:
        table.to_csv(partial, index=False)


def write_headline(nested: pd.DataFrame, test: pd.DataFrame, path: Path) -> None:
    """Write the figures by which runs are compared, for ``dvc metrics`` and ``dvc exp``.

    Parameters
    ----------
    nested, test : pd.DataFrame
        `songgenre.evaluation.metrics.compare_models` in nested folds and on the test songs; the accuracy of the best
        model of each, with its interval, is written.
    path : Path
    """
    names = ["accuracy", "ci95_low", "ci95_high"]
    headline = {name: float(nested[name].iloc[0]) for name in names}
    headline |= {f"test_{name}": float(test[name].iloc[0]) for name in names}
    with replacing(path) as partial:
        partial.write_text(json.dumps(headline, indent=2) + "\n")


def write_metrics(metrics: Mapping[str, Metrics], path: Path) -> None:
    """Write the metrics of a stage as JSON."""
    content = {model: measured.model_dump(mode="json") for model, measured in metrics.items()}
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def read_metrics(path: Path) -> dict[str, Metrics]:
    """Read the metrics of a stage.

    Raises
    ------
    UserError
        If the file is missing or is not as `Metrics` describes.
    """
    try:
        return _STAGE_METRICS.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"Expected metrics at {path}, but there are none. Run `dvc repro` first.") from None
    except ValidationError as error:
        raise UserError(f"{path} does not hold valid metrics: {error}") from None
