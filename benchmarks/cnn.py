"""Crops a second and memory of training, from a file of 300 songs and of 2,000, against the same network fed by Keras.

Each measurement is a process of its own. The peer holds one crop of each song as an array and calls ``model.fit`` on
it, as a tutorial would, without augmentation.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from songgenre.models import cnn, determinism
from songgenre.models.crops import MelDataset
from songgenre.params import Cnn, load_params

N_MELS, N_FRAMES, N_GENRES = 128, 1292, 8
N_CROPS, EPOCHS = 512, 2
BATCH_SIZE, CROP_FRAMES, SEED = 32, 256, 1
CONFIG = load_params(Path(__file__).parents[1] / "params.yaml").cnn


def synthesize(path: Path, n_songs: int) -> None:
    rng = np.random.default_rng(SEED)
    mel = np.lib.format.open_memmap(path, "w+", dtype=np.uint8, shape=(n_songs, N_MELS, N_FRAMES))
    for row in range(n_songs):
        mel[row] = np.frombuffer(rng.bytes(N_MELS * N_FRAMES), np.uint8).reshape(N_MELS, N_FRAMES)
    mel.flush()


def anonymous_mib() -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("RssAnon")).split()[1]) / 1024


def configured(epochs: int, crops_per_song: int) -> Cnn:
    sampling = CONFIG.sampling.model_copy(
        update={"crop_frames": CROP_FRAMES, "crops_per_song": crops_per_song, "batch_size": BATCH_SIZE}
    )
    return CONFIG.model_copy(update={"epochs": epochs, "sampling": sampling, "seed": SEED})


def ours(mel: np.ndarray, cache: Path) -> int:
    """Train on songs from all over the file, and validate on others."""
    rows = np.linspace(0, len(mel) - 1, 300).astype(int)
    labels = np.arange(300) % N_GENRES
    train, validation = MelDataset(mel, rows[:256], labels[:256]), MelDataset(mel, rows[256:], labels[256:])
    config = configured(EPOCHS, N_CROPS // 256)
    cnn.train(train, validation, N_GENRES, config, cache)
    return EPOCHS * N_CROPS


def all_songs(mel: np.ndarray, cache: Path) -> int:
    """Train and validate on every song of the file, for one epoch."""
    labels = np.arange(len(mel)) % N_GENRES
    songs = MelDataset(mel, np.arange(len(mel)), labels)
    network = CONFIG.network.model_copy(update={"filters": [4, 4]})
    config = configured(1, 1).model_copy(update={"network": network})
    cnn.train(songs, songs, N_GENRES, config, cache)
    return len(mel)


def keras_in_memory(mel: np.ndarray, cache: Path) -> int:
    rows = np.arange(N_CROPS) % len(mel)
    crops = mel[rows, :, :CROP_FRAMES, np.newaxis].astype(np.float32)
    labels = rows % N_GENRES
    model = cnn.build_network(N_MELS, CROP_FRAMES, N_GENRES, CONFIG.network)
    model.compile("adamw", "sparse_categorical_crossentropy")
    model.fit(crops, labels, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    return EPOCHS * N_CROPS


WAYS = {"ours": ours, "ours, every song": all_songs, "Keras, in memory": keras_in_memory}


def measure(way: str, mel_path: Path, cache: Path) -> None:
    determinism.make_deterministic(SEED, 2)
    mel = np.load(mel_path, mmap_mode="r")
    started = time.perf_counter()
    n_crops = WAYS[way](mel, cache)
    seconds = time.perf_counter() - started
    speed = f"{n_crops / seconds:.0f} crops a second"
    print(f"{way}, {len(mel)} songs: {speed}, {anonymous_mib():.0f} MiB anonymous at its end")


def main() -> None:
    with TemporaryDirectory() as folder:
        files = {n_songs: Path(folder) / f"{n_songs}.npy" for n_songs in (300, 2000)}
        for n_songs, path in files.items():
            synthesize(path, n_songs)
        runs = [("ours", 300), ("ours", 2000), ("Keras, in memory", 300)]
        runs += [("ours, every song", 300), ("ours, every song", 2000)]
        for way, n_songs in runs:
            subprocess.run([sys.executable, __file__, way, files[n_songs], Path(folder) / "cache"], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
