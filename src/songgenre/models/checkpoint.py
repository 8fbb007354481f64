"""The state of a training after its last epoch, so that one that was killed goes on as if nothing had happened."""

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
    """How far a training is.

    Parameters
    ----------
    curve : list of tuple
        A row per epoch, as `songgenre.models.cnn.train` describes.
    best_weights : list of np.ndarray
        Those with the least validation loss so far.
    """

    curve: list[tuple[float, ...]]
    best_weights: list[np.ndarray]

    def after(self, row: tuple[float, ...], weights: list[np.ndarray]) -> TrainingState:
        """The progress after one more epoch."""
        losses = [earlier[VALIDATION_LOSS] for earlier in self.curve]
        better = row[VALIDATION_LOSS] < min(losses, default=np.inf)
        return TrainingState([*self.curve, row], weights if better else self.best_weights)

    def epochs_since_best(self) -> int:
        """Epochs since the best one."""
        losses = [row[VALIDATION_LOSS] for row in self.curve]
        return len(losses) - 1 - int(np.argmin(losses)) if losses else 0


class Checkpoint:
    """A file with the progress and every variable of a model: weights, moments, random states.

    Parameters
    ----------
    path : Path
    model : keras.Model
        Compiled, its optimizer built.
    """

    def __init__(self, path: Path, model: keras.Model) -> None:
        self.path = path
        self.model = model

    def save(self, state: TrainingState) -> None:
        """Replace what was kept."""
        arrays: dict[str, Any] = {f"state_{at}": np.asarray(value) for at, value in enumerate(self._variables())}
        arrays |= {f"best_{at}": weight for at, weight in enumerate(state.best_weights)}
        with replacing(self.path) as partial, partial.open("wb") as file:
            np.savez(file, curve=np.array(state.curve), **arrays)

    def restore(self) -> TrainingState | None:
        """Bring the model to the state that was kept; None if there is none."""
        if not self.path.is_file():
            return None
        with np.load(self.path, allow_pickle=False) as arrays:
            for at, variable in enumerate(self._variables()):
                variable.assign(arrays[f"state_{at}"])
            best = [arrays[f"best_{at}"] for at in range(len(self.model.weights))]
            curve = [(int(row[0]), *map(float, row[1:])) for row in arrays["curve"]]
        return TrainingState(curve, best)

    def remove(self) -> None:
        """Forget what was kept."""
        self.path.unlink(missing_ok=True)

    def _variables(self) -> Sequence[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]


def training_hash(code: str, train_songs: MelDataset, validation_songs: MelDataset, *settings: Any) -> str:
    """Hash all that a training depends on.

    Parameters
    ----------
    code : str
        `songgenre.code_version.code_version` of the function that trains.
    train_songs, validation_songs : MelDataset
        Images and labels.
    settings
        Anything whose `repr` tells all of it.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = hashlib.sha256(repr((code, settings)).encode())
    for songs in (train_songs, validation_songs):
        digest.update(repr((songs.mel.shape, songs.labels.tolist())).encode())
        for row in songs.rows:
            digest.update(songs.mel[row].tobytes())
    return digest.hexdigest()[:32]
