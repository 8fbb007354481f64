"""Accuracy on songs by unseen artists, with its interval, calibration and confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    recall_score,
)

from songgenre.evaluation.intervals import BOOTSTRAP_SAMPLES, accuracy_interval
from songgenre.params import Metric

BASELINE = "baseline"
"""Name of the model that always predicts the most frequent genre."""

PROBABILITY_FLOOR = 1e-7
"""Smallest probability in the log loss, so that one song cannot make the loss infinite."""

N_CONFIDENCE_BINS = 10

COLUMNS: dict[Metric, str] = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "f1_macro": "macro F1"}
"""Column of each metric in the table of models."""


class HierarchyMetrics(BaseModel):
    """Scores of one model for genres that form a tree, see `songgenre.evaluation.hierarchy.evaluate_in_tree`.

    Parameters
    ----------
    precision, recall, f1 : float
        Hierarchical precision, recall and F.
    f1_ci95_low, f1_ci95_high : float
        95 % interval of the hierarchical F, see `songgenre.evaluation.intervals.ratio_interval`.
    any_genre_accuracy : float
        Share of songs whose predicted genre is one of their genres or an ancestor of one.
    any_genre_ci95_low, any_genre_ci95_high : float
        Its 95 % interval, see `songgenre.evaluation.intervals.accuracy_interval`.
    label_ranking_average_precision : float
        As scikit-learn defines it; the relevant labels are all genres of a song, with their ancestors. 1 if the model
        ranks these before all others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    precision: float = Field(ge=0, le=1)
    recall: float = Field(ge=0, le=1)
    f1: float = Field(ge=0, le=1)
    f1_ci95_low: float = Field(ge=0, le=1)
    f1_ci95_high: float = Field(ge=0, le=1)
    any_genre_accuracy: float = Field(ge=0, le=1)
    any_genre_ci95_low: float = Field(ge=0, le=1)
    any_genre_ci95_high: float = Field(ge=0, le=1)
    label_ranking_average_precision: float = Field(ge=0, le=1)


class Metrics(BaseModel):
    """Metrics of one model, as ``reports/metrics/<stage>.json`` holds them.

    Parameters
    ----------
    accuracy : float
        Accuracy on the test songs.
    balanced_accuracy, macro_f1 : float
        Unweighted means of the recalls and of the F1 scores of the genres that occur, as scikit-learn defines them.
    ci95_low, ci95_high : float
        95 % interval of the accuracy, see `songgenre.evaluation.intervals.accuracy_interval`.
    top2_accuracy : float
        Share of songs whose true genre is among the two most probable.
    log_loss : float
        Mean negative logarithm of the probability of the true genre.
    expected_calibration_error : float
        See `expected_calibration_error`.
    n_test : int
        Number of test songs.
    f1, precision, recall : dict
        Score of each genre.
    hierarchy : HierarchyMetrics, optional
        Scores in the tree of genres, if the source has one; only notebook 08 computes them.
    data_hash, model_hash : str
        First 12 digits of the SHA-256 of the table of tracks and of the model file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accuracy: float = Field(ge=0, le=1)
    balanced_accuracy: float = Field(ge=0, le=1)
    macro_f1: float = Field(ge=0, le=1)
    ci95_low: float = Field(ge=0, le=1)
    ci95_high: float = Field(ge=0, le=1)
    top2_accuracy: float = Field(ge=0, le=1)
    log_loss: float = Field(ge=0)
    expected_calibration_error: float = Field(ge=0, le=1)
    n_test: int = Field(ge=1)
    f1: dict[str, float]
    precision: dict[str, float]
    recall: dict[str, float]
    data_hash: str
    model_hash: str
    hierarchy: HierarchyMetrics | None = None


def tabulate_predictions(model: str, tracks: pd.DataFrame, probabilities: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the predictions of a model on the test songs.

    Parameters
    ----------
    model : str
        Name of the model.
    tracks : pd.DataFrame
        The test songs, with the columns ``track_id`` and ``genre``.
    probabilities : pd.DataFrame [shape=(n_tracks, n_genres)]
        A column per genre, rows in the order of `tracks`.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`; the predicted genre is the most probable one.
    """
    table = pd.DataFrame(
        {
            "track_id": tracks["track_id"].to_numpy(),
            "model": model,
            "genre": tracks["genre"].to_numpy(),
            "predicted": probabilities.columns[probabilities.to_numpy().argmax(axis=1)],
        }
    )
    columns = probabilities.add_prefix("p_").clip(0, 1).astype(float).reset_index(drop=True)
    return pd.concat([table.astype("str"), columns], axis=1)


def evaluate(
    predictions: pd.DataFrame,
    artist_groups: pd.Series,
    data_hash: str,
    model_hash: str,
    seed: int,
    samples: int = BOOTSTRAP_SAMPLES,
) -> Metrics:
    """Compute the metrics of one model.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of one model.
    artist_groups : pd.Series [shape=(n_tracks,)]
        Artist of each song, in the order of `predictions`.
    data_hash, model_hash : str
        `file_hash` of the table of tracks and of the model.
    seed, samples : int
        Seed and number of resamples of the bootstrap.

    Returns
    -------
    Metrics
        Scores, the interval of the accuracy and calibration.
    """
    truth, predicted = predictions["genre"], predictions["predicted"]
    genres = genre_names(predictions)
    low, high = accuracy_interval(truth == predicted, artist_groups, seed, samples)
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, labels=genres, zero_division=0)
    shares, of_truth = genre_probabilities(predictions), truth_probabilities(predictions)
    return Metrics(
        accuracy=float(accuracy_score(truth, predicted)),
        balanced_accuracy=float(recall_score(truth, predicted, labels=truth.unique(), average="macro")),
        macro_f1=float(f1_score(truth, predicted, average="macro")),
        ci95_low=low,
        ci95_high=high,
        top2_accuracy=float(((shares > of_truth[:, np.newaxis]).sum(axis=1) < 2).mean()),
        log_loss=log_loss(predictions),
        expected_calibration_error=expected_calibration_error(predictions),
        n_test=len(predictions),
        f1=dict(zip(genres, f1.tolist(), strict=True)),
        precision=dict(zip(genres, precision.tolist(), strict=True)),
        recall=dict(zip(genres, recall.tolist(), strict=True)),
        data_hash=data_hash,
        model_hash=model_hash,
    )


def evaluate_all(
    predictions: pd.DataFrame,
    tracks: pd.DataFrame,
    hashes: Mapping[str, tuple[str, str]],
    seed: int,
    samples: int = BOOTSTRAP_SAMPLES,
) -> dict[str, Metrics]:
    """Compute the metrics of several models.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, which holds the artists.
    hashes : mapping
        From the name of a model to the hashes of its data and of its file.
    seed, samples : int
        Seed and number of resamples of the bootstrap.

    Returns
    -------
    dict
        From the name of a model to its metrics, in the order in which the models first appear.
    """
    artists = tracks.set_index("track_id")["artist_group"]
    return {
        str(model): evaluate(rows, rows["track_id"].map(artists), *hashes[str(model)], seed, samples)
        for model, rows in predictions.groupby("model", sort=False)
    }


def score_genres(
    predictions: pd.DataFrame, artist_groups: pd.Series, seed: int, samples: int = BOOTSTRAP_SAMPLES
) -> pd.DataFrame:
    """Compute the recall and the F1 score of each genre, with their 95 % intervals.

    The F1 score is 2 J / (1 + J), where J is the share of correct predictions among the songs that are of the genre or
    predicted as such. Both intervals are therefore those of an accuracy, of these songs and of those of the genre.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of one model.
    artist_groups : pd.Series [shape=(n_tracks,)]
        Artist of each song, in the order of `predictions`.
    seed, samples : int
        Seed and number of resamples of the bootstrap over artists.

    Returns
    -------
    pd.DataFrame
        A row per genre that occurs or is predicted: number of ``songs`` and ``artists``, ``recall`` and ``F1`` with the
        ends of their intervals; without songs, the recall is missing.
    """
    correct = predictions["genre"] == predictions["predicted"]
    artists = artist_groups.set_axis(correct.index)
    rows = {}
    for genre in genre_names(predictions):
        of_genre = predictions["genre"] == genre
        either = of_genre | (predictions["predicted"] == genre)
        if not either.any():
            continue
        recall, jaccard = (
            _accuracy_and_interval(correct[songs], artists[songs], seed, samples) for songs in (of_genre, either)
        )
        rows[genre] = [of_genre.sum(), artists[of_genre].nunique(), *recall, *(2 * jaccard / (1 + jaccard))]
    names = ["songs", "artists", "recall", "recall_low", "recall_high", "F1", "F1_low", "F1_high"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("genre")
    return table.astype({"songs": int, "artists": int})


def _accuracy_and_interval(correct: pd.Series, artist_groups: pd.Series, seed: int, samples: int) -> np.ndarray:
    """Compute the accuracy and the ends of its interval; missing without songs."""
    if correct.empty:
        return np.full(3, np.nan)
    return np.array([correct.mean(), *accuracy_interval(correct, artist_groups, seed, samples)])


def reliability_curve(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compute accuracy as a function of confidence.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of one model.

    Returns
    -------
    pd.DataFrame
        A row per non-empty tenth of confidence: mean ``confidence``, ``accuracy`` and number of ``songs``.
    """
    confidence = genre_probabilities(predictions).max(axis=1)
    tenth = np.minimum((confidence * N_CONFIDENCE_BINS).astype(int), N_CONFIDENCE_BINS - 1)
    right = (predictions["genre"] == predictions["predicted"]).to_numpy()
    table = pd.DataFrame({"confidence": confidence, "accuracy": right.astype(float), "songs": 1})
    return table.groupby(tenth).agg({"confidence": "mean", "accuracy": "mean", "songs": "sum"})


def expected_calibration_error(predictions: pd.DataFrame) -> float:
    """Compute the expected calibration error: the mean distance of confidence and accuracy over tenths of confidence.

    The mean is weighted by the number of songs. See `guo2017calibration` in docs/references.bib.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of one model.

    Returns
    -------
    float
        0 (calibrated) to 1.
    """
    table = reliability_curve(predictions)
    return float(np.average((table["confidence"] - table["accuracy"]).abs(), weights=table["songs"]))


def tabulate_votes(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compare the predicted genres of each song by all models; the baseline does not count.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of several models.

    Returns
    -------
    pd.DataFrame [index=(track_id, genre)]
        Predicted genre, a row per song and a column per model. Songs that most models predict wrongly are first.
    """
    models = predictions[predictions["model"] != BASELINE]
    votes = models.pivot(index=["track_id", "genre"], columns="model", values="predicted")[models["model"].unique()]
    n_wrong = votes.ne(votes.index.get_level_values("genre"), axis=0).sum(axis=1)
    return votes.loc[n_wrong.sort_values(ascending=False, kind="stable").index]


def accuracy_coverage_curve(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compute the accuracy on the most confident predictions, as a function of their share.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of one model.

    Returns
    -------
    pd.DataFrame
        A row per song, most confident first: the ``coverage`` (share of songs) of the predictions with at least this
        ``confidence``, and their ``accuracy``.
    """
    confidence = pd.Series(genre_probabilities(predictions).max(axis=1))
    right = (predictions["genre"] == predictions["predicted"]).reset_index(drop=True)
    order = confidence.sort_values(ascending=False, kind="stable").index
    answered = np.arange(1, len(order) + 1)
    return pd.DataFrame(
        {
            "coverage": answered / len(order),
            "confidence": confidence[order].to_numpy(),
            "accuracy": right[order].cumsum().to_numpy() / answered,
        }
    )


def genre_probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """Extract the probability of every genre.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`.

    Returns
    -------
    np.ndarray [shape=(n_tracks, n_genres)]
        Columns in the order of `genre_names`.
    """
    return predictions[[f"p_{genre}" for genre in genre_names(predictions)]].to_numpy()


def truth_probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """Extract the probability of the true genre.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`.

    Returns
    -------
    np.ndarray [shape=(n_tracks,)]
        Probability of the true genre of each song.
    """
    position = pd.Index(genre_names(predictions)).get_indexer(predictions["genre"])
    return genre_probabilities(predictions)[np.arange(len(predictions)), position]


def log_loss(predictions: pd.DataFrame) -> float:
    """Compute the mean negative logarithm of the probability of the true genre.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of one model.

    Returns
    -------
    float
        0 or more; probabilities below `PROBABILITY_FLOOR` count as that.
    """
    return float(-np.log(truth_probabilities(predictions).clip(PROBABILITY_FLOOR)).mean())


def genre_names(predictions: pd.DataFrame) -> list[str]:
    """List the genres of a model.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`.

    Returns
    -------
    list of str
        In the order of the columns of probabilities.
    """
    return [name.removeprefix("p_") for name in predictions.columns if name.startswith("p_")]


def confusion_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compute the confusion matrix of one model.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of one model.

    Returns
    -------
    pd.DataFrame [shape=(n_genres, n_genres)]
        Numbers of songs; rows are the true genres, columns the predicted ones.
    """
    genres = genre_names(predictions)
    matrix = confusion_matrix(predictions["genre"], predictions["predicted"], labels=genres)
    return pd.DataFrame(matrix, index=pd.Index(genres, name="genre"), columns=pd.Index(genres, name="predicted"))


def compare_models(metrics: Mapping[str, Metrics], by: Metric = "accuracy") -> pd.DataFrame:
    """Tabulate the metrics of several models.

    Parameters
    ----------
    metrics : mapping
        From the name of a model to its metrics.
    by : {"accuracy", "balanced_accuracy", "f1_macro"}
        Metric that orders the models.

    Returns
    -------
    pd.DataFrame
        A row per model, best first, with its metrics and the F1 score of each genre; with the balanced accuracy only if
        it orders the models.
    """
    rows = {
        model: {
            "accuracy": measured.accuracy,
            "ci95_low": measured.ci95_low,
            "ci95_high": measured.ci95_high,
            "macro F1": measured.macro_f1,
            "top 2": measured.top2_accuracy,
            "log loss": measured.log_loss,
            "calibration error": measured.expected_calibration_error,
            **measured.f1,
        }
        for model, measured in metrics.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    if by == "balanced_accuracy":
        table.insert(0, COLUMNS[by], [measured.balanced_accuracy for measured in metrics.values()])
    return table.sort_values(COLUMNS[by], ascending=False, kind="stable")
