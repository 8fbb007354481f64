"""Probabilities for a collection in which genres are more or less frequent than in training.

See `saerens2002adjusting` in docs/references.bib.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

from songgenre.evaluation.ensemble import ENSEMBLE
from songgenre.evaluation.metrics import (
    BASELINE,
    expected_calibration_error,
    genre_names,
    genre_probabilities,
    log_loss,
    tabulate_predictions,
)
from songgenre.params import Params
from songgenre.tables.tracks import training_size

TOLERANCE = 1e-6
"""Largest change of a prior probability at which the estimate has converged."""

MAX_ITERATIONS = 1000

SIGNIFICANCE = 0.05

UNWEIGHTED = {BASELINE, "k_nearest_neighbours"}
"""Models that have no weights of genres, see `songgenre.models.pipelines.build_pipeline`."""

EXPLANATION = """### Another mix of genres

Training and test songs differ in their mix of genres, or training counted genres instead of songs
(`class_weight: balanced`, `cnn.sampling.class_balance`). The table compares the probabilities with those that are
adjusted to the mix of the test songs, which is estimated from the predictions alone (Saerens et al. 2002). **shift** is
the distance between the mix of the training and the estimated one, 0 to 1. Adjust the predictions of a model only if
its adjusted log loss is lower: the estimate needs calibrated probabilities and many songs."""
"""Text of notebook 08 above the table, if the mix of genres has changed."""


def adjust_probabilities(probabilities: np.ndarray, priors: np.ndarray, new_priors: np.ndarray) -> np.ndarray:
    """Adjust probabilities to other prior probabilities by Bayes' theorem.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(n_tracks, n_genres)]
        Probability of each genre under `priors`.
    priors : np.ndarray [shape=(n_genres,)]
        Prior probabilities for which the model was trained, greater than 0.
    new_priors : np.ndarray [shape=(n_genres,)]
        Prior probabilities in the collection.

    Returns
    -------
    np.ndarray [shape=(n_tracks, n_genres)]
        Probability of each genre under `new_priors`.

    Examples
    --------
    A song that is as probably jazz as rock if both are equally frequent is rock where nine of ten songs are:

    >>> adjust_probabilities(np.array([[0.5, 0.5]]), np.array([0.5, 0.5]), np.array([0.1, 0.9])).round(3)
    array([[0.1, 0.9]])
    """
    weighted = probabilities * (new_priors / priors)
    adjusted: np.ndarray = weighted / weighted.sum(axis=1, keepdims=True)
    return adjusted


def estimate_priors(probabilities: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Estimate the prior probabilities of genres in a collection without labels, by expectation maximization.

    The estimate maximizes the likelihood of the songs if the probabilities are calibrated for `priors` and the songs of
    each genre are like those in training. It is poor for a few dozen songs.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(n_tracks, n_genres)]
        Probability of each genre under `priors`, for all songs of the collection.
    priors : np.ndarray [shape=(n_genres,)]
        Prior probabilities for which the model was trained, greater than 0.

    Returns
    -------
    np.ndarray [shape=(n_genres,)]
        Prior probabilities in the collection.
    """
    estimated = priors
    for _ in range(MAX_ITERATIONS):
        previous, estimated = estimated, adjust_probabilities(probabilities, priors, estimated).mean(axis=0)
        if np.abs(estimated - previous).max() < TOLERANCE:
            break
    return estimated


def training_priors(
    tracks: pd.DataFrame, balance: float, splits: Collection[str] = ("train", "validation")
) -> pd.Series:
    """Compute the prior probabilities of the genres for which a model was trained.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    balance : float
        0 if every song had the same weight in training, 1 if every genre had; values between interpolate.
    splits : collection of str
        Splits with the songs on which the model was trained.

    Returns
    -------
    pd.Series [index=genre]
        Prior probabilities, in alphabetical order of the genres. A genre without a song in `splits` counts as if it had
        one, because Bayes' theorem divides by its probability.
    """
    n_songs = tracks["split"].isin(splits).groupby(tracks["genre"]).sum().clip(lower=1)
    weights = n_songs ** (1 - balance)
    return weights / weights.sum()


def model_priors(model: str, tracks: pd.DataFrame, params: Params) -> pd.Series:
    """Compute the prior probabilities of the genres for which one of the project's models was trained.

    Parameters
    ----------
    model : str
        Name of the model.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    params : Params
        Parameters of the pipeline, which say what weights the genres had.

    Returns
    -------
    pd.Series [index=genre]
        See `training_priors`; of a model that averages others, the mean of these.
    """
    voters = params.sklearn.voters(*training_size(tracks))
    members = {ENSEMBLE: params.evaluation.ensemble, "soft_voting": voters}
    if model in members:
        return pd.concat([model_priors(member, tracks, params) for member in members[model]], axis=1).mean(axis=1)
    if model == "cnn":  # it is not trained on the validation songs
        return training_priors(tracks, params.cnn.sampling.class_balance, ["train"])
    section = params.transfer if model == "transfer" else params.sklearn
    return training_priors(tracks, float(section.class_weight == "balanced" and model not in UNWEIGHTED))


def mix_changes(tracks: pd.DataFrame, params: Params) -> bool:
    """Tell whether the mix of genres in the test songs is not that for which the models were trained.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    params : Params
        Parameters of the pipeline.

    Returns
    -------
    bool
        True if training counted genres instead of songs, or if the shares of the genres differ between training and
        test songs by more than chance (chi-squared test).
    """
    if "balanced" in (params.sklearn.class_weight, params.transfer.class_weight) or params.cnn.sampling.class_balance:
        return True
    counts = pd.crosstab(tracks["genre"], tracks["split"] == "test")
    return counts.shape[1] == 2 and bool(chi2_contingency(counts).pvalue < SIGNIFICANCE)


def compare_adjusted(predictions: pd.DataFrame, tracks: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Compare the probabilities of models on the test songs before and after the adjustment to their mix of genres.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of several models.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    params : Params
        Parameters of the pipeline.

    Returns
    -------
    pd.DataFrame
        A row per model: accuracy, log loss and expected calibration error, each followed by that of the adjusted
        probabilities. The ``shift`` is the share of songs that would have to change their genre to turn the mix of
        training into the estimated one (total variation distance).
    """
    genres = genre_names(predictions)
    rows = {}
    for model, songs in predictions.groupby("model", sort=False):
        priors = model_priors(str(model), tracks, params)[genres].to_numpy()
        probabilities = genre_probabilities(songs)
        estimated = estimate_priors(probabilities, priors)
        adjusted = pd.DataFrame(adjust_probabilities(probabilities, priors, estimated), columns=genres)
        scores = zip(_scores(songs), _scores(tabulate_predictions(str(model), songs, adjusted)), strict=True)
        rows[model] = [np.abs(estimated - priors).sum() / 2, *(score for pair in scores for score in pair)]
    names = ["accuracy", "log loss", "calibration error"]
    columns = ["shift", *(column for name in names for column in (name, f"{name}, adjusted"))]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("model")


def _scores(predictions: pd.DataFrame) -> list[float]:
    """Compute accuracy, log loss and calibration error."""
    accuracy = float((predictions["genre"] == predictions["predicted"]).mean())
    return [accuracy, log_loss(predictions), expected_calibration_error(predictions)]
