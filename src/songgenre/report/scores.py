"""The models, how they compare, and what the best of them confuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from songgenre.evaluation.files import read_metrics
from songgenre.evaluation.metrics import Metrics
from songgenre.paths import Project
from songgenre.plots.style import display_name
from songgenre.report.notebook_page import report_names
from songgenre.tables.files import read_table
from songgenre.tables.predictions import PREDICTIONS

BASELINE = "baseline"


@dataclass(frozen=True)
class Model:
    """A row of the comparison.

    Parameters
    ----------
    name : str
        Name of the model.
    stage : str
        Name of the metrics file of the stage that trained it, such as ``cnn``.
    page : str or None
        Name of that stage's report, such as ``06_cnn``; None if the site has none.
    score : Metrics
        How it does on the test songs.
    """

    name: str
    stage: str
    page: str | None
    score: Metrics

    @property
    def display_name(self) -> str:
        """Its name, to read."""
        return display_name(self.name)


class Confusion(NamedTuple):
    """Songs of a genre that a model took for another."""

    genre: str
    predicted: str
    songs: int
    of: int


def load_scores(project: Project) -> list[Model]:
    """Collect the scores of all models.

    Parameters
    ----------
    project : Project
        The project whose metrics are read. Where the evaluation scored a model again, its numbers count.

    Returns
    -------
    list of Model
        The most accurate first.

    Raises
    ------
    UserError
        If a metrics file is not what a stage writes.
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
    """The most accurate, the baseline aside."""
    return next((model for model in models if model.name != BASELINE), None)


def read_predictions(project: Project, model: Model | None) -> pd.DataFrame | None:
    """What a model said of the test songs: `songgenre.tables.predictions.PREDICTIONS`; None where that is not known."""
    if model is None or not project.predictions(model.stage).is_file():
        return None
    predictions = read_table(PREDICTIONS, project.predictions(model.stage))
    predictions = predictions[predictions["model"] == model.name].reset_index(drop=True)
    return predictions if len(predictions) else None


def confusions(predictions: pd.DataFrame | None) -> list[Confusion]:
    """Which genres are taken for which, the most songs first."""
    if predictions is None:
        return []
    of = predictions["genre"].value_counts()
    wrong = predictions[predictions["genre"] != predictions["predicted"]].value_counts(["genre", "predicted"])
    rows = [Confusion(genre, predicted, int(songs), int(of[genre])) for (genre, predicted), songs in wrong.items()]
    return sorted(rows, key=lambda mistake: (-mistake.songs, mistake.genre, mistake.predicted))


def _is_evaluation(file: Path) -> bool:
    return file.stem == "evaluation"
