"""Train the bundled model."""

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
    """What the card of the bundled model is written from.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    nested : pd.DataFrame
        `songgenre.tables.predictions.NESTED` of each song, by a model that was tuned, fitted and calibrated without its
        artist.
    unseen_collection : pd.DataFrame
        `leave_one_collection_out`.
    """

    tracks: pd.DataFrame
    nested: pd.DataFrame
    unseen_collection: pd.DataFrame


def train_head(project: Project, config: Transfer) -> Trained:
    """Train the head on the songs of a project and write it into the package.

    Parameters
    ----------
    project : Project
        Whose stage ``transfer`` has run.
    config : Transfer

    Returns
    -------
    Trained
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
    """Have the songs of each collection judged by a model that was fitted to the others.

    Parameters
    ----------
    model : Pipeline
        Tuned; it is fitted anew.
    X : pd.DataFrame [shape=(n_tracks, n_dimensions)]
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, rows as in `X`.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`, of the collections of which the others have all genres.
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
