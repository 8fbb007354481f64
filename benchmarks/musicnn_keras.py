"""musicnn as a Keras model, with the same weights: to train it further, and to check `songgenre.models.musicnn` by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from songgenre.models.musicnn import (
    N_MELS,
    PATCH_FRAMES,
    PENULTIMATE,
    POOLED,
    MusicnnFeatures,
    cut_patches,
    pool_patches,
)
from songgenre.models.musicnn_weights import variable_name
from songgenre.runtime.native_stderr import suppress_native_stderr

with suppress_native_stderr():
    import keras
    from keras import layers

TIMBRE_HEIGHTS = (38, 67)
RHYTHM_LENGTHS = (128, 64, 32)


def build_network(variables: Mapping[str, np.ndarray]) -> keras.Model:
    """Build a network with its weights.

    Parameters
    ----------
    variables : mapping
        From the name of a variable, such as ``conv2d_1/kernel``, to its values.

    Returns
    -------
    keras.Model
        From patches [shape=(n_patches, PATCH_FRAMES, N_MELS)] to ``found`` and ``tags`` of each, see `MusicnnFeatures`.
    """
    spectrogram = layers.Input((PATCH_FRAMES, N_MELS))
    x = layers.Reshape((PATCH_FRAMES, N_MELS, 1))(spectrogram)
    x = layers.BatchNormalization(name="batch_normalization")(x)
    padded = layers.ZeroPadding2D(((3, 3), (0, 0)))(x)
    timbre = [_filters(padded, 204, (7, height), "valid", number) for number, height in enumerate(TIMBRE_HEIGHTS)]
    rhythm = [_filters(x, 51, (length, 1), "same", number) for number, length in enumerate(RHYTHM_LENGTHS, start=2)]
    front = layers.Concatenate()([*timbre, *rhythm])
    first = _midend(front, 5)
    second = layers.Add()([_midend(first, 6), first])
    third = layers.Add()([_midend(second, 7), second])
    filters = layers.Concatenate()([front, first, second, third])
    mean, maximum = layers.GlobalAveragePooling1D()(filters), layers.GlobalMaxPooling1D()(filters)
    columns = [layers.Reshape((POOLED, 1))(pooled) for pooled in (maximum, mean)]
    x = layers.Flatten()(layers.Concatenate()(columns))
    x = layers.BatchNormalization(name="batch_normalization_9")(x)
    x = layers.Dense(PENULTIMATE, activation="relu", name="dense")(x)
    penultimate = layers.BatchNormalization(name="batch_normalization_10")(x)
    tags = layers.Dense(len(variables["dense_1/bias"]), activation="sigmoid", name="dense_1")(penultimate)
    found = layers.Concatenate()([penultimate, mean, maximum])
    network = keras.Model(spectrogram, {"found": found, "tags": tags}, name="musicnn")
    for layer in network.layers:
        values = [(variables[f"{layer.name}/{weight.name}"], weight.shape) for weight in layer.weights]
        layer.set_weights([value.reshape(shape) for value, shape in values])
    return network


def _filters(x: keras.KerasTensor, n: int, size: tuple[int, int], padding: str, number: int) -> keras.KerasTensor:
    """Convolution, and its maximum over the frequencies [shape=(..., PATCH_FRAMES, n)]."""
    x = layers.Conv2D(n, size, padding=padding, activation="relu", name=variable_name("conv2d", number))(x)
    x = layers.BatchNormalization(name=f"batch_normalization_{number + 1}")(x)
    x = layers.MaxPooling2D((1, x.shape[2]))(x)
    return layers.Reshape((PATCH_FRAMES, n))(x)


def _midend(x: keras.KerasTensor, number: int) -> keras.KerasTensor:
    x = layers.Conv1D(64, 7, padding="same", activation="relu", name=variable_name("conv2d", number))(x)
    return layers.BatchNormalization(name=f"batch_normalization_{number + 1}")(x)


def forward(network: keras.Model, spectrogram: np.ndarray) -> MusicnnFeatures:
    """What a network makes of the patches of a spectrogram.

    Parameters
    ----------
    network : keras.Model
        Of `build_network`.
    spectrogram : np.ndarray [shape=(n_frames, N_MELS)]
    """
    features = network.predict_on_batch(cut_patches(spectrogram))
    return pool_patches(features["found"], features["tags"])
