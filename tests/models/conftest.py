"""A network that is trained in processes of its own, to be looked at from several sides."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TRAINING = """
import os
import signal
import sys
from pathlib import Path

import numpy as np

from songgenre.models import cnn, determinism, storage
from songgenre.models.crops import MelDataset
from songgenre.models.checkpoint import Checkpoint
from songgenre.params import Augmentation, Cnn, Hardware, Network, Sampling

save = Checkpoint.save
weights = []


def save_and_record(checkpoint, state):
    if len(state.curve) == 8 and sys.argv[2:] == ["killed"]:
        os.kill(os.getpid(), signal.SIGKILL)
    weights.append(np.concatenate([np.ravel(array) for array in checkpoint.model.get_weights()]))
    save(checkpoint, state)


Checkpoint.save = save_and_record

N_MELS, N_FRAMES, N_SONGS, N_GENRES = 32, 80, 72, 3

determinism.make_deterministic(seed=1, intra_op_threads=2)
rng = np.random.default_rng(0)
labels = np.arange(N_SONGS) % N_GENRES
mel = rng.integers(120, size=(N_SONGS, N_MELS, N_FRAMES), dtype=np.uint8)
for song, genre in enumerate(labels):
    first = rng.integers(6)
    if genre == 0:
        mel[song, first::6] += 120
    if genre == 1:
        mel[song, :, first::6] += 120
songs = [MelDataset(mel, rows, labels[rows]) for rows in np.split(np.arange(N_SONGS), [48, 60])]
folder = Path(sys.argv[1])
config = Cnn.model_construct(
    epochs=8, learning_rate=0.01, weight_decay=0.01,
    network=Network(architecture="residual", filters=[8, 16], dropout=0.1),
    sampling=Sampling.model_construct(
        crop_frames=32, crops_per_song=2, batch_size=8, class_balance=0.5, label_smoothing=0.05
    ),
    augmentation=Augmentation(mixup=0.2, spec_augment=0.1, pitch_shift_bands=1, random_eq_std=4.0),
    hardware=Hardware(distribution="none", precision="float32", intra_op_threads=2),
    seed=1,
)
model, curve = cnn.train(songs[0], songs[1], N_GENRES, config, folder / "cache")

storage.save_keras(model, folder / "model.keras")
curve.to_csv(folder / "curve.csv", index=False)
np.savez(folder / "test.npz", mel=mel, rows=songs[2].rows, labels=songs[2].labels, weights=weights,
         probabilities=cnn.predict_probabilities(model, songs[2]))
"""


@pytest.fixture(scope="session")
def start_training() -> Callable[..., subprocess.Popen[bytes]]:
    """Start a process that trains and writes ``model.keras``, ``curve.csv`` and ``test.npz`` into a folder.

    With ``"killed"`` as a second argument it is killed after the last epoch, before its state is kept.
    """
    return lambda folder, *options: subprocess.Popen([sys.executable, "-c", TRAINING, str(folder), *options])


@pytest.fixture(scope="session")
def trained_twice(
    tmp_path_factory: pytest.TempPathFactory, start_training: Callable[..., subprocess.Popen[bytes]]
) -> list[Path]:
    """Folders of what each of two processes wrote."""
    folders = [tmp_path_factory.mktemp("training") for _ in range(2)]
    processes = [start_training(folder) for folder in folders]
    assert [process.wait() for process in processes] == [0, 0]
    return folders
