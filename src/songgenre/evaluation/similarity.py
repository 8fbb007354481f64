"""Similarity of songs by features, and its evaluation: do similar songs share a genre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics.pairwise import cosine_similarity

from songgenre.errors import UserError

ROUNDING = 1e-4
"""Features with a smaller standard deviation are constant up to rounding."""


def standardize(X: np.ndarray, corpus: np.ndarray) -> np.ndarray:
    """Standardize features by their mean and standard deviation in a corpus.

    Parameters
    ----------
    X : np.ndarray [shape=(..., n_features)]
        Features to standardize.
    corpus : np.ndarray [shape=(n_tracks, n_features)]
        Features of the corpus.

    Returns
    -------
    np.ndarray [shape=(..., n_features), dtype=float64]
        Standardized features; 0 for those that are constant in the corpus.
    """
    corpus = corpus.astype(float)
    mean, spread = corpus.mean(axis=0), corpus.std(axis=0)
    spread[spread < ROUNDING] = np.inf
    return np.asarray((X - mean) / spread)


def cosine_similarities(corpus: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """Compute the cosine similarity of songs to each song of a corpus, all standardized by the corpus.

    Parameters
    ----------
    corpus : np.ndarray [shape=(n_tracks, n_features)]
        Features of the corpus.
    embedding : np.ndarray [shape=(n_features,)] or [shape=(n_songs, n_features)]
        Features of one song or of several.

    Returns
    -------
    np.ndarray [shape=(n_tracks,)] or [shape=(n_songs, n_tracks)]
        -1 to 1.
    """
    pairs = cosine_similarity(np.atleast_2d(standardize(embedding, corpus)), standardize(corpus, corpus))
    return np.asarray(pairs[0] if embedding.ndim == 1 else pairs)


def nearest_by_other_artists(embeddings: np.ndarray, artists: Sequence[str], n: int) -> np.ndarray:
    """Find the nearest songs by other artists, by `cosine_similarities`.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n_songs, n_features)]
        Features of the songs.
    artists : sequence of str
        Artist of each song.
    n : int
        Number of songs to find for each song.

    Returns
    -------
    np.ndarray [shape=(n_songs, n), dtype=int]
        Rows of `embeddings`, nearest first; -1 where there are no more songs by other artists.
    """
    names = np.asarray(artists)
    likeness = np.where(names[:, np.newaxis] == names, -np.inf, cosine_similarities(embeddings, embeddings))
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :n]
    return np.where(np.isinf(np.take_along_axis(likeness, nearest, axis=1)), -1, nearest)


def precision_at(n: int, features: pd.DataFrame, tracks: pd.DataFrame) -> float:
    """Compute precision at n: the mean share of a song's nearest songs by other artists that have its genre.

    Parameters
    ----------
    n : int
        Number of nearest songs.
    features : pd.DataFrame
        `songgenre.tables.embeddings.EMBEDDINGS` or `songgenre.tables.descriptors.DESCRIPTORS`, which are compared by
        `cosine_similarities`.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`; songs with the same ``artist_group`` are not compared.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    UserError
        If a song has fewer than `n` songs by other artists.

    Examples
    --------
    Four songs by four artists lie near another song of their genre; the fifth, a jazz song, lies among the rock songs:

    >>> tracks = pd.DataFrame({
    ...     "track_id": ["a", "b", "c", "d", "e"],
    ...     "genre": ["jazz", "jazz", "rock", "rock", "jazz"],
    ...     "artist_group": ["1", "2", "3", "4", "5"],
    ... })
    >>> features = pd.DataFrame({
    ...     "track_id": ["a", "b", "c", "d", "e"],
    ...     "x": [-3.0, -2.9, 2.0, 2.1, 2.2],
    ...     "y": [1.0, 1.1, -0.9, -0.9, -0.3],
    ... })
    >>> precision_at(1, features, tracks)
    0.8
    """
    _check_others(tracks, n)
    X = features.set_index("track_id").loc[tracks["track_id"]].to_numpy(float)
    order = nearest_by_other_artists(X, tracks["artist_group"].tolist(), n)
    genres = tracks["genre"].to_numpy()
    return float((genres[order] == genres[:, np.newaxis]).mean())


def chance_precision(tracks: pd.DataFrame) -> float:
    """Compute the expected `precision_at` if the songs by other artists came in random order.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    UserError
        If a song has no song by another artist.
    """
    _check_others(tracks, 1)
    artists, genres = tracks["artist_group"].to_numpy(), tracks["genre"].to_numpy()
    others = artists[:, np.newaxis] != artists
    same = (genres[:, np.newaxis] == genres) & others
    return float((same.sum(axis=1) / others.sum(axis=1)).mean())


class Retrieval(NamedTuple):
    """Precision at n of embeddings, descriptors and chance, 0 to 1.

    Parameters
    ----------
    embeddings, descriptors : float
        `precision_at` with the embeddings and with the descriptors.
    chance : float
        `chance_precision`.
    """

    embeddings: float
    descriptors: float
    chance: float


def measure_retrieval(
    embeddings: pd.DataFrame, descriptors: pd.DataFrame, tracks: pd.DataFrame, n: int
) -> Retrieval | None:
    """Compare embeddings with descriptors by `precision_at`.

    Parameters
    ----------
    embeddings : pd.DataFrame
        `songgenre.tables.embeddings.EMBEDDINGS`.
    descriptors : pd.DataFrame
        `songgenre.tables.descriptors.DESCRIPTORS`.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    n : int
        Number of nearest songs.

    Returns
    -------
    Retrieval or None
        None where a song has fewer than `n` songs by other artists.
    """
    if min_songs_by_others(tracks) < n:
        return None
    return Retrieval(
        precision_at(n, embeddings, tracks), precision_at(n, descriptors, tracks), chance_precision(tracks)
    )


def min_songs_by_others(tracks: pd.DataFrame) -> int:
    """Count the songs by other artists, for the song that has the fewest.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.

    Returns
    -------
    int
        The smallest number over all songs.
    """
    return int(len(tracks) - tracks["artist_group"].value_counts().max())


def _check_others(tracks: pd.DataFrame, n: int) -> None:
    fewest = min_songs_by_others(tracks)
    if fewest < n:
        raise UserError(
            f"tracks.parquet: every song needs {n} songs by other artists, but one has {fewest}. Add music."
        )
