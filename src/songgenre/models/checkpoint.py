"""Checkpoints of a training, from which an interrupted training continues and ends with the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from songgenre.atomic import replacing
from songgenre.models.crops import MelDataset

if TYPE_CHECKING:
    import keras


class TrainingState(NamedTuple):
    """Progress of a training.

    Parameters
    ----------
    curve : list of tuple
        A row per epoch; its columns are `songgenre.models.cnn.CURVE`.
    mean_weights : sequence of np.ndarray
        Mean of the weights after the last epochs; empty if there was none of these yet.
    n_averaged : int
        Number of epochs in the mean.
    """

    curve: list[tuple[float, ...]]
    mean_weights: Sequence[np.ndarray] = ()
    n_averaged: int = 0

    def after(self, row: tuple[float, ...], weights: Sequence[np.ndarray] = ()) -> TrainingState:
        """Return the state after one more epoch.

        Parameters
        ----------
        row : tuple of float
            Row of the epoch in the learning curve.
        weights : sequence of np.ndarray
            Weights after the epoch; empty if they do not belong to the mean.

        Returns
        -------
        TrainingState
            The curve with `row` appended, and the mean with `weights`.
        """
        curve, n = [*self.curve, row], self.n_averaged + 1
        if not weights:
            return self._replace(curve=curve)
        mean = [old + (new - old) / n for old, new in zip(self.mean_weights or weights, weights, strict=True)]
        return TrainingState(curve, mean, n)


class Checkpoint:
    """A file with the state of a training and all variables of a model, including those of its optimizer.

    Parameters
    ----------
    path : Path
        The file, in the npz format.
    model : keras.Model
        Compiled model whose optimizer is built.
    """

    def __init__(self, path: Path, model: keras.Model) -> None:
        self.path = path
        self.model = model

    def save(self, state: TrainingState) -> None:
        """Write the model and a training state, in place of an earlier checkpoint.

        Parameters
        ----------
        state : TrainingState
            State after the last epoch.
        """
        arrays: dict[str, Any] = {f"state_{at}": np.asarray(value) for at, value in enumerate(self._variables())}
        arrays |= {f"mean_{at}": weight for at, weight in enumerate(state.mean_weights)}
        with replacing(self.path) as partial, partial.open("wb") as file:
            np.savez(file, curve=np.array(state.curve), n_averaged=state.n_averaged, **arrays)

    def restore(self) -> TrainingState | None:
        """Set all variables of the model from the checkpoint.

        Returns
        -------
        TrainingState or None
            The saved state; None if there is no checkpoint.
        """
        if not self.path.is_file():
            return None
        with np.load(self.path, allow_pickle=False) as arrays:
            for at, variable in enumerate(self._variables()):
                variable.assign(arrays[f"state_{at}"])
            curve = [(int(row[0]), *map(float, row[1:])) for row in arrays["curve"]]
            n_averaged = int(arrays["n_averaged"])
            mean = [arrays[f"mean_{at}"] for at in range(len(self.model.weights))] if n_averaged else []
        return TrainingState(curve, mean, n_averaged)

    def remove(self) -> None:
        """Delete the checkpoint, if there is one."""
        self.path.unlink(missing_ok=True)

    def _variables(self) -> Sequence[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]


def training_hash(code: str, train_songs: MelDataset, validation_songs: MelDataset, *settings: Any) -> str:
    """Hash everything that the result of a training depends on.

    Parameters
    ----------
    code : str
        `songgenre.code_version.code_version` of the training function.
    train_songs, validation_songs : MelDataset
        Mel spectrograms and labels.
    *settings : object
        Settings whose `repr` is complete.

    Returns
    -------
    str
        32 hexadecimal digits of the SHA-256.
    """
    digest = hashlib.sha256(repr((code, settings)).encode())
    for songs in (train_songs, validation_songs):
        digest.update(repr((songs.mel.shape, songs.labels.tolist())).encode())
        for row in songs.rows:
            digest.update(songs.mel[row].tobytes())
    return digest.hexdigest()[:32]
