"""Diagnostics of a tuned classifier: learning curve, permutation importance, and accuracy by evaluation protocol."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from songgenre.compute import joblib_backend
from songgenre.errors import UserError
from songgenre.evaluation.folds import collection_folds, describe_collection
from songgenre.models.pipelines import without_calibration
from songgenre.params import LOCAL, Compute

TRAIN_SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of each genre's training songs at the points of a learning curve."""

MIN_SONGS_PER_GENRE = 5
"""Fewest training songs of a genre, if it has so many; with fewer, some models cannot be fitted."""

_ROW_AND_STATISTIC = r"(_\d\d)?_(mean|std|skew|kurtosis|median|min|max|mean_abs_delta|\d+bpm)$"


def sample_artists(tracks: pd.DataFrame, max_songs: int, folds: int, seed: int) -> pd.Series:
    """Select the songs of random artists, as many as the diagnostics can use.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    max_songs : int
        Largest number of songs.
    folds : int
        Number of folds of the diagnostics.
    seed : int
        Seed of the selection.

    Returns
    -------
    pd.Series [shape=(n_tracks,), dtype=bool]
        All songs if they are not more than `max_songs`. Otherwise the songs of as many artists as fit, without genres
        of which these are fewer than `folds` artists, or fewer than `MIN_SONGS_PER_GENRE` songs for each fold.

    Raises
    ------
    UserError
        If fewer than two genres remain.
    """
    artists, genres = tracks["artist_group"], tracks["genre"]
    if len(tracks) <= max_songs:
        return pd.Series(True, tracks.index)
    drawn = artists.isin(_draw(artists.value_counts().sort_index().sample(frac=1, random_state=seed), max_songs))
    counts = tracks[drawn].groupby("genre")["artist_group"].agg(["size", "nunique"])
    enough = (counts["nunique"] >= folds) & (counts["size"] >= folds * MIN_SONGS_PER_GENRE)
    if enough.sum() < 2:
        raise UserError(
            f"params.yaml: sklearn.nested_max_songs: {max_songs} songs are too few for {folds} folds of "
            f"{genres.nunique()} genres. Raise it."
        )
    return drawn & genres.isin(counts.index[enough])


def _draw(sizes: pd.Series, max_songs: int) -> list[str]:
    """List artists in their order, without those that would make the songs too many."""
    drawn, total = [], 0
    for artist, size in sizes.items():
        if total + size <= max_songs:
            drawn.append(str(artist))
            total += size
    return drawn


def learning_curve(
    model: Pipeline,
    X: pd.DataFrame,
    y: pd.Series,
    artist_groups: pd.Series,
    folds: int,
    seed: int,
    compute: Compute = LOCAL,
) -> pd.DataFrame:
    """Compute the accuracy on other artists as a function of the number of training songs.

    Each smaller training set is part of the larger ones.

    Parameters
    ----------
    model : Pipeline
        Tuned model; a copy is fitted.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Descriptors.
    y, artist_groups : pd.Series [shape=(n_tracks,)]
        Genre and artist of each song.
    folds, seed : int
        Number of folds, and seed of the folds and of the training sets.
    compute : Compute
        Section ``compute`` of ``params.yaml``: local processes or a Dask cluster.

    Returns
    -------
    pd.DataFrame
        A row per fold and training set: its number of ``songs``, and the ``accuracy``.
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
    model = without_calibration(model)
    with _fits_of_few_songs(compute):
        accuracy = cross_val_score(model, X, y.to_numpy(), cv=growing, n_jobs=-1, error_score="raise")
    return pd.DataFrame({"songs": [len(learn) for learn, _ in growing], "accuracy": accuracy})


def descriptor_of(columns: pd.Index) -> pd.Index:
    """Return the descriptor that each column summarizes.

    Parameters
    ----------
    columns : pd.Index
        Names of columns, such as ``mfcc_03_std``.

    Returns
    -------
    pd.Index
        Names of descriptors, such as ``mfcc``.

    Examples
    --------
    >>> list(descriptor_of(pd.Index(["mfcc_03_std", "zero_crossing_rate_mean"])))
    ['mfcc', 'zero_crossing_rate']
    """
    return columns.str.replace(_ROW_AND_STATISTIC, "", regex=True)


def grouped_permutation_importance(
    model: Pipeline, X: pd.DataFrame, y: pd.Series, repeats: int, seed: int
) -> pd.DataFrame:
    """Compute the loss of accuracy after each descriptor is shuffled between songs (Breiman, `breiman2001random`).

    All columns of a descriptor are shuffled together, since a column that keeps its values could replace the others.

    Parameters
    ----------
    model : Pipeline
        Fitted model.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Descriptors of songs that the model was not fitted to.
    y : pd.Series [shape=(n_tracks,)]
        Genres.
    repeats, seed : int
        Number and seed of the permutations.

    Returns
    -------
    pd.DataFrame
        A row per ``descriptor`` and repeat, with the ``loss`` of accuracy; the largest mean loss first.
    """
    rng = np.random.default_rng(seed)
    names = descriptor_of(X.columns)
    shuffles = [(name, rng.permutation(len(X))) for name in names.unique() for _ in range(repeats)]
    with threadpool_limits(1):
        before = accuracy_score(y, model.predict(X))
        exchanged = (_exchange(X, names == name, order) for name, order in shuffles)
        predicted = Parallel(n_jobs=-1, prefer="threads")(delayed(model.predict)(each) for each in exchanged)
    losses = [before - accuracy_score(y, genres) for genres in predicted]
    table = pd.DataFrame({"descriptor": [name for name, _ in shuffles], "loss": losses})
    order = table.groupby("descriptor")["loss"].mean().sort_values(ascending=False, kind="stable").index
    return table.set_index("descriptor").loc[order].reset_index()


def _exchange(X: pd.DataFrame, columns: np.ndarray, order: np.ndarray) -> pd.DataFrame:
    """Copy a table with some columns in another order of the rows."""
    exchanged = X.copy()
    exchanged.loc[:, columns] = X.loc[:, columns].to_numpy()[order]
    return exchanged


def evaluation_protocols(
    model: Pipeline, X: pd.DataFrame, tracks: pd.DataFrame, folds: int, seed: int, compute: Compute = LOCAL
) -> pd.DataFrame:
    """Compute the accuracy of a model by artist-grouped folds, by random folds, and on collections that were left out.

    Accuracy by random folds is too high, since test artists are also training artists. Accuracy on a collection that
    was left out shows how much the model depends on properties of the recordings.

    Parameters
    ----------
    model : Pipeline
        Tuned model; copies are fitted.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Descriptors.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, rows as in `X`.
    folds, seed : int
        Number and seed of the folds.
    compute : Compute
        Section ``compute`` of ``params.yaml``: local processes or a Dask cluster.

    Returns
    -------
    pd.DataFrame
        A row per ``test``, with the number of ``songs`` and the ``accuracy``. A collection is left out only if the
        others have all of its genres.
    """
    y, model = tracks["genre"], without_calibration(model)
    by_artist = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    ways = {
        "artist-grouped CV": list(by_artist.split(X, y, tracks["artist_group"])),
        "random CV": StratifiedKFold(folds, shuffle=True, random_state=seed),
    }
    rows = []
    for name, cv in ways.items():
        with _fits_of_few_songs(compute):
            predicted = cross_val_predict(model, X, y.to_numpy(), cv=cv, n_jobs=-1)
        rows.append((name, len(y), accuracy_score(y, predicted)))
    for learn, out in collection_folds(tracks):
        with threadpool_limits(1):
            predicted = clone(model).fit(X.iloc[learn], y.iloc[learn].to_numpy()).predict(X.iloc[out])
        rows.append((describe_collection(tracks.iloc[out]), len(out), accuracy_score(y.iloc[out], predicted)))
    return pd.DataFrame(rows, columns=["test", "songs", "accuracy"])


@contextmanager
def _fits_of_few_songs(compute: Compute) -> Iterator[None]:
    """Fit in parallel, without a warning that Nystroem uses all songs if they are few."""
    with joblib_backend(compute), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_components > n_samples")
        yield
