"""Training of the bundled model, whose choices are made by leaving out whole collections."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import log_loss, recall_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from songgenre import audio
from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.evaluation.folds import Folds, collection_folds
from songgenre.models import musicnn
from songgenre.models.embeddings import Network
from songgenre.models.pretrained.embedding import embed
from songgenre.models.pretrained.head import OTHER, Head
from songgenre.models.pretrained.signals import generate_signals

SHRINKAGE = (0.2, 0.5, 0.8)
"""Candidates for the shrinkage of the covariance."""
SIGNAL_SHRINKAGE = 0.2
CLIP_S = 30.0
FOLDS, REPEATS = 5, 3
MIN_COLLECTIONS = 2
"""Smallest number of collections to leave out; with fewer, artists are left out."""
HALVES = np.array([-0.5, 0.5])
"""Shares of two classes in the difference of their scores."""


class Fitted(NamedTuple):
    """A fitted model and its temperature.

    Parameters
    ----------
    model : Pipeline
        Result of `build_model`, fitted.
    inverse_temperature : float
        Factor of the scores, which calibrates the probabilities.
    """

    model: Pipeline
    inverse_temperature: float

    def probabilities(self, X: np.ndarray) -> pd.DataFrame:
        """Compute the probability of each class.

        Parameters
        ----------
        X : np.ndarray [shape=(n_songs, n_dimensions)]
            Embeddings.

        Returns
        -------
        pd.DataFrame [shape=(n_songs, n_classes)]
            Probabilities.
        """
        scores = _decide(self.model, X) * self.inverse_temperature
        return pd.DataFrame(softmax(scores, axis=1), columns=self.model.classes_)


def read_songs(folder: Path) -> pd.DataFrame:
    """Read the ``tracks.csv`` of a folder of music.

    Parameters
    ----------
    folder : Path
        Folder with a ``tracks.csv`` that has the columns ``file``, ``genre``, ``artist`` and ``collection``. Genres
        that begin with ``other`` become `OTHER`.

    Returns
    -------
    pd.DataFrame
        ``path``, ``genre``, ``artist`` (a song without one is its own artist) and ``collection``.

    Raises
    ------
    UserError
        If the table or one of its columns is missing.
    """
    listing = folder / "tracks.csv"
    if not listing.is_file():
        raise UserError(f"{listing}: not found. List the songs in it, with file, genre, artist and collection.")
    songs = pd.read_csv(listing)
    if missing := {"file", "genre", "artist", "collection"} - set(songs.columns):
        raise UserError(f"{listing}: the column {' and '.join(sorted(missing))} is missing. Add it.")
    paths = [str(folder / file) for file in songs["file"]]
    known = songs["artist"].where(songs["artist"] != "unknown")
    return pd.DataFrame(
        {
            "path": paths,
            "genre": songs["genre"].mask(songs["genre"].str.startswith(OTHER), OTHER),
            "artist": known.fillna(pd.Series(paths)),
            "collection": songs["collection"],
        }
    )


def load_samples(path: str) -> np.ndarray:
    """Load the central clip of a song.

    Parameters
    ----------
    path : str
        Audio file.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Mono signal at `songgenre.models.musicnn.SAMPLE_RATE`.

    Raises
    ------
    UserError
        If the file cannot be decoded.
    """
    file = Path(path)
    return audio.load_clip(audio.Clip(file, *audio.center_clip(audio.duration_s(file), CLIP_S)), musicnn.SAMPLE_RATE)


def embed_songs(songs: pd.DataFrame, network: Network) -> np.ndarray:
    """Compute the embeddings of songs on all cores.

    Parameters
    ----------
    songs : pd.DataFrame
        Result of `read_songs`.
    network : mapping
        Variables of the network.

    Returns
    -------
    np.ndarray [shape=(n_songs, n_dimensions), dtype=float32]
        Embeddings.

    Raises
    ------
    UserError
        If a song cannot be decoded.
    """
    return np.stack(list(parallel_map(partial(_embed_file, network=network), list(songs["path"]), "embeddings")))


def _embed_file(path: str, network: Network) -> np.ndarray:
    return embed(load_samples(path), network).embedding


def build_model(n_classes: int, shrinkage: float) -> Pipeline:
    """Build the classifier: linear discriminant analysis of the direction of the standardized embedding.

    Parameters
    ----------
    n_classes : int
        Number of classes, which get equal prior probabilities.
    shrinkage : float
        Shrinkage of the covariance, 0 to 1.

    Returns
    -------
    Pipeline
        Classifier that is not fitted.
    """
    priors = np.full(n_classes, 1 / n_classes)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors)
    return make_pipeline(StandardScaler(), Normalizer(), lda)


def fit(X: np.ndarray, songs: pd.DataFrame) -> Fitted:
    """Tune, fit and calibrate the classifier by leaving out one collection at a time, or else groups of artists.

    Parameters
    ----------
    X : np.ndarray [shape=(n_songs, n_dimensions)]
        Embeddings.
    songs : pd.DataFrame
        Result of `read_songs`, rows as in `X`.

    Returns
    -------
    Fitted
        Model with the shrinkage of the highest balanced accuracy on left-out songs, fitted to all songs, and the
        temperature with the lowest log loss on left-out songs.
    """
    y = songs["genre"].to_numpy()
    folds = tuning_folds(songs)
    classes = np.unique(y)
    scored = {shrinkage: _scores(X, y, folds, shrinkage) for shrinkage in SHRINKAGE}
    out = np.concatenate([out for _, out in folds])
    best = max(SHRINKAGE, key=lambda shrinkage: _mean_accuracy(y, folds, classes, scored[shrinkage]))

    def loss(log_factor: float) -> float:
        probabilities = softmax(scored[best] * np.exp(log_factor), axis=1)
        return float(log_loss(y[out], probabilities, labels=classes))

    factor = np.exp(minimize_scalar(loss, bounds=(-5, 3), method="bounded").x)
    return Fitted(build_model(len(classes), best).fit(X, y), float(factor))


def _scores(X: np.ndarray, y: np.ndarray, folds: Folds, shrinkage: float) -> np.ndarray:
    """Compute the scores of each class for the songs of each fold, by a model without these songs."""
    models = [(build_model(len(np.unique(y)), shrinkage).fit(X[learn], y[learn]), out) for learn, out in folds]
    return np.concatenate([_decide(model, X[out]) for model, out in models])


def _decide(model: Pipeline, X: np.ndarray) -> np.ndarray:
    """Compute a score per class; of two classes, scikit-learn gives only the difference of the scores."""
    scores = model.decision_function(X)
    return scores if scores.ndim == 2 else np.outer(scores, HALVES)


def _mean_accuracy(y: np.ndarray, folds: Folds, classes: np.ndarray, scores: np.ndarray) -> float:
    """Average over collections the mean accuracy of their genres, so that each collection and genre counts."""
    predicted = classes[scores.argmax(axis=1)]
    ends = np.cumsum([len(out) for _, out in folds])[:-1]
    parts = zip([out for _, out in folds], np.split(predicted, ends), strict=True)
    recalls = [recall_score(y[out], said, labels=np.unique(y[out]), average="macro") for out, said in parts]
    return float(np.mean(recalls))


def predict_left_out(X: np.ndarray, songs: pd.DataFrame, folds: Folds) -> pd.DataFrame:
    """Predict the songs of each fold by a model that was tuned, fitted and calibrated without them.

    Parameters
    ----------
    X : np.ndarray [shape=(n_songs, n_dimensions)]
        Embeddings.
    songs : pd.DataFrame
        Result of `read_songs`, rows as in `X`.
    folds : sequence of (np.ndarray, np.ndarray)
        Positions of the training songs and of the predicted songs.

    Returns
    -------
    pd.DataFrame [shape=(n_predictions, n_classes)]
        Probability of each class; the index is the position of the song.
    """
    predicted = [
        fit(X[learn], songs.iloc[learn]).probabilities(X[out]).set_index(pd.Index(out)) for learn, out in folds
    ]
    return pd.concat(predicted)


def tuning_folds(songs: pd.DataFrame) -> Folds:
    """Leave out one collection at a time or, if there are too few, groups of artists.

    Parameters
    ----------
    songs : pd.DataFrame
        Result of `read_songs`.

    Returns
    -------
    sequence of (np.ndarray, np.ndarray)
        Positions of the training songs and of the left-out songs of each fold.

    Raises
    ------
    UserError
        If there are too few collections, and a genre has a single artist.
    """
    folds = collection_folds(songs)
    return folds if len(folds) >= MIN_COLLECTIONS else artist_folds(songs, seed=0, repeats=1)


def can_tune(songs: pd.DataFrame) -> bool:
    """Tell whether each of the folds of `tuning_folds` leaves enough songs to learn from.

    Parameters
    ----------
    songs : pd.DataFrame
        Result of `read_songs`.

    Returns
    -------
    bool
        True if there are folds, and each leaves more songs than classes, which the discriminant analysis needs.

    Raises
    ------
    UserError
        If there are too few collections, and a genre has a single artist.
    """
    return min((len(learn) for learn, _ in tuning_folds(songs)), default=0) > songs["genre"].nunique()


def artist_folds(songs: pd.DataFrame, seed: int, repeats: int = REPEATS) -> Folds:
    """Divide songs into artist-grouped stratified folds, several times.

    Parameters
    ----------
    songs : pd.DataFrame
        Result of `read_songs`.
    seed : int
        Seed of the folds.
    repeats : int
        Number of divisions.

    Returns
    -------
    sequence of (np.ndarray, np.ndarray)
        Positions of the training songs and of the test songs of each fold, for each fold without which every class
        remains. There are `FOLDS`, or as many as the artists of the class with the fewest.

    Raises
    ------
    UserError
        If a class has a single artist.
    """
    genres, artists = songs["genre"].to_numpy(), songs["artist"]
    fewest = artists.groupby(genres).nunique()
    if fewest.min() < 2:
        raise UserError(f"Genre {fewest.idxmin()!r} has a single artist; at least 2 are needed. Add songs by others.")
    folds = [
        fold
        for repeat in range(repeats)
        for fold in StratifiedGroupKFold(min(FOLDS, int(fewest.min())), shuffle=True, random_state=seed + repeat).split(
            songs, genres, artists
        )
    ]
    return [(learn, out) for learn, out in folds if set(genres[learn]) == set(genres)]


def fit_signal_detector(X: np.ndarray, signals: np.ndarray) -> Pipeline:
    """Fit a classifier that tells generated signals from music.

    Parameters
    ----------
    X : np.ndarray [shape=(n_songs, n_dimensions)]
        Embeddings of songs.
    signals : np.ndarray [shape=(n_signals, n_dimensions)]
        Embeddings of signals.

    Returns
    -------
    Pipeline
        `build_model` without a temperature; its scaler is that of the songs. The second class is the signals.
    """
    scaler = StandardScaler().fit(X)
    is_signal = np.repeat([False, True], [len(X), len(signals)])
    directions = Normalizer().transform(scaler.transform(np.concatenate([X, signals])))
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SIGNAL_SHRINKAGE, priors=[0.5, 0.5])
    return Pipeline([("scaler", scaler), ("normalizer", Normalizer()), ("lda", lda.fit(directions, is_signal))])


def embed_signals(network: Network, seed: int) -> dict[str, np.ndarray]:
    """Compute the embeddings of the generated signals.

    Parameters
    ----------
    network : mapping
        Variables of the network.
    seed : int
        Seed of the signals.

    Returns
    -------
    dict
        From the name of a kind to embeddings [shape=(n_signals, n_dimensions)].
    """
    return {
        kind: np.stack([embed(y, network).embedding for y in signals])
        for kind, signals in generate_signals(seed).items()
    }


def outside(probabilities: pd.DataFrame, signal_scores: np.ndarray) -> np.ndarray:
    """Compute the probability that songs have none of the genres.

    Parameters
    ----------
    probabilities : pd.DataFrame [shape=(n_songs, n_classes)]
        Probability of each class.
    signal_scores : np.ndarray [shape=(n_songs,)]
        Decision function of `fit_signal_detector`.

    Returns
    -------
    np.ndarray [shape=(n_songs,)]
        Probabilities.
    """
    other = probabilities[OTHER].to_numpy() if OTHER in probabilities else 0.0
    return 1 - (1 - other) * (1 - expit(signal_scores))


def train_head(X: np.ndarray, songs: pd.DataFrame, signals: np.ndarray, max_outside: float) -> Head:
    """Train the bundled model on all songs.

    Parameters
    ----------
    X : np.ndarray [shape=(n_songs, n_dimensions)]
        Embeddings.
    songs : pd.DataFrame
        Result of `read_songs`, rows as in `X`.
    signals : np.ndarray [shape=(n_signals, n_dimensions)]
        Embeddings of the generated signals.
    max_outside : float
        Largest probability of none of the genres with which a song counts as one of the genres.

    Returns
    -------
    Head
        The model.
    """
    (scaler, _, lda), factor = fit(X, songs)
    detector = fit_signal_detector(X, signals)[-1]
    coefficients, intercepts = lda.coef_.T, lda.intercept_
    if len(intercepts) == 1:
        coefficients, intercepts = coefficients * HALVES, intercepts * HALVES
    arrays = [scaler.mean_, scaler.scale_, coefficients * factor, intercepts * factor]
    arrays += [detector.coef_[0], detector.intercept_[0], max_outside]
    return Head(tuple(map(str, lda.classes_)), *(np.asarray(array, dtype=np.float32) for array in arrays))
