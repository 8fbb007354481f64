"""Statistical significance of differences in accuracy between models."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from songgenre.evaluation.intervals import BOOTSTRAP_SAMPLES, bootstrap_accuracy, confidence_interval


def paired_difference(
    correct_a: pd.Series,
    correct_b: pd.Series,
    artist_groups: pd.Series,
    seed: int,
    samples: int = BOOTSTRAP_SAMPLES,
) -> tuple[float, float]:
    """Compute the 95 % interval of the difference in accuracy between two models on the same songs.

    A bootstrap cannot draw what it has not seen: if the models agree on every song, so they do in every resample. In
    this case the interval has as margin Wilson's upper bound for a share that was 0 among as many trials as there are
    artists (`wilson1927probable` in docs/references.bib).

    Parameters
    ----------
    correct_a, correct_b : pd.Series [shape=(n_tracks,), dtype=bool]
        Whether each model predicted each song correctly, in the same order.
    artist_groups : pd.Series [shape=(n_tracks,)]
        Artist of each song, in the same order.
    seed, samples : int
        Seed and number of resamples of the bootstrap over artists.

    Returns
    -------
    low, high : float
        Bounds of the accuracy of the first model minus that of the second, -1 to 1.

    Examples
    --------
    >>> correct = pd.Series([True, False, True, True])
    >>> low, high = paired_difference(correct, correct, pd.Series([1, 1, 2, 3]), seed=0)
    >>> round(low, 2), round(high, 2)
    (-0.56, 0.56)
    """
    difference = correct_a.astype(int).to_numpy() - correct_b.astype(int).to_numpy()
    resampled = bootstrap_accuracy(pd.Series(difference), artist_groups, seed, samples)
    low, high = confidence_interval(resampled)
    if low < high:
        return low, high
    margin = float(binomtest(0, artist_groups.nunique()).proportion_ci(method="wilson").high)
    return max(low - margin, -1.0), min(high + margin, 1.0)


def mcnemar(correct_a: pd.Series, correct_b: pd.Series) -> float:
    """Compute the p-value of McNemar's exact test on two models' predictions of the same songs.

    See `mcnemar1947note` in docs/references.bib.

    Parameters
    ----------
    correct_a, correct_b : pd.Series [shape=(n_tracks,), dtype=bool]
        Whether each model predicted each song correctly, in the same order.

    Returns
    -------
    float
        Two-sided p-value; 1 if the models never differ.
    """
    only_one, only_other = int((correct_a & ~correct_b).sum()), int((correct_b & ~correct_a).sum())
    if only_one + only_other == 0:
        return 1.0
    return float(binomtest(only_one, only_one + only_other).pvalue)


def holm(p_values: pd.Series) -> pd.Series:
    """Correct p-values for the number of comparisons with Holm's method.

    See `holm1979simple` in docs/references.bib.

    Parameters
    ----------
    p_values : pd.Series
        A p-value per comparison.

    Returns
    -------
    pd.Series
        Corrected p-values, in the order of `p_values`.
    """
    ascending = p_values.sort_values(kind="stable")
    corrected = (ascending * np.arange(len(ascending), 0, -1)).cummax().clip(upper=1)
    return corrected[p_values.index]


def format_p(p: float) -> str:
    """Format a p-value, which is never 0.

    Parameters
    ----------
    p : float
        A p-value.

    Returns
    -------
    str
        Three decimals, or that it is smaller.

    Examples
    --------
    >>> format_p(0.0312), format_p(0.0004)
    ('0.031', '< 0.001')
    """
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def compare_with(
    best: str, predictions: pd.DataFrame, tracks: pd.DataFrame, seed: int, samples: int = BOOTSTRAP_SAMPLES
) -> pd.DataFrame:
    """Compare one model with every other on the same songs.

    Parameters
    ----------
    best : str
        Name of the model to compare with the others.
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, which holds the artists.
    seed, samples : int
        Seed and number of resamples of the bootstrap over artists.

    Returns
    -------
    pd.DataFrame
        A row per other model: ``difference`` in accuracy, its 95 % interval ``ci95_low`` to ``ci95_high``, and ``p`` of
        `mcnemar`, corrected by `holm`.
    """
    right = (
        (predictions["genre"] == predictions["predicted"])
        .groupby([predictions["track_id"], predictions["model"]])
        .first()
        .unstack()
    )
    artists = tracks.set_index("track_id")["artist_group"][right.index]
    others = [model for model in predictions["model"].unique() if model != best]
    table = pd.DataFrame(
        {other: paired_difference(right[best], right[other], artists, seed, samples) for other in others},
        index=["ci95_low", "ci95_high"],
    ).T
    table.insert(0, "difference", right[best].mean() - right[others].mean())
    table["p"] = holm(pd.Series({other: mcnemar(right[best], right[other]) for other in others}))
    return table.rename_axis(f"{best.replace('_', ' ')} against")
