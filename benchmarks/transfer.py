"""What the pretrained networks make of a clip, against the naive way: patch by patch, and each output on its own.

The clips are those of the folder that SONGGENRE_REAL_MUSIC names, or else the songs of the pipeline.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import soundfile

from songgenre import audio
from songgenre.models import determinism, embeddings, musicnn, weights
from songgenre.paths import project

N_CLIPS = 5
THREADS = 2


def find_clips() -> list[audio.Clip]:
    named = os.environ.get("SONGGENRE_REAL_MUSIC")
    folder = Path(named) if named else project().audio
    paths = sorted(path for path in folder.rglob("*") if path.suffix in audio.SUFFIXES)
    long = [path for path in paths if path.stat().st_size > 100_000 and soundfile.info(path).duration >= 29]
    return [audio.Clip(path, 0.0, 29.0) for path in long[:: max(1, len(long) // N_CLIPS)][:N_CLIPS]]


def patch_by_patch(network: keras.Model) -> Callable[[np.ndarray], object]:
    """`predict` of a model for each output and every patch."""
    models = [keras.Model(network.input, output) for output in network.output.values()]

    def hear(spectrogram: np.ndarray) -> list[np.ndarray]:
        return [
            np.mean([model.predict(patch[np.newaxis], verbose=0) for patch in musicnn.patches(spectrogram)], axis=0)
            for model in models
        ]

    return hear


def seconds(function: Callable[[np.ndarray], object], spectrograms: list[np.ndarray]) -> float:
    """Median over clips of the best of three, warm."""
    function(spectrograms[0])
    best = []
    for spectrogram in spectrograms:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            function(spectrogram)
            times.append(time.perf_counter() - started)
        best.append(min(times))
    return float(np.median(best))


def main() -> None:
    determinism.make_deterministic(seed=0, intra_op_threads=THREADS)
    clips = find_clips()
    started = time.perf_counter()
    spectrograms = [musicnn.log_mel(audio.load(clip, musicnn.SAMPLE_RATE)) for clip in clips]
    print(f"decoding and spectrogram: {(time.perf_counter() - started) / len(clips):.3f} s a clip")
    names_and_networks = zip(weights.NETWORKS, embeddings.networks(project().pretrained), strict=True)
    for name, network in names_and_networks:
        naive = seconds(patch_by_patch(network), spectrograms)
        ours = seconds(lambda spectrogram, network=network: musicnn.hear(network, spectrogram), spectrograms)
        print(f"{name} on {THREADS} threads, a clip: patch by patch {naive:.3f} s, ours {ours:.3f} s")
        print(f"patch by patch / ours: {naive / ours:.1f}")


if __name__ == "__main__":
    main()
