"""Scores of the models, and confusions of the best model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from songgenre.evaluation.files import read_metrics
from songgenre.evaluation.metrics import BASELINE, Metrics
from songgenre.paths import Project
from songgenre.plots.style import display_name
from songgenre.report.notebook_page import report_names
from songgenre.tables.files import read_table
from songgenre.tables.predictions import PREDICTIONS


@dataclass(frozen=True)
class Model:
    """A model and its scores.

    Parameters
    ----------
    name : str
        Name of the model.
    stage : str
        Stage that trained the model, such as ``cnn``.
    page : str or None
        Name of the stage's report, such as ``06_cnn``; None if the site has no such report.
    score : Metrics
        Metrics on the test songs.
    """

    name: str
    stage: str
    page: str | None
    score: Metrics

    @property
    def display_name(self) -> str:
        """Name of the model in reports, see `songgenre.plots.style.display_name`."""
        return display_name(self.name)


class Confusion(NamedTuple):
    """Songs of a genre for which a model predicts another genre.

    Parameters
    ----------
    genre, predicted : str
        True genre and predicted genre.
    songs : int
        Number of such songs.
    of : int
        Number of songs of the true genre.
    """

    genre: str
    predicted: str
    songs: int
    of: int


class Nested(NamedTuple):
    """Accuracy of a model in nested cross-validation over all songs.

    Parameters
    ----------
    display_name : str
        Name of the model in reports.
    accuracy, ci95_low, ci95_high : float
        Accuracy and its 95 % interval.
    """

    display_name: str
    accuracy: float
    ci95_low: float
    ci95_high: float


def best_nested(project: Project) -> Nested | None:
    """Read the scores of the model that is best in nested cross-validation.

    Parameters
    ----------
    project : Project
        Project whose scores the evaluation has written.

    Returns
    -------
    Nested or None
        Scores of the model; None if the evaluation has not run.
    """
    if not project.plot("nested").is_file():
        return None
    best = pd.read_csv(project.plot("nested")).iloc[0]
    return Nested(display_name(best["model"]), best["accuracy"], best["ci95_low"], best["ci95_high"])


def load_scores(project: Project) -> list[Model]:
    """Collect the scores of all models.

    Parameters
    ----------
    project : Project
        Project whose metrics are read. The metrics of the evaluation replace those of the stage that trained a model.

    Returns
    -------
    list of Model
        Models, the most accurate first.

    Raises
    ------
    UserError
        If a metrics file is not valid.
    """
    pages = {name.partition("_")[2]: name for name in report_names(project)}
    files = sorted((project.reports / "metrics").glob("*.json"), key=lambda file: (_is_evaluation(file), file.stem))
    rows: dict[str, Model] = {}
    for file in files:
        for name, score in read_metrics(file).items():
            stage = rows[name].stage if name in rows else file.stem
            rows[name] = Model(name, stage, pages.get(stage), score)
    return sorted(rows.values(), key=lambda model: (-model.score.accuracy, model.name))


def best_model(models: Sequence[Model]) -> Model | None:
    """Find the most accurate model other than the baseline.

    Parameters
    ----------
    models : sequence of Model
        Models, the most accurate first.

    Returns
    -------
    Model or None
        Best model; None if there is only the baseline.
    """
    return next((model for model in models if model.name != BASELINE), None)


def read_predictions(project: Project, model: Model | None) -> pd.DataFrame | None:
    """Read the predictions of a model for the test songs.

    Parameters
    ----------
    project : Project
        Project whose predictions are read.
    model : Model or None
        Model, or None.

    Returns
    -------
    pd.DataFrame or None
        `songgenre.tables.predictions.PREDICTIONS` of this model; None without a model or predictions.

    Raises
    ------
    UserError
        If the table of predictions cannot be read.
    """
    if model is None or not project.predictions(model.stage).is_file():
        return None
    predictions = read_table(PREDICTIONS, project.predictions(model.stage))
    predictions = predictions[predictions["model"] == model.name].reset_index(drop=True)
    return predictions if len(predictions) else None


def confusions(predictions: pd.DataFrame | None) -> list[Confusion]:
    """Count the confusions of genres.

    Parameters
    ----------
    predictions : pd.DataFrame or None
        `songgenre.tables.predictions.PREDICTIONS` of one model, or None.

    Returns
    -------
    list of Confusion
        Pairs of true and predicted genre that differ, the most songs first; empty without predictions.
    """
    if predictions is None:
        return []
    totals = predictions["genre"].value_counts()
    errors = predictions[predictions["genre"] != predictions["predicted"]].value_counts(["genre", "predicted"])
    rows = [Confusion(genre, predicted, int(songs), int(totals[genre])) for (genre, predicted), songs in errors.items()]
    return sorted(rows, key=lambda mistake: (-mistake.songs, mistake.genre, mistake.predicted))


def _is_evaluation(file: Path) -> bool:
    return file.stem == "evaluation"
