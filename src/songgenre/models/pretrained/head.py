"""The model that ships: a linear classifier on embeddings, trained on real music; its weights are a small file."""

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
    """A calibrated linear classifier.

    Parameters
    ----------
    genres : tuple of str
    weights : np.ndarray [shape=(n_numbers, n_genres), dtype=float32]
        For an embedding as `songgenre.models.embeddings.embed` computes it, the scaling included.
    bias : np.ndarray [shape=(n_genres,), dtype=float32]
    """

    genres: tuple[str, ...]
    weights: np.ndarray
    bias: np.ndarray

    def probabilities(self, embedding: np.ndarray) -> pd.Series:
        """Probability of each genre [shape=(n_genres,)] of one song.

        Parameters
        ----------
        embedding : np.ndarray [shape=(n_numbers,)]

        Raises
        ------
        UserError
            If the embedding is of another network.
        """
        if embedding.shape != self.weights.shape[:1]:
            raise UserError(
                f"Expected an embedding of {len(self.weights)} numbers, as `songgenre.models.embeddings.embed` "
                f"computes it, got one of the shape {embedding.shape}."
            )
        return pd.Series(softmax(embedding @ self.weights.astype(float) + self.bias), index=list(self.genres))


def load_head(path: Path = BUNDLED) -> Head:
    """Load the head that ships, or another that `save_head` wrote.

    Raises
    ------
    UserError
        If it is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return Head(tuple(file["genres"].tolist()), file["weights"], file["bias"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UserError(
            f"Expected the weights of a classifier at {path}, but they cannot be read: {error}. "
            "Restore the file, or train it with `songgenre dev train-head`."
        ) from None


def save_head(head: Head, path: Path) -> None:
    """Save a head; the same head gives the same bytes."""
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, genres=np.array(head.genres), weights=head.weights, bias=head.bias)


def from_pipeline(model: Pipeline) -> Head:
    """The selection, the scaling, the components, the linear classifier and its temperature as one product.

    Parameters
    ----------
    model : Pipeline
        ``lda`` of `songgenre.models.classical.PIPELINES`, fitted to three genres or more.
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
