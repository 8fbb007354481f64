"""The bundled model: linear classifiers of embeddings for genres, other genres, and signals that are not music."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, fields
from lzma import LZMAError
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812

import numpy as np
import pandas as pd

from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.models.npz import write_npz

BUNDLED = Path(__file__).parent / "head.npz"
BUNDLED_SHA256 = BUNDLED.with_name("head.npz.sha256")
"""File with the hash of the bundled head, which `save_bundled` wrote."""
OTHER = "other"
"""Class of the songs that belong to none of the genres."""

UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    TokenError,
    BadZipFile,
    LZMAError,
    ZlibError,
)
"""Errors that zipfile and NumPy raise for damaged files."""


class HeadPrediction(NamedTuple):
    """Prediction for one song.

    Parameters
    ----------
    probabilities : pd.Series [shape=(n_genres,)]
        Probability of each genre if the song has one of the genres; they sum to 1.
    outside : float
        Probability that the song has none of the genres, or is not music.
    """

    probabilities: pd.Series
    outside: float


@dataclass(frozen=True)
class Head:
    """Calibrated linear classifiers of standardized embeddings, each scaled to unit length.

    Parameters
    ----------
    classes : tuple of str
        Names of the genres, and `OTHER` if the training songs include songs of other genres.
    mean, scale : np.ndarray [shape=(n_dimensions,), dtype=float32]
        Mean and standard deviation of each dimension over the training songs.
    weights : np.ndarray [shape=(n_dimensions, n_classes), dtype=float32]
        Weights of each class.
    bias : np.ndarray [shape=(n_classes,), dtype=float32]
        Bias of each class.
    signal_weights : np.ndarray [shape=(n_dimensions,), dtype=float32]
        Weights of a signal that is not music, against music.
    signal_bias : np.ndarray [shape=(), dtype=float32]
        Bias of the same.
    max_outside : np.ndarray [shape=(), dtype=float32]
        Largest `HeadPrediction.outside` of a song that counts as one of the genres.
    """

    classes: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    signal_weights: np.ndarray
    signal_bias: np.ndarray
    max_outside: np.ndarray

    def predict(self, embedding: np.ndarray) -> HeadPrediction:
        """Predict the genre of one song.

        Parameters
        ----------
        embedding : np.ndarray [shape=(n_dimensions,)]
            Embedding of the song, see `songgenre.models.pretrained.embedding`.

        Returns
        -------
        HeadPrediction
            Probabilities of the genres, and of none of them.

        Raises
        ------
        UserError
            If the embedding has another number of dimensions.

        Examples
        --------
        >>> zero, one = np.zeros(2), np.ones(2)
        >>> weights = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
        >>> head = Head(("jazz", "rock", "other"), zero, one, weights, np.zeros(3), zero, np.array(-9.0), np.array(0.5))
        >>> prediction = head.predict(np.array([9.0, 0.0]))
        >>> prediction.probabilities.round(2).to_dict(), round(prediction.outside, 2)
        ({'jazz': 0.88, 'rock': 0.12}, 0.11)
        """
        if embedding.shape != self.weights.shape[:1]:
            raise UserError(
                f"embedding: the head needs {len(self.weights)} dimensions; the shape is {embedding.shape}. "
                "Compute it with `songgenre.models.pretrained.embedding.embed`."
            )
        standardized = (embedding.astype(float) - self.mean) / self.scale
        direction = standardized / max(float(np.linalg.norm(standardized)), 1e-12)
        scores = direction @ self.weights.astype(float) + self.bias
        odds = np.exp(scores - scores.max())
        classes = pd.Series(odds / odds.sum(), index=list(self.classes))
        genres = classes.drop(OTHER, errors="ignore")
        is_music = 1 / (1 + np.exp(direction @ self.signal_weights.astype(float) + self.signal_bias))
        return HeadPrediction(genres / genres.sum(), float(1 - (1 - classes.get(OTHER, 0.0)) * is_music))


ARRAYS = [field.name for field in fields(Head)][1:]
"""The arrays of a head, in the order of its fields."""


def load_head(path: Path | BinaryIO | None = None) -> Head:
    """Load a head.

    Parameters
    ----------
    path : Path or BinaryIO, optional
        File that `save_head` wrote; by default the bundled one, whose hash is verified.

    Returns
    -------
    Head
        The classifier.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    if path is None:
        path = io.BytesIO(_read_bundled())
    try:
        with np.load(path, allow_pickle=False) as file:
            classes = np.asarray(file["classes"])
            if classes.ndim != 1 or classes.dtype.kind != "U" or not classes.itemsize:
                raise ValueError("the genres are no texts")
            return Head(tuple(classes.tolist()), *(np.asarray(file[name]) for name in ARRAYS))
    except UNREADABLE as error:
        raise UserError(
            f"{path}: the weights of the classifier cannot be read: {error}. "
            "Restore the file, or train it with `songgenre dev train-head`."
        ) from None


def _read_bundled() -> bytes:
    """Read the bundled head and verify its hash."""
    try:
        content, expected = BUNDLED.read_bytes(), BUNDLED_SHA256.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{BUNDLED}: the bundled model cannot be read ({error}). Install songgenre again.") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise UserError(
            f"{BUNDLED}: the bundled model has the SHA-256 {expected}, this file {digest}. It is damaged or another "
            "file. Install songgenre again."
        )
    return content


def save_bundled(head: Head) -> None:
    """Save the bundled head and its hash into the package.

    Parameters
    ----------
    head : Head
        Classifier to save.
    """
    save_head(head, BUNDLED)
    BUNDLED_SHA256.write_text(f"{hashlib.sha256(BUNDLED.read_bytes()).hexdigest()}\n")


def save_head(head: Head, path: Path) -> None:
    """Save a head; the same head gives the same bytes.

    Parameters
    ----------
    head : Head
        Classifier to save.
    path : Path
        File to write, in the npz format.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        write_head(head, file)


def write_head(head: Head, file: BinaryIO) -> None:
    """Write a head into an open file, in the npz format.

    Parameters
    ----------
    head : Head
        Classifier to write.
    file : BinaryIO
        File open for writing.
    """
    write_npz(file, {"classes": np.array(head.classes)} | {name: getattr(head, name) for name in ARRAYS})
