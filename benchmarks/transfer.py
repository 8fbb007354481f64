"""What the pretrained networks make of a clip, with numpy and with Keras on TensorFlow, both on one thread.

The clips are those of the folder that SONGGENRE_REAL_MUSIC names, or else the songs of the pipeline.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import soundfile
from keras import layers

from songgenre import audio
from songgenre.models import determinism, embeddings, musicnn, weights
from songgenre.models.musicnn import N_MELS, PATCH_FRAMES, PENULTIMATE, POOLED
from songgenre.paths import project

N_CLIPS = 5
TIMBRE_HEIGHTS = (38, 67)
RHYTHM_LENGTHS = (128, 64, 32)


def find_clips() -> list[audio.Clip]:
    named = os.environ.get("SONGGENRE_REAL_MUSIC")
    folder = Path(named) if named else project().audio
    paths = sorted(path for path in folder.rglob("*") if path.suffix in audio.SUFFIXES)
    long = [path for path in paths if path.stat().st_size > 100_000 and soundfile.info(path).duration >= 29]
    return [audio.Clip(path, 0.0, 29.0) for path in long[:: max(1, len(long) // N_CLIPS)][:N_CLIPS]]


def build(weights: Mapping[str, np.ndarray]) -> keras.Model:
    """The network, as its paper describes it."""
    spectrogram = layers.Input((PATCH_FRAMES, N_MELS))
    x = layers.Reshape((PATCH_FRAMES, N_MELS, 1))(spectrogram)
    x = layers.BatchNormalization(name="batch_normalization")(x)
    padded = layers.ZeroPadding2D(((3, 3), (0, 0)))(x)
    timbre = [filters(padded, 204, (7, height), "valid", number) for number, height in enumerate(TIMBRE_HEIGHTS)]
    rhythm = [filters(x, 51, (length, 1), "same", number) for number, length in enumerate(RHYTHM_LENGTHS, start=2)]
    front = layers.Concatenate()([*timbre, *rhythm])
    first = over_time(front, 5)
    second = layers.Add()([over_time(first, 6), first])
    third = layers.Add()([over_time(second, 7), second])
    found = layers.Concatenate()([front, first, second, third])
    mean, maximum = layers.GlobalAveragePooling1D()(found), layers.GlobalMaxPooling1D()(found)
    columns = [layers.Reshape((POOLED, 1))(pooled) for pooled in (maximum, mean)]
    x = layers.Flatten()(layers.Concatenate()(columns))
    x = layers.BatchNormalization(name="batch_normalization_9")(x)
    x = layers.Dense(PENULTIMATE, activation="relu", name="dense")(x)
    penultimate = layers.BatchNormalization(name="batch_normalization_10")(x)
    tags = layers.Dense(len(weights["dense_1/bias"]), activation="sigmoid", name="dense_1")(penultimate)
    embedding = layers.Concatenate()([penultimate, mean, maximum])
    network = keras.Model(spectrogram, musicnn.Heard(embedding, tags)._asdict(), name="musicnn")
    for layer in network.layers:
        values = [(weights[f"{layer.name}/{variable.name}"], variable.shape) for variable in layer.weights]
        layer.set_weights([value.reshape(shape) for value, shape in values])
    network.trainable = False
    return network


def filters(x: keras.KerasTensor, n: int, size: tuple[int, int], padding: str, number: int) -> keras.KerasTensor:
    """Convolution, and its maximum over the frequencies [shape=(..., PATCH_FRAMES, n)]."""
    x = layers.Conv2D(n, size, padding=padding, activation="relu", name=numbered("conv2d", number))(x)
    x = layers.BatchNormalization(name=f"batch_normalization_{number + 1}")(x)
    x = layers.MaxPooling2D((1, x.shape[2]))(x)
    return layers.Reshape((PATCH_FRAMES, n))(x)


def over_time(x: keras.KerasTensor, number: int) -> keras.KerasTensor:
    x = layers.Conv1D(64, 7, padding="same", activation="relu", name=numbered("conv2d", number))(x)
    return layers.BatchNormalization(name=f"batch_normalization_{number + 1}")(x)


def numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def hear(network: keras.Model, spectrogram: np.ndarray) -> musicnn.Heard:
    heard = network.predict_on_batch(musicnn.patches(spectrogram))
    return musicnn.Heard(**{name: values.mean(axis=0) for name, values in heard.items()})


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
    spectrograms = [musicnn.log_mel(audio.load(clip, musicnn.SAMPLE_RATE)) for clip in clips]
    print(f"decoding and spectrogram: {(time.perf_counter() - started) / len(clips):.3f} s a clip")
    names_and_networks = zip(weights.NETWORKS, embeddings.networks(project().pretrained), strict=True)
    for name, variables in names_and_networks:
        model = build(variables)
        peer = seconds(lambda spectrogram, model=model: hear(model, spectrogram), spectrograms)
        ours = seconds(lambda spectrogram, variables=variables: musicnn.hear(variables, spectrogram), spectrograms)
        print(f"{name}, a clip: Keras {peer:.3f} s, ours {ours:.3f} s")
        for spectrogram in spectrograms:
            expected, heard = hear(model, spectrogram), musicnn.hear(variables, spectrogram)
            np.testing.assert_allclose(heard.embedding, expected.embedding, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(heard.tags, expected.tags, atol=1e-5)


if __name__ == "__main__":
    main()
