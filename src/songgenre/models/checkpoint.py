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

VALIDATION_LOSS = 3


class TrainingState(NamedTuple):
    """Progress of a training.

    Parameters
    ----------
    curve : list of tuple
        A row per epoch; its columns are `songgenre.models.cnn.CURVE`.
    best_weights : list of np.ndarray
        Weights after the epoch with the lowest validation loss.
    """

    curve: list[tuple[float, ...]]
    best_weights: list[np.ndarray]

    def after(self, row: tuple[float, ...], weights: list[np.ndarray]) -> TrainingState:
        """Return the state after one more epoch.

        Parameters
        ----------
        row : tuple of float
            Row of the epoch in the learning curve.
        weights : list of np.ndarray
            Weights after the epoch.

        Returns
        -------
        TrainingState
            The curve with `row` appended; `weights` are the best ones if the validation loss has decreased.
        """
        losses = [earlier[VALIDATION_LOSS] for earlier in self.curve]
        better = row[VALIDATION_LOSS] < min(losses, default=np.inf)
        return TrainingState([*self.curve, row], weights if better else self.best_weights)

    def epochs_since_best(self) -> int:
        """Count the epochs since the validation loss last decreased.

        Returns
        -------
        int
            0 if the last epoch is the best one, or before the first epoch.
        """
        losses = [row[VALIDATION_LOSS] for row in self.curve]
        return len(losses) - 1 - int(np.argmin(losses)) if losses else 0


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
        arrays |= {f"best_{at}": weight for at, weight in enumerate(state.best_weights)}
        with replacing(self.path) as partial, partial.open("wb") as file:
            np.savez(file, curve=np.array(state.curve), **arrays)

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
            best = [arrays[f"best_{at}"] for at in range(len(self.model.weights))]
            curve = [(int(row[0]), *map(float, row[1:])) for row in arrays["curve"]]
        return TrainingState(curve, best)

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
