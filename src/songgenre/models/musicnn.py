"""musicnn of Pons & Serra 2019, a network that was trained to tag music: as a Keras model, with its published weights.

Its input is a log-mel spectrogram. Filters as high as an instrument's timbre and as long as a rhythm look at it, three
convolutions over time follow, and what they found is pooled over time: its mean and maximum, and the layer before the
tags, are what the network makes of 3 s of music. How that is on average and how much it changes embeds a clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import librosa
import numpy as np
from threadpoolctl import threadpool_limits

from songgenre.quiet import quiet_libraries

with quiet_libraries():
    import keras
    from keras import layers

SAMPLE_RATE = 16_000
N_FFT = 512
HOP_LENGTH = 256
N_MELS = 96
PATCH_FRAMES = 187
"""3 s, the length that the networks were trained on."""

MSD_TAGS = [
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
]  # fmt: skip
MTT_TAGS = [
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
]  # fmt: skip
TAGS = {"MSD_musicnn": MSD_TAGS, "MTT_musicnn": MTT_TAGS}
"""The tags of each network, in the order of its outputs: those of the Million Song Dataset and of MagnaTagATune."""

TIMBRE_HEIGHTS = (38, 67)
RHYTHM_LENGTHS = (128, 64, 32)
PENULTIMATE = 200
POOLED = 753


class Heard(NamedTuple):
    """What a network makes of music.

    Parameters
    ----------
    embedding : np.ndarray [shape=(2 * (PENULTIMATE + 2 * POOLED),), dtype=float32]
        The layer before the tags, then the mean and the maximum of the convolutions over time: the mean of all that
        over the patches, then its standard deviation.
    tags : np.ndarray [shape=(n_tags,), dtype=float32]
        Probability of each of `TAGS`, the mean over the patches.
    """

    embedding: np.ndarray
    tags: np.ndarray


def log_mel(y: np.ndarray) -> np.ndarray:
    """The spectrogram that the networks were trained on, log10(1 + 10000 x); the same bits on any number of cores.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        At `SAMPLE_RATE`.

    Returns
    -------
    np.ndarray [shape=(n_frames, N_MELS), dtype=float32]
    """
    with threadpool_limits(1):
        power = librosa.feature.melspectrogram(
            y=y, sr=SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS, pad_mode="reflect"
        )
    return np.log10(1 + 10_000 * power.T).astype(np.float32)


def patches(spectrogram: np.ndarray) -> np.ndarray:
    """As many patches of 3 s as fit, spread evenly; what is shorter begins anew to fill one.

    Parameters
    ----------
    spectrogram : np.ndarray [shape=(n_frames, N_MELS)]

    Returns
    -------
    np.ndarray [shape=(n_patches, PATCH_FRAMES, N_MELS)]
    """
    missing = max(0, PATCH_FRAMES - len(spectrogram))
    filled = np.pad(spectrogram, ((0, missing), (0, 0)), mode="wrap")
    starts = np.linspace(0, len(filled) - PATCH_FRAMES, len(filled) // PATCH_FRAMES).round().astype(int)
    return np.stack([filled[start : start + PATCH_FRAMES] for start in starts])


def build(weights: Mapping[str, np.ndarray]) -> keras.Model:
    """Build a network with its weights.

    Parameters
    ----------
    weights : mapping
        From the name of a variable, such as ``conv2d_1/kernel``, to its values.

    Returns
    -------
    keras.Model
        From patches [shape=(n_patches, PATCH_FRAMES, N_MELS)] to ``found`` and ``tags`` of each, see `Heard`.
    """
    spectrogram = layers.Input((PATCH_FRAMES, N_MELS))
    x = layers.Reshape((PATCH_FRAMES, N_MELS, 1))(spectrogram)
    x = layers.BatchNormalization(name="batch_normalization")(x)
    padded = layers.ZeroPadding2D(((3, 3), (0, 0)))(x)
    timbre = [_filters(padded, 204, (7, height), "valid", number) for number, height in enumerate(TIMBRE_HEIGHTS)]
    rhythm = [_filters(x, 51, (length, 1), "same", number) for number, length in enumerate(RHYTHM_LENGTHS, start=2)]
    front = layers.Concatenate()([*timbre, *rhythm])
    first = _over_time(front, 5)
    second = layers.Add()([_over_time(first, 6), first])
    third = layers.Add()([_over_time(second, 7), second])
    filters = layers.Concatenate()([front, first, second, third])
    mean, maximum = layers.GlobalAveragePooling1D()(filters), layers.GlobalMaxPooling1D()(filters)
    columns = [layers.Reshape((POOLED, 1))(pooled) for pooled in (maximum, mean)]
    x = layers.Flatten()(layers.Concatenate()(columns))
    x = layers.BatchNormalization(name="batch_normalization_9")(x)
    x = layers.Dense(PENULTIMATE, activation="relu", name="dense")(x)
    penultimate = layers.BatchNormalization(name="batch_normalization_10")(x)
    tags = layers.Dense(len(weights["dense_1/bias"]), activation="sigmoid", name="dense_1")(penultimate)
    found = layers.Concatenate()([penultimate, mean, maximum])
    network = keras.Model(spectrogram, {"found": found, "tags": tags}, name="musicnn")
    for layer in network.layers:
        values = [(weights[f"{layer.name}/{variable.name}"], variable.shape) for variable in layer.weights]
        layer.set_weights([value.reshape(shape) for value, shape in values])
    network.trainable = False
    return network


def _filters(x: keras.KerasTensor, n: int, size: tuple[int, int], padding: str, number: int) -> keras.KerasTensor:
    """Convolution, and its maximum over the frequencies [shape=(..., PATCH_FRAMES, n)]."""
    x = layers.Conv2D(n, size, padding=padding, activation="relu", name=_numbered("conv2d", number))(x)
    x = layers.BatchNormalization(name=f"batch_normalization_{number + 1}")(x)
    x = layers.MaxPooling2D((1, x.shape[2]))(x)
    return layers.Reshape((PATCH_FRAMES, n))(x)


def _over_time(x: keras.KerasTensor, number: int) -> keras.KerasTensor:
    x = layers.Conv1D(64, 7, padding="same", activation="relu", name=_numbered("conv2d", number))(x)
    return layers.BatchNormalization(name=f"batch_normalization_{number + 1}")(x)


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def hear(network: keras.Model, spectrogram: np.ndarray) -> Heard:
    """What a network makes of the patches of a spectrogram.

    Parameters
    ----------
    network : keras.Model
        Of `build`.
    spectrogram : np.ndarray [shape=(n_frames, N_MELS)]
    """
    heard = network.predict_on_batch(patches(spectrogram))
    found = heard["found"]
    return Heard(np.concatenate([found.mean(axis=0), found.std(axis=0)]), heard["tags"].mean(axis=0))
