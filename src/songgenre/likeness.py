"""How alike songs are: the angle between what is known of them."""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-4
"""A number whose standard deviation is less than this is always the same, but for how it was rounded."""


def standardised(X: np.ndarray, corpus: np.ndarray) -> np.ndarray:
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


def similarities(corpus: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Cosine of the angle between a song and each of a corpus, all standardised as the corpus is.

    Parameters
    ----------
    corpus : np.ndarray [shape=(n_tracks, n_numbers)]
    heard : np.ndarray [shape=(n_numbers,)] or [shape=(n_songs, n_numbers)]

    Returns
    -------
    np.ndarray [shape=(n_tracks,)] or [shape=(n_songs, n_tracks)]
        -1 to 1.
    """
    return np.asarray(_directions(standardised(heard, corpus)) @ _directions(standardised(corpus, corpus)).T)


def _directions(X: np.ndarray) -> np.ndarray:
    return np.asarray(X / np.maximum(np.linalg.norm(X, axis=-1, keepdims=True), np.finfo(float).tiny))
