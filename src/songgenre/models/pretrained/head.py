"""The bundled model: a linear classifier of embeddings, trained on real music."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import softmax

from songgenre.atomic import replacing
from songgenre.errors import UserError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

BUNDLED = Path(__file__).parent / "head.npz"


@dataclass(frozen=True)
class Head:
    """A calibrated linear classifier of embeddings.

    Parameters
    ----------
    genres : tuple of str
        Names of the genres.
    weights : np.ndarray [shape=(n_dimensions, n_genres), dtype=float32]
        Weights for an unscaled embedding, as `songgenre.models.embeddings.embed` returns it.
    bias : np.ndarray [shape=(n_genres,), dtype=float32]
        Bias of each genre.
    """

    genres: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray

    def probabilities(self, embedding: np.ndarray) -> pd.Series:
        """Compute the probability of each genre for one song.

        Parameters
        ----------
        embedding : np.ndarray [shape=(n_dimensions,)]
            Embedding of the song.

        Returns
        -------
        pd.Series [shape=(n_genres,)]
            Probabilities, indexed by genre.

        Raises
        ------
        UserError
            If the embedding has another number of dimensions.

        Examples
        --------
        >>> head = Head(("jazz", "rock"), weights=np.array([[2.0, 0.0], [0.0, 1.0]]), bias=np.zeros(2))
        >>> head.probabilities(np.array([1.0, 0.0])).round(2).to_dict()
        {'jazz': 0.88, 'rock': 0.12}
        """
        if embedding.shape != self.weights.shape[:1]:
            raise UserError(
                f"embedding: the head needs {len(self.weights)} dimensions; the shape is {embedding.shape}. "
                "Compute it with `songgenre.models.embeddings.embed`."
            )
        return pd.Series(softmax(embedding @ self.weights.astype(float) + self.bias), index=list(self.genres))


def load_head(path: Path = BUNDLED) -> Head:
    """Load a head.

    Parameters
    ----------
    path : Path
        File that `save_head` wrote; the bundled one by default.

    Returns
    -------
    Head
        The classifier.

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return Head(tuple(file["genres"].tolist()), file["weights"], file["bias"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UserError(
            f"{path}: the weights of the classifier cannot be read: {error}. "
            "Restore the file, or train it with `songgenre dev train-head`."
        ) from None


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
        np.savez(file, genres=np.array(head.genres), weights=head.weights, bias=head.bias)


def from_pipeline(model: Pipeline) -> Head:
    """Merge all steps of a pipeline, including the temperature, into one linear classifier.

    Parameters
    ----------
    model : Pipeline
        ``lda`` of `songgenre.models.classical.PIPELINES`, fitted to at least three genres.

    Returns
    -------
    Head
        Classifier with the probabilities of `model`, but for rounding.
    """
    selected, scaler, pca = model[0], model[1], model[2]
    [calibrated] = model[3].calibrated_classifiers_
    linear, inverse_temperature = calibrated.estimator, calibrated.calibrators[0].beta_
    used = pca.components_.T @ linear.coef_.T / scaler.scale_[:, np.newaxis]
    bias = linear.intercept_ - pca.mean_ @ pca.components_.T @ linear.coef_.T - scaler.mean_ @ used
    weights = np.zeros((selected.n_features_in_, used.shape[1]))
    weights[selected.get_support()] = used
    weights, bias = weights * inverse_temperature, bias * inverse_temperature
    return Head(tuple(map(str, model.classes_)), weights.astype(np.float32), bias.astype(np.float32))
