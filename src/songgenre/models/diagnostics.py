"""What else to ask of a tuned classifier: how much more music would help, what it listens to, and what flatters it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from songgenre.compute import joblib_backend
from songgenre.params import LOCAL, Compute

TRAIN_SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the songs of each genre to learn from, in a learning curve."""

MIN_SONGS_PER_GENRE = 5
"""Songs of a genre in any part of a learning curve, if it has so many: with fewer, some models cannot be fitted."""

_ROW_AND_STATISTIC = r"(_\d\d)?_(mean|std|skew|kurtosis|median|min|max|mean_abs_delta|\d+bpm)$"


def learning_curve(
    model: Pipeline,
    X: pd.DataFrame,
    y: pd.Series,
    artist_groups: pd.Series,
    folds: int,
    seed: int,
    compute: Compute = LOCAL,
) -> pd.DataFrame:
    """Accuracy on other artists after learning from fewer or more songs, of each genre its share.

    The songs that are learned from at first are also in what is learned from later.

    Parameters
    ----------
    model : Pipeline
        Tuned; it is fitted anew.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
    y, artist_groups : pd.Series [shape=(n_tracks,)]
    folds, seed : int
    compute : Compute
        Where the work is done.

    Returns
    -------
    pd.DataFrame
        A row per fold and number of ``songs``, with the ``accuracy``.
    """
    y = y.reset_index(drop=True)
    cv = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = list(cv.split(X, y, artist_groups))
    songs = pd.DataFrame([y[learn].value_counts() for learn, _ in splits]).min()
    rng = np.random.default_rng(seed)
    growing = []
    for learn, test in splits:
        shuffled = y[rng.permutation(learn)]
        place = shuffled.groupby(shuffled).cumcount()
        for share in TRAIN_SHARES:
            taken = (share * songs).round().clip(lower=songs.clip(upper=MIN_SONGS_PER_GENRE))
            growing.append((shuffled.index[place < shuffled.map(taken)], test))
    with joblib_backend(compute):
        accuracy = cross_val_score(model, X, y.to_numpy(), cv=growing, n_jobs=-1, error_score="raise")
    return pd.DataFrame({"songs": [len(learn) for learn, _ in growing], "accuracy": accuracy})


def descriptor_of(columns: pd.Index) -> pd.Index:
    """The descriptor that each column sums up: ``mfcc`` for ``mfcc_03_std``."""
    return columns.str.replace(_ROW_AND_STATISTIC, "", regex=True)


def grouped_permutation_importance(
    model: Pipeline, X: pd.DataFrame, y: pd.Series, repeats: int, seed: int
) -> pd.DataFrame:
    """How much accuracy is lost when a descriptor tells of another song (permutation importance, Breiman 2001).

    All columns of a descriptor are exchanged between songs together, since one would give away the other.

    Parameters
    ----------
    model : Pipeline
        Fitted.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Of songs that it was not fitted to.
    y : pd.Series [shape=(n_tracks,)]
    repeats, seed : int

    Returns
    -------
    pd.DataFrame
        A row per repeat and ``descriptor``, with the ``loss`` of accuracy; the descriptor that matters most first.
    """
    rng = np.random.default_rng(seed)
    names = descriptor_of(X.columns)
    with threadpool_limits(1):
        before = accuracy_score(y, model.predict(X))
        rows = []
        for name in names.unique():
            for _ in range(repeats):
                exchanged = X.copy()
                exchanged.loc[:, names == name] = X.loc[:, names == name].to_numpy()[rng.permutation(len(X))]
                rows.append((name, before - accuracy_score(y, model.predict(exchanged))))
    table = pd.DataFrame(rows, columns=["descriptor", "loss"])
    order = table.groupby("descriptor")["loss"].mean().sort_values(ascending=False, kind="stable").index
    return table.set_index("descriptor").loc[order].reset_index()


def evaluation_protocols(
    model: Pipeline, X: pd.DataFrame, tracks: pd.DataFrame, folds: int, seed: int, compute: Compute = LOCAL
) -> pd.DataFrame:
    """The same model, tested on songs by other artists, on any songs, and on collections that it never heard.

    A score on any songs is too good: it holds what a model learned of the artists. One on another collection shows
    what it learned of the recordings.

    Parameters
    ----------
    model : Pipeline
        Tuned; it is fitted anew.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, rows as in `X`.
    folds, seed : int
    compute : Compute
        Where the work is done.

    Returns
    -------
    pd.DataFrame
        ``test``, ``songs`` and ``accuracy``; a collection is left out in turn if there are several and the others have
        all its genres.
    """
    y = tracks["genre"]
    by_artist = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    ways = {
        "artist-grouped CV": list(by_artist.split(X, y, tracks["artist_group"])),
        "random CV": StratifiedKFold(folds, shuffle=True, random_state=seed),
    }
    rows = []
    for name, cv in ways.items():
        with joblib_backend(compute):
            predicted = cross_val_predict(model, X, y.to_numpy(), cv=cv, n_jobs=-1)
        rows.append((name, len(y), accuracy_score(y, predicted)))
    for collection, left_out in tracks.groupby("collection"):
        out = tracks.index.isin(left_out.index)
        if set(y[out]) <= set(y[~out]):
            with threadpool_limits(1):
                predicted = clone(model).fit(X[~out], y[~out].to_numpy()).predict(X[out])
            rows.append((f"leave-one-collection-out: {collection}", int(out.sum()), accuracy_score(y[out], predicted)))
    return pd.DataFrame(rows, columns=["test", "songs", "accuracy"])
