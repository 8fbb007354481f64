"""Folds that leave out a collection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

Folds = Sequence[tuple[np.ndarray, np.ndarray]]
"""Pairs of positions: of the songs to train on, and of those to predict."""


def collection_folds(tracks: pd.DataFrame) -> Folds:
    """Leave out one collection at a time.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, or other songs with a ``genre`` and a ``collection``.

    Returns
    -------
    sequence of (np.ndarray, np.ndarray)
        Positions of the other songs and of those of the collection, for each collection whose genres the others have.
    """
    genres = tracks["genre"].to_numpy()
    folds = []
    for _, out in sorted(tracks.groupby("collection").indices.items()):
        learn = np.setdiff1d(np.arange(len(tracks)), out)
        if set(genres[out]) <= set(genres[learn]):
            folds.append((learn, out))
    return folds


def describe_collection(songs: pd.DataFrame) -> str:
    """Name the test on a collection that was left out.

    Parameters
    ----------
    songs : pd.DataFrame
        Songs of the collection.

    Returns
    -------
    str
        Such as ``leave-one-collection-out: gtzan``.
    """
    return f"leave-one-collection-out: {songs['collection'].iloc[0]}"
