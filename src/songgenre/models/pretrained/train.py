"""Training of the bundled model."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from songgenre.evaluation.metrics import tabulate_predictions
from songgenre.models import classical
from songgenre.models.pretrained import head
from songgenre.params import Transfer
from songgenre.paths import Project
from songgenre.tables.embeddings import EMBEDDINGS
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

MODEL = "lda"


class Trained(NamedTuple):
    """Data and predictions that the card of the bundled model reports.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    nested : pd.DataFrame
        `songgenre.tables.predictions.NESTED`: predictions for each song by models that were tuned, fitted and
        calibrated without its artist.
    unseen_collection : pd.DataFrame
        Result of `leave_one_collection_out`.
    """

    tracks: pd.DataFrame
    nested: pd.DataFrame
    unseen_collection: pd.DataFrame


def train_head(project: Project, config: Transfer) -> Trained:
    """Train the head on the songs of a project and write it into the package.

    Parameters
    ----------
    project : Project
        Project whose stage ``transfer`` has run.
    config : Transfer
        Section ``transfer`` of ``params.yaml``.

    Returns
    -------
    Trained
        Data and predictions for the card.

    Raises
    ------
    UserError
        If a table is missing, or a genre has too few artists or songs for the folds.
    """
    tracks = read_table(TRACKS, project.tracks)
    X = read_table(EMBEDDINGS, project.embeddings).drop(columns="track_id")
    grids = {MODEL: {"shrinkage": config.shrinkage}}
    y, artists = tracks["genre"], tracks["artist_group"]
    [(_, search)] = classical.grid_search(grids, X, y, artists, config.folds, config.seed)
    nested = classical.nested_cross_validate(grids, [], X, tracks, config.folds, config.repeats, config.seed)
    head.save_head(head.from_pipeline(search.best_estimator_), head.BUNDLED)
    return Trained(tracks, nested, leave_one_collection_out(search.best_estimator_, X, tracks))


def leave_one_collection_out(model: Pipeline, X: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """Predict the songs of each collection by a model that was fitted to the other collections.

    Parameters
    ----------
    model : Pipeline
        Tuned model; copies are fitted.
    X : pd.DataFrame [shape=(n_tracks, n_dimensions)]
        Embeddings.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, rows as in `X`.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` for each collection without which all genres remain.
    """
    y, genres = tracks["genre"], sorted(tracks["genre"].unique())
    predictions = []
    for _, out in tracks.groupby("collection"):
        others = tracks.index.difference(out.index)
        if set(y[others]) == set(genres):
            fitted = clone(model).fit(X.loc[others], y[others].to_numpy())
            answers = pd.DataFrame(fitted.predict_proba(X.loc[out.index]), columns=genres)
            predictions.append(tabulate_predictions(MODEL, out, answers))
    return pd.concat(predictions, ignore_index=True) if predictions else pd.DataFrame(columns=["track_id"])
