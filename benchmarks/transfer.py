"""Time of the pretrained networks for a clip of 29 s, in NumPy and in Keras on TensorFlow, both on one thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import musicnn_keras
import numpy as np
import soundfile

from songgenre import audio
from songgenre.models import determinism, embeddings, musicnn, musicnn_weights
from songgenre.paths import Project

N_CLIPS = 5


def find_clips() -> list[audio.Clip]:
    named = os.environ.get("SONGGENRE_REAL_MUSIC")
    folder = Path(named) if named else Project.find().audio
    paths = sorted(path for path in folder.rglob("*") if path.suffix in audio.SUFFIXES)
    long = [path for path in paths if path.stat().st_size > 100_000 and soundfile.info(path).duration >= 29]
    return [audio.Clip(path, 0.0, 29.0) for path in long[:: max(1, len(long) // N_CLIPS)][:N_CLIPS]]


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
    determinism.make_deterministic(seed=0, intra_op_threads=1)
    clips = find_clips()
    started = time.perf_counter()
    spectrograms = [musicnn.log_mel(audio.load_clip(clip, musicnn.SAMPLE_RATE)) for clip in clips]
    print(f"decoding and spectrogram: {(time.perf_counter() - started) / len(clips):.3f} s a clip")
    names_and_networks = zip(musicnn_weights.NETWORKS, embeddings.load_networks(Project.find().pretrained), strict=True)
    for name, variables in names_and_networks:
        model = musicnn_keras.build_network(variables)
        peer = seconds(lambda spectrogram, model=model: musicnn_keras.forward(model, spectrogram), spectrograms)
        ours = seconds(lambda spectrogram, variables=variables: musicnn.forward(variables, spectrogram), spectrograms)
        print(f"{name}, a clip: Keras {peer:.3f} s, ours {ours:.3f} s")
        for spectrogram in spectrograms:
            expected, heard = musicnn_keras.forward(model, spectrogram), musicnn.forward(variables, spectrogram)
            np.testing.assert_allclose(heard.embedding, expected.embedding, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(heard.tags, expected.tags, atol=1e-5)


if __name__ == "__main__":
    main()
