"""Files of metrics and plot points, in the formats that DVC reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.evaluation.metrics import Metrics
from songgenre.paths import Project
from songgenre.tables.files import read_table
from songgenre.tables.predictions import NESTED, PREDICTIONS

_STAGE_METRICS = TypeAdapter(dict[str, Metrics])


class Results(NamedTuple):
    """Results of the stages that train models.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of all models.
    nested : pd.DataFrame
        `songgenre.tables.predictions.NESTED` of all models.
    hashes : dict
        From the name of a model to the hashes of its data and of its file.
    """

    predictions: pd.DataFrame
    nested: pd.DataFrame
    hashes: dict[str, tuple[str, str]]


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
    content = {model: measured.model_dump(mode="json", exclude_none=True) for model, measured in metrics.items()}
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


def read_results(project: Project, stages: Iterable[str]) -> Results:
    """Read the predictions and the metrics of stages.

    Parameters
    ----------
    project : Project
        Project of the files.
    stages : iterable of str
        Names of stages that train models.

    Returns
    -------
    Results
        Results of all models, stage by stage.

    Raises
    ------
    UserError
        If a file is missing or damaged.
    """
    predictions, nested = [], []
    hashes: dict[str, tuple[str, str]] = {}
    for stage in stages:
        predictions.append(read_table(PREDICTIONS, project.predictions(stage)))
        nested.append(read_table(NESTED, project.predictions(f"{stage}_nested")))
        metrics = read_metrics(project.metrics(stage))
        hashes |= {model: (measured.data_hash, measured.model_hash) for model, measured in metrics.items()}
    return Results(pd.concat(predictions, ignore_index=True), pd.concat(nested, ignore_index=True), hashes)
