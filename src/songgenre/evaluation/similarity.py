"""How alike songs are: the angle between what is known of them; and whether songs that are alike share a genre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics.pairwise import cosine_similarity

from songgenre.errors import UserError

ROUNDING = 1e-4
"""A number whose standard deviation is less than this is always the same, but for how it was rounded."""


def standardize(X: np.ndarray, corpus: np.ndarray) -> np.ndarray:
    """Numbers less their mean in a corpus, by their standard deviation there; 0 where they are always the same.

    Parameters
    ----------
    X : np.ndarray [shape=(..., n_numbers)]
    corpus : np.ndarray [shape=(n_tracks, n_numbers)]

    Returns
    -------
    np.ndarray [shape=(..., n_numbers), dtype=float64]
    """
    corpus = corpus.astype(float)
    mean, spread = corpus.mean(axis=0), corpus.std(axis=0)
    spread[spread < ROUNDING] = np.inf
    return np.asarray((X - mean) / spread)


def cosine_similarities(corpus: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """Cosine of the angle between a song and each of a corpus, all standardised as the corpus is.

    Parameters
    ----------
    corpus : np.ndarray [shape=(n_tracks, n_numbers)]
    embedding : np.ndarray [shape=(n_numbers,)] or [shape=(n_songs, n_numbers)]

    Returns
    -------
    np.ndarray [shape=(n_tracks,)] or [shape=(n_songs, n_tracks)]
        -1 to 1.
    """
    pairs = cosine_similarity(np.atleast_2d(standardize(embedding, corpus)), standardize(corpus, corpus))
    return np.asarray(pairs[0] if embedding.ndim == 1 else pairs)


def nearest_by_other_artists(embeddings: np.ndarray, artists: Sequence[str], n: int) -> np.ndarray:
    """The nearest songs by other artists.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n_songs, n_numbers)]
        How near they are, `cosine_similarities` says.
    artists : sequence of str
        Of each song.
    n : int

    Returns
    -------
    np.ndarray [shape=(n_songs, n), dtype=int]
        Rows of `embeddings`, the nearest first; -1 where there are no more other artists' songs.
    """
    names = np.asarray(artists)
    likeness = np.where(names[:, np.newaxis] == names, -np.inf, cosine_similarities(embeddings, embeddings))
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :n]
    return np.where(np.isinf(np.take_along_axis(likeness, nearest, axis=1)), -1, nearest)


def precision_at(n: int, features: pd.DataFrame, tracks: pd.DataFrame) -> float:
    """How many of the nearest songs by other artists are of the same genre, on average over all songs.

    Parameters
    ----------
    n : int
        How many nearest songs are looked at.
    features : pd.DataFrame
        `songgenre.tables.embeddings.EMBEDDINGS` or `songgenre.tables.descriptors.DESCRIPTORS`; nearness is that of
        `cosine_similarities`.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`; each song's ``artist_group`` is left out of what it is compared with.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    UserError
        If a song has fewer than `n` songs by other artists to be compared with.
    """
    _check_others(tracks, n)
    X = features.set_index("track_id").loc[tracks["track_id"]].to_numpy(float)
    order = nearest_by_other_artists(X, tracks["artist_group"].tolist(), n)
    genres = tracks["genre"].to_numpy()
    return float((genres[order] == genres[:, np.newaxis]).mean())


def chance_precision(tracks: pd.DataFrame) -> float:
    """What `precision_at` would be, on average, if the songs by other artists came in random order."""
    _check_others(tracks, 1)
    artists, genres = tracks["artist_group"].to_numpy(), tracks["genre"].to_numpy()
    others = artists[:, np.newaxis] != artists
    same = (genres[:, np.newaxis] == genres) & others
    return float((same.sum(axis=1) / others.sum(axis=1)).mean())


class Retrieval(NamedTuple):
    """Share of the nearest songs by other artists that have the genre of the song, 0 to 1.

    Parameters
    ----------
    embeddings, descriptors, chance : float
        Nearest by the embeddings, by the descriptors, and in random order.
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
    """How many songs by other artists every song of `songgenre.tables.tracks.TRACKS` has, at least."""
    return int(len(tracks) - tracks["artist_group"].value_counts().max())


def _check_others(tracks: pd.DataFrame, n: int) -> None:
    fewest = min_songs_by_others(tracks)
    if fewest < n:
        raise UserError(f"Expected at least {n} songs by other artists for every song, got {fewest}. Add music.")
