"""Time of the fits and predictions of 05 and 07, extrapolated from measurements on this machine."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import joblib
import numpy as np
import pandas as pd
from sklearn.model_selection import ParameterGrid
from threadpoolctl import threadpool_limits

from songgenre.evaluation.metrics import BASELINE
from songgenre.features.descriptors import columns
from songgenre.models import embeddings
from songgenre.models.classical import HALVING_FACTOR, is_halved
from songgenre.models.diagnostics import TRAIN_SHARES, descriptor_of
from songgenre.models.pipelines import CALIBRATION_FOLDS, build_pipeline, without_calibration
from songgenre.params import Features, Params, Sklearn, Transfer
from songgenre.paths import Project
from songgenre.progress import progress_bar
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

T = TypeVar("T")

FIT_SONGS, FIT_SONGS_PER_GENRE = (300, 900), (6, 18)
"""Fewest songs, and songs of each genre, of the two fits that are measured; time is a power of the number of songs."""
N_GENRES_ASSUMED = 8
N_CURVES = 3
"""Number of models whose learning curves 05 shows."""
SHOWN, N_SHOWN = "svm", 4
"""Model, and number of values, of the grid search that 05 shows step by step."""


class Fit(NamedTuple):
    """Time in s of one core to fit a model, in three parts, and to predict as many songs, in two.

    Parameters
    ----------
    steps_s : float
        Time of the steps before the classifier, which nested cross-validation fits once for all candidates of a grid.
    classifier_s : float
        Time of the classifier.
    calibration_s : float
        Time of its calibration, which only the fits with the best parameters have.
    transform_s : float
        Time of the steps before the classifier, in a prediction.
    prediction_s : float
        Time of the classifier, in a prediction.
    """

    steps_s: float
    classifier_s: float
    calibration_s: float = 0.0
    transform_s: float = 0.0
    prediction_s: float = 0.0


FitOfSongs = Callable[[float], Fit]
"""Function from a number of songs to the time of a fit."""


def sklearn_seconds(params: Params, sample: pd.DataFrame, n_songs: int, n_workers: int) -> float:
    """Estimate the time of the fits and predictions of 05.

    Two fits of each model are measured. Learning curves, permutation importance and protocols are those of models of
    mean time, without the baseline.

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
    test_fraction = params.wrangling.test_fraction
    n_training, n_test = n_songs * (1 - test_fraction), n_songs * test_fraction
    n_diagnosed = min(n_songs, config.nested_max_songs)
    n_shuffles = config.permutation_repeats * descriptor_of(sample.columns.drop("genre")).nunique()
    n_genres = sample["genre"].nunique()
    names = sorted(set(config.grids) - set(config.left_out(round(n_training), n_genres)))
    n_diagnosable = len(set(names) - {BASELINE})
    fits = {
        name: partial(_predict_fit, _measure_fits(name, sample, config))
        for name in progress_bar(sorted({*names, SHOWN}), "fits of models", len({*names, SHOWN}))
    }
    n_seen = n_diagnosed * (1 - test_fraction)
    seconds = _exhaustive_seconds(config.folds, N_SHOWN, fits[SHOWN], n_seen) / joblib.cpu_count()
    for name in names:
        fit = fits[name]
        n_candidates = len(ParameterGrid(config.grids[name]))
        tuned = fit(n_training)
        seconds += _search_seconds(config, n_candidates, fit, n_training, n_genres) / n_workers
        seconds += _calibrated_s(tuned, n_test / n_training)
        seconds += _nested_seconds(config, n_candidates, fit, n_songs) / n_workers
        if name != BASELINE:
            importance = n_shuffles * _predicted_s(tuned, n_diagnosed * test_fraction / n_training)
            curves = _diagnosis_seconds(config.folds, fit, n_diagnosed)
            seconds += (importance / joblib.cpu_count() + curves / n_workers) / n_diagnosable
    return seconds


def transfer_seconds(params: Params, n_songs: int, n_workers: int) -> float:
    """Estimate the time of tuning and nested cross-validation of the linear model on embeddings.

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
    measured = _measure_fits("lda", _generate_songs(embeddings.columns()), config)
    n_training = n_songs * (1 - params.wrangling.test_fraction)

    def fit(n: float) -> Fit:
        """Predict the seconds of a fit, which grow with the songs alone if these are more than the dimensions."""
        growth = max(1, n / n_dimensions)
        return Fit(*(growth * part for part in _predict_fit(measured, min(n, n_dimensions))))

    n_candidates = len(config.shrinkage)
    seconds = _exhaustive_seconds(config.folds, n_candidates, fit, n_training) / n_workers
    seconds += _calibrated_s(fit(n_training), (n_songs - n_training) / n_training)
    return seconds + _nested_seconds(config, n_candidates, fit, n_songs) / n_workers


def _search_seconds(config: Sklearn, n_candidates: int, fit: FitOfSongs, n_songs: float, n_genres: int) -> float:
    """Predict the seconds of a grid search on one core; successive halving tries few candidates on all songs."""
    if not is_halved(n_candidates, round(n_songs), n_genres, config.folds, config.halving_min_songs):
        return _exhaustive_seconds(config.folds, n_candidates, fit, n_songs)
    n_finalists = -(-n_candidates // HALVING_FACTOR)
    first = _exhaustive_seconds(config.folds, n_candidates, fit, n_songs / HALVING_FACTOR)
    return first + _exhaustive_seconds(config.folds, n_finalists, fit, n_songs)


def _exhaustive_seconds(folds: int, n_candidates: int, fit: FitOfSongs, n_songs: float) -> float:
    return folds * n_candidates * _scored_s(fit(_learned(folds, n_songs)), _left_out(folds))


def _nested_seconds(config: Sklearn | Transfer, n_candidates: int, fit: FitOfSongs, n_songs: int) -> float:
    """Predict the seconds of nested cross-validation on one core; it tries every candidate on all songs of a fold."""
    if n_songs > config.nested_max_songs:
        return 0.0
    n_outer = _learned(config.folds, n_songs)
    inner = fit(_learned(config.folds, n_outer))
    ratio = _left_out(config.folds)
    searched = config.folds * (inner.steps_s + n_candidates * _scored_s(inner._replace(steps_s=0.0), ratio))
    return config.repeats * config.folds * (searched + _calibrated_s(fit(n_outer), ratio))


def _diagnosis_seconds(folds: int, fit: FitOfSongs, n_songs: float) -> float:
    """Predict the seconds of `N_CURVES` learning curves and of two protocols on one core."""
    n_learned = _learned(folds, n_songs)
    curve = sum(_scored_s(fit(share * n_learned), _left_out(folds) / share) for share in TRAIN_SHARES)
    return folds * (N_CURVES * curve + 2 * _scored_s(fit(n_learned), _left_out(folds)))


def _learned(folds: int, n_songs: float) -> float:
    return n_songs * (folds - 1) / folds


def _left_out(folds: int) -> float:
    """Return the ratio of the songs of a fold to those of the other folds."""
    return 1 / (folds - 1)


def _scored_s(fit: Fit, ratio: float) -> float:
    """Return the seconds of a fit without calibration, and of predicting songs in a ratio to those of the fit."""
    return fit.steps_s + fit.classifier_s + _predicted_s(fit, ratio)


def _calibrated_s(fit: Fit, ratio: float) -> float:
    """Return the seconds of a fit with calibration, and of predicting songs in a ratio to those of the fit."""
    return _scored_s(fit, ratio) + fit.calibration_s


def _predicted_s(fit: Fit, ratio: float) -> float:
    """Return the seconds of predicting songs in a ratio to those of the fit."""
    return ratio * (fit.transform_s + fit.prediction_s)


def _measure_fits(name: str, sample: pd.DataFrame, config: Sklearn | Transfer) -> list[tuple[int, Fit]]:
    """Measure two fits of a model on one core: their numbers of songs and their seconds."""
    n_genres = sample["genre"].nunique()
    numbers = [max(least, each * n_genres) for least, each in zip(FIT_SONGS, FIT_SONGS_PER_GENRE, strict=True)]
    return [(n, _measure_fit(name, sample, n, config)) for n in numbers]


def _draw_songs(sample: pd.DataFrame, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw songs at random, but enough of each genre for a calibration; repeated draws get noise of 10 %."""
    rng = np.random.default_rng(seed)
    fewest = sample.groupby("genre").sample(CALIBRATION_FOLDS, replace=True, random_state=rng)
    drawn = pd.concat([fewest, sample.sample(n - len(fewest), replace=True, random_state=rng)])
    X, is_repeated = drawn.drop(columns="genre").to_numpy(float, copy=True), drawn.index.duplicated()
    X[is_repeated] *= 1 + 0.1 * rng.standard_normal((is_repeated.sum(), X.shape[1]))
    return X, drawn["genre"].to_numpy()


def _measure_fit(name: str, sample: pd.DataFrame, n: int, config: Sklearn | Transfer) -> Fit:
    X, y = _draw_songs(sample, n, config.seed)
    pipeline = build_pipeline(name, config.seed, config.class_weight, sample["genre"].nunique())
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        searched = without_calibration(pipeline)
        prepared, steps_s = _timed(searched[:-1].fit_transform, X, y) if len(searched) > 1 else (X, 0.0)
        _, classifier_s = _timed(searched[-1].fit, prepared, y)
        is_calibrated = type(pipeline[-1]) is not type(searched[-1])
        calibrated_s = _timed(pipeline[-1].fit, prepared, y)[1] if is_calibrated else classifier_s
        prepared, transform_s = _timed(searched[:-1].transform, X) if len(searched) > 1 else (X, 0.0)
        _, prediction_s = _timed(searched[-1].predict, prepared)
        return Fit(steps_s, classifier_s, max(0.0, calibrated_s - classifier_s), transform_s, prediction_s)


def _timed(fit: Callable[..., T], *inputs: np.ndarray) -> tuple[T, float]:
    start = time.perf_counter()
    result = fit(*inputs)
    return result, time.perf_counter() - start


def _predict_fit(measured: Sequence[tuple[int, Fit]], n_songs: float) -> Fit:
    """Extrapolate a fit: its times grow with a power of the number of songs, and at least as fast as it."""
    (few, fit_of_few), (many, fit_of_many) = measured

    def extrapolate(less: float, more: float) -> float:
        power = max(1.0, float(np.log(more / less) / np.log(many / few))) if 0 < less < more else 1.0
        return float(more * (n_songs / many) ** power)

    return Fit(*map(extrapolate, fit_of_few, fit_of_many))


def sample_descriptors(project: Project, features: Features) -> pd.DataFrame:
    """Read the descriptors of the project with the genres; without those of two genres, generate some.

    Parameters
    ----------
    project : Project
        Project that may have descriptors, perhaps of other songs than it has now.
    features : Features
        Section ``features`` of ``params.yaml``, which names the descriptors.

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
    return _generate_songs(columns(features.feature_set, features.n_mfcc))


def _generate_songs(names: list[str]) -> pd.DataFrame:
    """Generate random columns around a centre for each genre."""
    rng = np.random.default_rng(0)
    genres = np.arange(FIT_SONGS[0]) % N_GENRES_ASSUMED
    centers = rng.standard_normal((N_GENRES_ASSUMED, len(names)))
    X = centers[genres] + 3 * rng.standard_normal((len(genres), len(names)))
    return pd.DataFrame(X, columns=names).assign(genre=genres.astype(str))
