"""Confidence intervals of scores, by a bootstrap over artists."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest

BOOTSTRAP_SAMPLES = 2000


def bootstrap_accuracy(
    correct: pd.Series, artist_groups: pd.Series, seed: int, samples: int = BOOTSTRAP_SAMPLES
) -> np.ndarray:
    """Compute accuracies of resamples that draw whole artists with replacement.

    Songs of one artist resemble each other, so a bootstrap over songs would make the interval too narrow.

    Parameters
    ----------
    correct : pd.Series [shape=(n_tracks,), dtype=bool]
        Whether the prediction of each song is correct.
    artist_groups : pd.Series [shape=(n_tracks,)]
        Artist of each song, in the order of `correct`.
    seed : int
        Seed of the random draws.
    samples : int
        Number of resamples.

    Returns
    -------
    np.ndarray [shape=(samples,)]
        Accuracy in each resample, 0 to 1.

    Examples
    --------
    Three of four artists have all their songs predicted correctly. The interval is wide, since there are few artists:

    >>> artists = pd.Series([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
    >>> accuracies = bootstrap_accuracy(artists < 4, artists, seed=0)
    >>> accuracies.shape
    (2000,)
    >>> bool(abs(accuracies.mean() - 0.75) < 0.02)
    True
    >>> confidence_interval(accuracies)
    (0.25, 1.0)
    """
    return bootstrap_ratio(correct, pd.Series(1, correct.index), artist_groups, seed, samples)


def bootstrap_ratio(
    numerators: pd.Series,
    denominators: pd.Series,
    artist_groups: pd.Series,
    seed: int,
    samples: int = BOOTSTRAP_SAMPLES,
) -> np.ndarray:
    """Compute the ratio of two sums over songs in resamples that draw whole artists with replacement.

    Parameters
    ----------
    numerators, denominators : pd.Series [shape=(n_tracks,)]
        Terms of the sums.
    artist_groups : pd.Series [shape=(n_tracks,)]
        Artist of each song, in the same order.
    seed, samples : int
        Seed and number of resamples.

    Returns
    -------
    np.ndarray [shape=(samples,)]
        Ratio in each resample.
    """
    terms = pd.DataFrame({"numerator": numerators.to_numpy(), "denominator": denominators.to_numpy()})
    by_artist = terms.groupby(artist_groups.to_numpy()).sum()
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(by_artist), size=(samples, len(by_artist)))
    numerator, denominator = by_artist.to_numpy().T
    return numerator[draws].sum(axis=1) / denominator[draws].sum(axis=1)


def confidence_interval(resampled: np.ndarray) -> tuple[float, float]:
    """Compute the 95 % percentile interval of a bootstrap.

    Parameters
    ----------
    resampled : np.ndarray [shape=(samples,)]
        A statistic in every resample, such as `bootstrap_accuracy` returns.

    Returns
    -------
    low, high : float
        The 2.5th and the 97.5th percentile.
    """
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(low), float(high)


def accuracy_interval(
    correct: pd.Series, artist_groups: pd.Series, seed: int, samples: int = BOOTSTRAP_SAMPLES
) -> tuple[float, float]:
    """Compute the 95 % interval of an accuracy, see `ratio_interval`.

    Parameters
    ----------
    correct : pd.Series [shape=(n_tracks,), dtype=bool]
        Whether the prediction of each song is correct.
    artist_groups : pd.Series [shape=(n_tracks,)]
        Artist of each song, in the order of `correct`.
    seed, samples : int
        Seed and number of resamples of the bootstrap.

    Returns
    -------
    low, high : float
        Interval, 0 to 1.

    Examples
    --------
    >>> low, high = accuracy_interval(pd.Series([True, True, True, True]), pd.Series([1, 1, 2, 3]), seed=0)
    >>> round(low, 2), high
    (0.44, 1.0)
    """
    return ratio_interval(correct, pd.Series(1, correct.index), artist_groups, seed, samples)


def ratio_interval(
    numerators: pd.Series,
    denominators: pd.Series,
    artist_groups: pd.Series,
    seed: int,
    samples: int = BOOTSTRAP_SAMPLES,
) -> tuple[float, float]:
    """Compute the 95 % interval of the ratio of two sums over songs, from 0 to 1.

    A bootstrap cannot draw what it has not seen: if every song is correct, so is every resample, and the interval has
    no width. In this case the interval is Wilson's score interval of as many trials as there are artists
    (`wilson1927probable` in docs/references.bib).

    Parameters
    ----------
    numerators, denominators : pd.Series [shape=(n_tracks,)]
        Terms of the sums.
    artist_groups : pd.Series [shape=(n_tracks,)]
        Artist of each song, in the same order.
    seed, samples : int
        Seed and number of resamples of the bootstrap.

    Returns
    -------
    low, high : float
        Interval of the bootstrap over artists, or of Wilson if that has no width.
    """
    low, high = confidence_interval(bootstrap_ratio(numerators, denominators, artist_groups, seed, samples))
    if low < high:
        return low, high
    n_artists = artist_groups.nunique()
    n_successes = round(numerators.sum() / denominators.sum() * n_artists)
    wilson = binomtest(n_successes, n_artists).proportion_ci(method="wilson")
    return float(wilson.low), float(wilson.high)
