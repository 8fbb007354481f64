"""Measurement of the bundled model: on unseen artists, left-out collections, other music and transformed recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut

from songgenre.compute import parallel_map
from songgenre.evaluation.folds import collection_folds
from songgenre.evaluation.metrics import Metrics, evaluate, tabulate_predictions
from songgenre.models import musicnn
from songgenre.models.embeddings import Network
from songgenre.models.musicnn_weights import NETWORKS
from songgenre.models.pretrained import robustness, train
from songgenre.models.pretrained.embedding import embed, normalize_level
from songgenre.models.pretrained.head import OTHER

MODEL = "bundled"
MAX_SHARE_OUTSIDE = 0.1
"""Share of the songs of the genres that may count as none of them, when their collection is left out."""
MAX_OUTSIDE = 0.5
"""Largest probability *outside* of a song that counts as one of the genres, without songs of other genres."""
SONGS_PER_GENRE = (5, 10, 20, 40)
"""Numbers of training songs of each genre at the points of a learning curve."""
ROBUSTNESS_STEP = 6
"""Every sixth song is transformed."""


class Outside(NamedTuple):
    """How well songs of other genres, and signals, are told from songs of the genres.

    Parameters
    ----------
    auroc : float
        Area under the receiver operating characteristic; 0.5 is chance; NaN without songs of other genres.
    maximum : float
        Largest probability of a song that counts as one of the genres.
    genre_songs, other_songs, signals : float
        Share that counts as none of the genres; NaN without songs of other genres.
    """

    auroc: float
    maximum: float
    genre_songs: float
    other_songs: float
    signals: float


def score_genres(probabilities: pd.DataFrame, songs: pd.DataFrame, seed: int) -> Metrics:
    """Evaluate the predicted genres of songs that have one of the genres.

    Parameters
    ----------
    probabilities : pd.DataFrame [shape=(n_predictions, n_classes)]
        Probability of each class; the index is the position of the song in `songs`.
    songs : pd.DataFrame
        Result of `songgenre.models.pretrained.train.read_songs`.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    Metrics
        Scores of the genres, given that the song has one.
    """
    rows = songs.iloc[probabilities.index]
    known = (rows["genre"] != OTHER).to_numpy()
    genres = probabilities.drop(columns=OTHER, errors="ignore")[known]
    shares = genres.div(genres.sum(axis=1), axis=0)
    table = tabulate_predictions(MODEL, rows[known].rename(columns={"path": "track_id"}), shares)
    return evaluate(table, rows["artist"][known].reset_index(drop=True), "", "", seed)


def score_outside(X: np.ndarray, songs: pd.DataFrame, signals: Mapping[str, np.ndarray]) -> Outside:
    """Measure how well none of the genres is recognised, on left-out songs and left-out kinds of signals.

    The songs are left out as `songgenre.models.pretrained.train.tuning_folds` says.

    Parameters
    ----------
    X : np.ndarray [shape=(n_songs, n_dimensions)]
        Embeddings.
    songs : pd.DataFrame
        Result of `songgenre.models.pretrained.train.read_songs`, rows as in `X`.
    signals : mapping
        Result of `songgenre.models.pretrained.train.embed_signals`.

    Returns
    -------
    Outside
        The threshold is the quantile of the genre songs that leaves `MAX_SHARE_OUTSIDE` of them above; without songs
        of other genres, it is `MAX_OUTSIDE`.
    """
    every = np.concatenate(list(signals.values()))
    folds = train.tuning_folds(songs)
    probabilities = train.predict_left_out(X, songs, folds)
    scores = [train.fit_signal_detector(X[learn], every).decision_function(X[out]) for learn, out in folds]
    found = train.outside(probabilities, np.concatenate(scores))
    is_other = (songs["genre"].iloc[probabilities.index] == OTHER).to_numpy()
    maximum = float(np.quantile(found[~is_other], 1 - MAX_SHARE_OUTSIDE)) if is_other.any() else MAX_OUTSIDE
    kinds = np.repeat(np.arange(len(signals)), [len(rows) for rows in signals.values()])
    fitted = train.fit(X, songs)
    detected = [
        train.outside(
            fitted.probabilities(every[out]),
            train.fit_signal_detector(X, every[learn]).decision_function(every[out]),
        )
        for learn, out in LeaveOneGroupOut().split(every, groups=kinds)
    ]
    return Outside(
        float(roc_auc_score(is_other, found)) if is_other.any() else np.nan,
        maximum,
        float(np.mean(found[~is_other] > maximum)),
        float(np.mean(found[is_other] > maximum)) if is_other.any() else np.nan,
        float(np.mean(np.concatenate(detected) > maximum)),
    )


def learning_curve(X: np.ndarray, songs: pd.DataFrame, seed: int) -> pd.Series:
    """Compute the accuracy on unseen artists as a function of the number of training songs.

    Parameters
    ----------
    X : np.ndarray [shape=(n_songs, n_dimensions)]
        Embeddings.
    songs : pd.DataFrame
        Result of `songgenre.models.pretrained.train.read_songs`, rows as in `X`.
    seed : int
        Seed of the folds and of the chosen songs.

    Returns
    -------
    pd.Series
        Accuracy over the genres; the index is the number of songs of each genre, as long as half of the genres have so
        many. A genre with fewer songs contributes all of them.
    """
    rng = np.random.default_rng(seed)
    genres = songs["genre"].to_numpy()
    folds = train.artist_folds(songs, seed)
    most = min(pd.Series(genres[learn]).value_counts().median() for learn, _ in folds)
    accuracy = {}
    for n in (n for n in SONGS_PER_GENRE if n <= most):
        small = [
            (np.concatenate([rng.permutation(learn[genres[learn] == genre])[:n] for genre in np.unique(genres)]), out)
            for learn, out in folds
        ]
        fewest = [songs.iloc[learn].groupby("genre")["artist"].nunique().min() for learn, _ in small]
        if min(fewest) > 1 and all(train.can_tune(songs.iloc[learn]) for learn, _ in small):
            accuracy[n] = score_genres(train.predict_left_out(X, songs, small), songs, seed).accuracy
    return pd.Series(accuracy, name="accuracy").rename_axis("songs per genre")


def measure_robustness(X: np.ndarray, songs: pd.DataFrame, network: Network, seed: int) -> pd.Series:
    """Measure the share of songs whose genre changes with a transformation of the recording.

    Every sixth song of the genres is predicted by a model that was trained without its artist.

    Parameters
    ----------
    X : np.ndarray [shape=(n_songs, n_dimensions)]
        Embeddings.
    songs : pd.DataFrame
        Result of `songgenre.models.pretrained.train.read_songs`, rows as in `X`.
    network : mapping
        Variables of the network.
    seed : int
        Seed of the folds.

    Returns
    -------
    pd.Series
        Share of the songs for each of `songgenre.models.pretrained.robustness.TRANSFORMATIONS`.
    """
    folds = train.artist_folds(songs, seed, repeats=1)
    chosen = np.flatnonzero(songs["genre"] != OTHER)[::ROBUSTNESS_STEP]
    jobs = [(songs["path"].iloc[at], name) for at in chosen for name in robustness.TRANSFORMATIONS]
    embedded = list(parallel_map(partial(_embed_transformed, network=network), jobs, "transformed recordings"))
    copies = np.stack(embedded).reshape(len(chosen), len(robustness.TRANSFORMATIONS), -1)
    changed = pd.DataFrame(0.0, index=chosen, columns=list(robustness.TRANSFORMATIONS))
    for learn, out in folds:
        fitted = train.fit(X[learn], songs.iloc[learn])
        for row in np.flatnonzero(np.isin(chosen, out)):
            genres = fitted.probabilities(np.vstack([X[chosen[row]], copies[row]])).drop(columns=OTHER).idxmax(axis=1)
            changed.iloc[row] = (genres[1:] != genres[0]).to_numpy(dtype=float)
    return changed.mean()


def _embed_transformed(job: tuple[str, str], network: Network) -> np.ndarray:
    path, name = job
    return embed(robustness.transform(train.load_samples(path), name), network).embedding


def compare_embeddings(songs: pd.DataFrame, networks: Sequence[Network], seed: int) -> pd.DataFrame:
    """Compare embeddings by the accuracy on unseen artists and on left-out collections.

    Parameters
    ----------
    songs : pd.DataFrame
        Result of `songgenre.models.pretrained.train.read_songs`.
    networks : sequence of mapping
        Networks, as `songgenre.models.embeddings.load_networks` returns them.
    seed : int
        Seed of the folds.

    Returns
    -------
    pd.DataFrame
        A row per embedding: its ``dimensions``, and the accuracies on ``unseen artists`` and ``left-out collections``.
    """
    every = list(
        parallel_map(partial(_embed_variants, networks=networks), list(songs["path"]), "variants of the embedding")
    )
    rows = {}
    for name in every[0]:
        X = np.stack([variants[name] for variants in every])
        protocols = {
            "unseen artists": train.artist_folds(songs, seed),
            "left-out collections": collection_folds(songs),
        }
        scores = {
            protocol: score_genres(train.predict_left_out(X, songs, folds), songs, seed).accuracy
            for protocol, folds in protocols.items()
        }
        rows[name] = {"dimensions": X.shape[1]} | scores
    return pd.DataFrame.from_dict(rows, orient="index")


def _embed_variants(path: str, networks: Sequence[Network]) -> dict[str, np.ndarray]:
    y = train.load_samples(path)
    standard = [_features(normalize_level(y), network) for network in networks]
    recorded = _features(y, networks[0])
    first, second = (name.removesuffix("_musicnn") for name in NETWORKS)
    penultimate = [features.embedding[: musicnn.PENULTIMATE] for features in standard]
    return {
        f"{first}, penultimate layer": penultimate[0],
        f"{first}, penultimate layer, level as recorded": recorded.embedding[: musicnn.PENULTIMATE],
        f"{second}, penultimate layer": penultimate[1],
        "both networks, penultimate layer": np.concatenate(penultimate),
        f"{first}, tags (log-odds)": np.log(standard[0].tags / (1 - standard[0].tags)),
        f"{first}, all layers": standard[0].embedding[: len(standard[0].embedding) // 2],
    }


def _features(y: np.ndarray, network: Network) -> musicnn.MusicnnFeatures:
    return musicnn.forward(network, musicnn.log_mel(y))
