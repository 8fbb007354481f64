"""A network that is trained in two processes, to be looked at from several sides."""

import subprocess
import sys
from pathlib import Path

import pytest

TRAINING = """
import sys
from pathlib import Path

import numpy as np

from songgenre.models import cnn, storage

N_MELS, N_FRAMES, N_SONGS, N_GENRES = 32, 80, 72, 3

cnn.make_deterministic(seed=1, intra_op_threads=2)
rng = np.random.default_rng(0)
labels = np.arange(N_SONGS) % N_GENRES
mel = rng.integers(120, size=(N_SONGS, N_MELS, N_FRAMES), dtype=np.uint8)
for song, genre in enumerate(labels):
    first = rng.integers(6)
    if genre == 0:
        mel[song, first::6] += 120
    if genre == 1:
        mel[song, :, first::6] += 120
songs = [cnn.Songs(mel, rows, labels[rows]) for rows in np.split(np.arange(N_SONGS), [48, 60])]
size = cnn.Size(crop_frames=32, widths=[8, 16], dropout=0.1)
training = cnn.Training(
    epochs=8, crops_per_song=1, batch_size=8, learning_rate=0.01, weight_decay=0.01, mixup=0.2, seed=1
)
model, curve = cnn.train(songs[0], songs[1], N_GENRES, size, training)

folder = Path(sys.argv[1])
storage.save_keras(model, folder / "model.keras")
curve.to_csv(folder / "curve.csv", index=False)
np.savez(folder / "test.npz", mel=mel, rows=songs[2].rows, labels=songs[2].labels,
         probabilities=cnn.probabilities(model, songs[2]))
"""


@pytest.fixture(scope="session")
def trained_twice(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of what each of two processes wrote: ``model.keras``, ``curve.csv`` and ``test.npz``."""
    folders = [tmp_path_factory.mktemp("training") for _ in range(2)]
    processes = [subprocess.Popen([sys.executable, "-c", TRAINING, str(folder)]) for folder in folders]
    assert [process.wait() for process in processes] == [0, 0]
    return folders
