"""Compute every kind of result on a few synthetic clips, and print the SHA-256 of each as JSON.

Usage: ``python tests/same_bytes/steps.py [STEP ...]``; without a step, all of them. After the versions of libraries
have changed, ``python tests/same_bytes/steps.py > tests/same_bytes/hashes.json`` records the new hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import songgenre  # noqa: F401  pins the instruction level before NumPy loads

# isort: split
import numpy as np
import soundfile

ROOT = Path(__file__).parents[2]
SAMPLE_RATE = 22_050
SECONDS = 7
CLIPS = 12


@cache
def clips() -> list[np.ndarray]:
    """Clips of 16-bit square waves and noise, from integer operations alone."""
    rng = np.random.default_rng(2026)
    t = np.arange(SECONDS * SAMPLE_RATE)
    return [
        (
            3000 * ((t // rng.integers(20, 200)) % 2)
            + rng.integers(-2000, 2000, len(t)) * ((t // rng.integers(2000, 20_000)) % 2)
        ).astype(np.int16)
        for _ in range(CLIPS)
    ]


@cache
def samples() -> list[np.ndarray]:
    return [(clip / np.float32(32_768)).astype(np.float32) for clip in clips()]


def encoded() -> list[bytes]:
    """The first clip as mp3."""
    from songgenre.demo.studio import encode_mp3

    return [encode_mp3(samples()[0], 128)]


def decoded() -> list[np.ndarray]:
    """The first clip from flac, ogg and mp3 files, at its own rate and resampled to 16 kHz."""
    from songgenre.audio import Clip, load_clip
    from songgenre.demo.studio import encode_mp3

    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"clip.{suffix}" for suffix in ("flac", "ogg", "mp3")]
        for file, subtype in zip(files, ("PCM_16", "VORBIS"), strict=False):
            soundfile.write(file, clips()[0], SAMPLE_RATE, subtype=subtype)
        files[-1].write_bytes(encode_mp3(samples()[0], 128))
        return [load_clip(Clip(file, 0, SECONDS), rate) for file in files for rate in (SAMPLE_RATE, 16_000)]


def mel_power() -> list[np.ndarray]:
    """Short-time Fourier transform and mel bands, without the logarithm."""
    from songgenre.features.spectra import Spectra

    return [Spectra(y, SAMPLE_RATE, n_fft=2048, hop_length=512, n_mels=128).mel_power for y in samples()]


def decibels() -> list[np.ndarray]:
    """Logarithms of powers that no other step computes."""
    import librosa

    power = np.random.default_rng(0).integers(1, 2**31, size=(128, 300))
    return [librosa.power_to_db((power / 2**28).astype(dtype)) for dtype in (np.float32, np.float64)]


def mel_images() -> list[np.ndarray]:
    from songgenre.features import mel_image

    return [mel_image(y, SAMPLE_RATE) for y in samples()]


def descriptors() -> list[np.ndarray]:
    from songgenre.features import describe

    return [describe(y, SAMPLE_RATE, feature_set="full").to_numpy() for y in samples()]


def embeddings() -> list[np.ndarray]:
    from songgenre.models import embeddings, musicnn, musicnn_weights

    with TemporaryDirectory() as folder:
        musicnn_weights.extract_weights(ROOT / "data" / "cache" / "wheels", Path(folder))
        networks = embeddings.load_networks(Path(folder))
    results = []
    for y in samples()[:2]:
        spectrogram = musicnn.log_mel(y[: 5 * musicnn.SAMPLE_RATE])
        results += [array for network in networks for array in musicnn.forward(network, spectrogram)]
    return results


def scikit_learn() -> list[np.ndarray]:
    """Probabilities of every model for the rows that it was fitted to."""
    from songgenre.models.pipelines import PIPELINES

    y = np.arange(48) % 3
    X = np.random.default_rng(0).integers(1000, size=(48, 100)) / 1000 + y[:, np.newaxis] / 10
    return [PIPELINES[name](0).fit(X, y).predict_proba(X) for name in sorted(PIPELINES)]


def cnn() -> list[np.ndarray]:
    """Weights and probabilities after one epoch."""
    from songgenre.models import cnn
    from songgenre.models.crops import MelDataset
    from songgenre.models.determinism import make_deterministic
    from songgenre.params import load_params

    config = load_params(ROOT / "params.yaml").cnn
    sampling = config.sampling.model_copy(update={"crop_frames": 64, "batch_size": 4})
    config = config.model_copy(update={"epochs": 1, "sampling": sampling})
    make_deterministic(config.seed, config.hardware.intra_op_threads)
    mel = np.random.default_rng(0).integers(256, size=(CLIPS, 128, 300), dtype=np.uint8)
    songs = MelDataset(mel, np.arange(CLIPS), np.arange(CLIPS) % 3)
    with TemporaryDirectory() as folder:
        model, _ = cnn.train(songs, songs, 3, config, Path(folder))
    return [*model.get_weights(), cnn.predict_probabilities(model, songs)]


STEPS: dict[str, Callable[[], list]] = {
    step.__name__: step
    for step in (encoded, decoded, mel_power, decibels, mel_images, descriptors, embeddings, scikit_learn, cnn)
}


def digest(results: list) -> str:
    """SHA-256 of bytes, or of types, shapes and values of arrays."""
    total = hashlib.sha256()
    for result in results:
        if isinstance(result, bytes):
            total.update(result)
        else:
            total.update(f"{result.dtype} {result.shape} ".encode() + np.ascontiguousarray(result).tobytes())
    return total.hexdigest()


if __name__ == "__main__":
    print(json.dumps({name: digest(STEPS[name]()) for name in sys.argv[1:] or STEPS}, indent=2))
