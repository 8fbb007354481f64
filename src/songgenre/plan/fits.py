"""Time of the fits of 05 and 07, extrapolated from fits on this machine."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from sklearn.model_selection import ParameterGrid
from threadpoolctl import threadpool_limits

from songgenre.models import embeddings
from songgenre.models.classical import HALVING_FACTOR
from songgenre.models.pipelines import build_pipeline
from songgenre.params import Params, Sklearn, Transfer
from songgenre.paths import Project
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

FIT_SONGS, FIT_SONGS_PER_GENRE = (300, 900), (6, 18)
"""Fewest songs, and songs of each genre, of the two fits that are measured; time is a power of the number of songs."""
N_COLUMNS_ASSUMED, N_GENRES_ASSUMED = 930, 8


def sklearn_seconds(params: Params, sample: pd.DataFrame, n_songs: int, n_workers: int) -> float:
    """Estimate the time of tuning and nested cross-validation of the scikit-learn models, from two fits of each.

    Parameters
    ----------
    params : Params
        Content of ``params.yaml``.
    sample : pd.DataFrame
        Descriptors of songs, and their ``genre``.
    n_songs, n_workers : int
        Number of songs, and of processes.

    Returns
    -------
    float
        Seconds.
    """
    config = params.sklearn
    n_training = n_songs * (1 - params.wrangling.test_fraction)
    seconds = 0.0
    for name in sorted(set(config.grids) - set(config.left_out(round(n_training)))):
        fit = partial(_predict_fit_seconds, _measure_fits(name, sample, config.seed))
        n_candidates = len(ParameterGrid(config.grids[name]))
        seconds += _search_seconds(config, n_candidates, fit, n_training) / n_workers + fit(n_training)
        seconds += _nested_seconds(config, n_candidates, fit, n_songs) / n_workers
    return seconds


def transfer_seconds(params: Params, n_songs: int, n_workers: int) -> float:
    """Estimate the time of tuning and nested cross-validation of the linear model on embeddings, from two fits.

    Parameters
    ----------
    params : Params
        Content of ``params.yaml``.
    n_songs, n_workers : int
        Number of songs, and of processes.

    Returns
    -------
    float
        Seconds.
    """
    config = params.transfer
    n_dimensions = len(embeddings.columns())
    measured = _measure_fits("lda", _generate_songs(n_dimensions), config.seed)
    n_training = n_songs * (1 - params.wrangling.test_fraction)

    def fit(n: float) -> float:
        """Predict the seconds of a fit, which grow with the songs alone if these are more than the dimensions."""
        return _predict_fit_seconds(measured, min(n, n_dimensions)) * max(1, n / n_dimensions)

    n_candidates = len(config.shrinkage)
    seconds = _exhaustive_seconds(config.folds, n_candidates, fit, n_training) / n_workers + fit(n_training)
    return seconds + _nested_seconds(config, n_candidates, fit, n_songs) / n_workers


def _search_seconds(config: Sklearn, n_candidates: int, fit: Callable[[float], float], n_songs: float) -> float:
    """Predict the seconds of a grid search on one core; successive halving tries few candidates on all songs."""
    if n_songs < config.halving_min_songs:
        return _exhaustive_seconds(config.folds, n_candidates, fit, n_songs)
    n_finalists = -(-n_candidates // HALVING_FACTOR)
    first = _exhaustive_seconds(config.folds, n_candidates, fit, n_songs / HALVING_FACTOR)
    return first + _exhaustive_seconds(config.folds, n_finalists, fit, n_songs)


def _exhaustive_seconds(folds: int, n_candidates: int, fit: Callable[[float], float], n_songs: float) -> float:
    return folds * n_candidates * fit(n_songs * (folds - 1) / folds)


def _nested_seconds(
    config: Sklearn | Transfer, n_candidates: int, fit: Callable[[float], float], n_songs: int
) -> float:
    """Predict the seconds of nested cross-validation on one core; it tries every candidate on all songs of a fold."""
    if n_songs > config.nested_max_songs:
        return 0.0
    n_outer = n_songs * (config.folds - 1) / config.folds
    searched = _exhaustive_seconds(config.folds, n_candidates, fit, n_outer)
    return config.repeats * config.folds * (searched + fit(n_outer))


def _measure_fits(name: str, sample: pd.DataFrame, seed: int) -> list[tuple[int, float]]:
    """Measure two fits of a model on one core: their numbers of songs and their seconds."""
    n_genres = sample["genre"].nunique()
    numbers = [max(least, each * n_genres) for least, each in zip(FIT_SONGS, FIT_SONGS_PER_GENRE, strict=True)]
    return [(n, _seconds_of_fit(name, sample, n, seed)) for n in numbers]


def _seconds_of_fit(name: str, sample: pd.DataFrame, n: int, seed: int) -> float:
    """Measure a fit on copies of the songs with a little noise, in turn of each genre."""
    rng = np.random.default_rng(seed)
    genres = sample["genre"].unique()
    rows = {genre: np.flatnonzero(sample["genre"] == genre) for genre in genres}
    drawn = sample.iloc[[rng.choice(rows[genres[at % len(genres)]]) for at in range(n)]]
    X = drawn.drop(columns="genre").to_numpy()
    X = X * (1 + 0.1 * rng.standard_normal(X.shape))
    pipeline = build_pipeline(name, seed, "none", len(genres))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        pipeline.fit(X, drawn["genre"].to_numpy())
        return time.perf_counter() - start


def _predict_fit_seconds(measured: Sequence[tuple[int, float]], n_songs: float) -> float:
    """Extrapolate the seconds of a fit: they grow with a power of the number of songs, and at least as fast as it."""
    (few, less), (many, more) = measured
    power = max(1.0, float(np.log(more / less) / np.log(many / few)))
    return float(more * (n_songs / many) ** power)


def sample_descriptors(project: Project) -> pd.DataFrame:
    """Read the descriptors of the project with the genres; without those of two genres, generate some.

    Parameters
    ----------
    project : Project
        Project that may have descriptors, perhaps of other songs than it has now.

    Returns
    -------
    pd.DataFrame
        A row per song: its descriptors and its ``genre``.
    """
    if project.descriptors.exists() and project.tracks.is_file():
        genres = read_table(TRACKS, project.tracks)[["track_id", "genre"]]
        sample = read_table(DESCRIPTORS, project.descriptors).merge(genres).drop(columns="track_id")
        if sample["genre"].nunique() > 1:
            return sample
    return _generate_songs(N_COLUMNS_ASSUMED)


def _generate_songs(n_columns: int) -> pd.DataFrame:
    """Generate random columns around a centre for each genre."""
    rng = np.random.default_rng(0)
    genres = np.arange(FIT_SONGS[0]) % N_GENRES_ASSUMED
    centers = rng.standard_normal((N_GENRES_ASSUMED, n_columns))
    X = centers[genres] + 3 * rng.standard_normal((len(genres), n_columns))
    return pd.DataFrame(X).assign(genre=genres.astype(str))
