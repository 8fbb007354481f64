"""How good a model is on songs of artists it has never heard, and how sure that is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from songgenre.errors import UserError
from songgenre.paths import replacing

BOOTSTRAP_SAMPLES = 2000


class Metrics(BaseModel):
    """What ``reports/metrics/<stage>.json`` holds for each model.

    Parameters
    ----------
    accuracy, macro_f1 : float
        On the test songs.
    ci95 : (float, float)
        95 % interval of the accuracy, from a bootstrap over artists.
    n_test : int
        Test songs.
    per_genre : dict
        F1 of each genre.
    data_hash, model_hash : str
        SHA-256, first 12 digits, of the table of tracks and of the model's file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accuracy: float = Field(ge=0, le=1)
    macro_f1: float = Field(ge=0, le=1)
    ci95: tuple[float, float]
    n_test: int = Field(ge=1)
    per_genre: dict[str, float]
    data_hash: str
    model_hash: str


_STAGE_METRICS = TypeAdapter(dict[str, Metrics])


def file_hash(path: Path) -> str:
    """First 12 digits of the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def predictions(model: str, tracks: pd.DataFrame, probabilities: pd.DataFrame) -> pd.DataFrame:
    """What a model said of the test songs.

    Parameters
    ----------
    model : str
    tracks : pd.DataFrame
        The test songs, with the columns ``track_id`` and ``genre``.
    probabilities : pd.DataFrame [shape=(n_tracks, n_genres)]
        A column per genre, rows in the order of `tracks`.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.PREDICTIONS`.
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


def bootstrap_accuracy(
    correct: pd.Series, artist_groups: pd.Series, seed: int, samples: int = BOOTSTRAP_SAMPLES
) -> np.ndarray:
    """Accuracies of resamples that draw whole artists with replacement.

    Songs of one artist resemble each other, so a bootstrap over songs would make the interval too narrow.

    Parameters
    ----------
    correct : pd.Series [shape=(n_tracks,), dtype=bool]
    artist_groups : pd.Series [shape=(n_tracks,)]
    seed : int
    samples : int

    Returns
    -------
    np.ndarray [shape=(samples,)]
    """
    by_artist = correct.reset_index(drop=True).groupby(artist_groups.to_numpy()).agg(["sum", "size"])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(by_artist), size=(samples, len(by_artist)))
    return by_artist["sum"].to_numpy()[drawn].sum(axis=1) / by_artist["size"].to_numpy()[drawn].sum(axis=1)


def evaluate(
    predicted: pd.DataFrame,
    artist_groups: pd.Series,
    data_hash: str,
    model_hash: str,
    seed: int,
    samples: int = BOOTSTRAP_SAMPLES,
) -> Metrics:
    """Measure one model.

    Parameters
    ----------
    predicted : pd.DataFrame
        `songgenre.tables.PREDICTIONS` of one model.
    artist_groups : pd.Series [shape=(n_tracks,)]
        In the order of `predicted`.
    data_hash, model_hash : str
        `file_hash` of the table of tracks and of the model.
    seed, samples : int
        Of the bootstrap.

    Returns
    -------
    Metrics
    """
    truth, said = predicted["genre"], predicted["predicted"]
    genres = genre_names(predicted)
    resampled = bootstrap_accuracy(truth == said, artist_groups, seed, samples)
    low, high = np.quantile(resampled, [0.025, 0.975])
    f1 = f1_score(truth, said, labels=genres, average=None, zero_division=0)
    return Metrics(
        accuracy=float(accuracy_score(truth, said)),
        macro_f1=float(np.mean(f1)),
        ci95=(float(low), float(high)),
        n_test=len(predicted),
        per_genre=dict(zip(genres, f1.tolist(), strict=True)),
        data_hash=data_hash,
        model_hash=model_hash,
    )


def genre_names(predicted: pd.DataFrame) -> list[str]:
    """The genres a model tells apart, in the order of its columns."""
    return [name.removeprefix("p_") for name in predicted.columns if name.startswith("p_")]


def confusion(predicted: pd.DataFrame) -> pd.DataFrame:
    """Confusion matrix of one model: rows are the true genres, columns the predicted ones."""
    genres = genre_names(predicted)
    matrix = confusion_matrix(predicted["genre"], predicted["predicted"], labels=genres)
    return pd.DataFrame(matrix, index=pd.Index(genres, name="genre"), columns=pd.Index(genres, name="predicted"))


def paired_difference(
    better: pd.Series,
    worse: pd.Series,
    artist_groups: pd.Series,
    seed: int,
    samples: int = BOOTSTRAP_SAMPLES,
) -> tuple[float, float]:
    """95 % interval of the difference in accuracy between two models on the same songs.

    Parameters
    ----------
    better, worse : pd.Series [shape=(n_tracks,), dtype=bool]
        Which songs each model got right, in the same order.
    artist_groups : pd.Series [shape=(n_tracks,)]
    seed, samples : int
        Of the bootstrap over artists.
    """
    difference = better.astype(int).to_numpy() - worse.astype(int).to_numpy()
    resampled = bootstrap_accuracy(pd.Series(difference), artist_groups, seed, samples)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(low), float(high)


def comparison(metrics: Mapping[str, Metrics]) -> pd.DataFrame:
    """A row per model, the best first."""
    rows = {
        model: {
            "accuracy": measured.accuracy,
            "low": measured.ci95[0],
            "high": measured.ci95[1],
            "macro F1": measured.macro_f1,
            **measured.per_genre,
        }
        for model, measured in metrics.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    return table.sort_values("accuracy", ascending=False, kind="stable")


def write_plot(table: pd.DataFrame, path: Path) -> None:
    """Write the points of a plot as CSV, for ``dvc plots``."""
    with replacing(path) as partial:
        table.to_csv(partial, index=False)


def write_metrics(metrics: Mapping[str, Metrics], path: Path) -> None:
    """Write the metrics of a stage as JSON."""
    content = {model: measured.model_dump(mode="json") for model, measured in metrics.items()}
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def read_metrics(path: Path) -> dict[str, Metrics]:
    """Read the metrics of a stage.

    Raises
    ------
    UserError
        If the file is missing or is not as `Metrics` describes.
    """
    try:
        return _STAGE_METRICS.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"Expected metrics at {path}, but there are none. Run `dvc repro` first.") from None
    except ValidationError as error:
        raise UserError(f"{path} does not hold valid metrics: {error}") from None
