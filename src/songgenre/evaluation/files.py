"""Files of metrics and plot points, in the formats that DVC reads."""

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
    """Hash a file.

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    str
        First 12 hexadecimal digits of its SHA-256.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def write_plot(table: pd.DataFrame, path: Path) -> None:
    """Write the points of a plot as CSV, for ``dvc plots``.

    Parameters
    ----------
    table : pd.DataFrame
        A row per point; the index is not written.
    path : Path
        CSV file to write.
    """
    with replacing(path) as partial:
        table.to_csv(partial, index=False)


def write_headline(nested: pd.DataFrame, test: pd.DataFrame, path: Path) -> None:
    """Write the headline figures of a run, for ``dvc metrics`` and ``dvc exp``.

    These are the accuracies of the best models, with their intervals.

    Parameters
    ----------
    nested, test : pd.DataFrame
        `songgenre.evaluation.metrics.compare_models` in nested cross-validation and on the test songs, the best model
        first.
    path : Path
        JSON file to write.
    """
    names = ["accuracy", "ci95_low", "ci95_high"]
    headline = {name: float(nested[name].iloc[0]) for name in names}
    headline |= {f"test_{name}": float(test[name].iloc[0]) for name in names}
    with replacing(path) as partial:
        partial.write_text(json.dumps(headline, indent=2) + "\n")


def write_metrics(metrics: Mapping[str, Metrics], path: Path) -> None:
    """Write the metrics of a stage as JSON.

    Parameters
    ----------
    metrics : mapping
        From the name of a model to its metrics.
    path : Path
        JSON file to write.
    """
    content = {model: measured.model_dump(mode="json") for model, measured in metrics.items()}
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def read_metrics(path: Path) -> dict[str, Metrics]:
    """Read the metrics of a stage.

    Parameters
    ----------
    path : Path
        JSON file that `write_metrics` wrote.

    Returns
    -------
    dict
        From the name of a model to its metrics.

    Raises
    ------
    UserError
        If the file is missing or its content does not match `Metrics`.
    """
    try:
        return _STAGE_METRICS.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: not found. Run `dvc repro` first.") from None
    except ValidationError as error:
        raise UserError(f"{path}: not valid metrics. {error}") from None
