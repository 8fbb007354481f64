"""Late fusion: the mean of the probabilities of several models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from songgenre.evaluation.metrics import (
    genre_names,
    genre_probabilities,
    tabulate_predictions,
)

ENSEMBLE = "ensemble"


def average_members(predictions: pd.DataFrame, members: Sequence[str]) -> pd.DataFrame:
    """Average the probabilities of several models (late fusion).

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`.
    members : sequence of str
        Names of models; the songs that all of them predicted are averaged.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of the model `ENSEMBLE`.
    """
    tables = [predictions[predictions["model"] == member].sort_values("track_id") for member in members]
    common = set.intersection(*(set(table["track_id"]) for table in tables))
    tables = [table[table["track_id"].isin(common)] for table in tables]
    songs, genres = tables[0][["track_id", "genre"]], genre_names(predictions)
    mean = np.mean([genre_probabilities(table) for table in tables], axis=0)
    return tabulate_predictions(ENSEMBLE, songs, pd.DataFrame(mean, columns=genres))
