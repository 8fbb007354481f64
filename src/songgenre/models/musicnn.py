"""musicnn (Pons and Serra, `pons2019musicnn`) in NumPy: a network that predicts tags of music, with its weights.

The input is a log-mel spectrogram. Filters of the first layer span either many mel bands (timbre) or many frames
(rhythm); three convolutions over time follow. The features of a patch of 3 s are the mean and the maximum of all
activations over time, and the penultimate layer. The embedding of a clip is the mean and the standard deviation of
these features over its patches.

After the first layer only the maximum of each filter over frequency is used, so each convolution is a series of matrix
products, none of which needs to be stored. `make bench` compares this module with the same networks in Keras; it avoids
the start-up time of TensorFlow, several seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from songgenre.models.musicnn_weights import variable_name

SAMPLE_RATE = 16_000
N_FFT = 512
HOP_LENGTH = 256
N_MELS = 96
MEL_HZ = 200 / 3
"""Width of a mel below `MEL_BREAK_HZ`, in Hz."""
MEL_BREAK_HZ = 1000.0
MEL_LOG_STEP = np.log(6.4) / 27
"""Logarithm of the ratio of the frequencies of successive mels above `MEL_BREAK_HZ`."""
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

COLUMNS_PER_BLOCK = 256
"""Number of frames per matrix product, small enough for the products to stay in the processor's cache."""
MAX_SHORT_FILTER = 64
"""Size of the longest filter that is not halved."""
EPSILON = 1e-3
"""Constant that the batch normalization adds to the variance."""

PENULTIMATE = 200
POOLED = 753


class MusicnnFeatures(NamedTuple):
    """Embedding and tags of a clip by one network.

    Parameters
    ----------
    embedding : np.ndarray [shape=(2 * (PENULTIMATE + 2 * POOLED),), dtype=float32]
        Mean over the patches, then standard deviation, of: the penultimate layer, and the mean and the maximum of the
        convolutions over time.
    tags : np.ndarray [shape=(n_tags,), dtype=float32]
        Probability of each of `TAGS`, the mean over the patches.
    """

    embedding: np.ndarray
    tags: np.ndarray


def log_mel(y: np.ndarray) -> np.ndarray:
    """Compute the spectrogram that the networks were trained on, log10(1 + 10000 x).

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Audio signal at `SAMPLE_RATE`.

    Returns
    -------
    np.ndarray [shape=(n_frames, N_MELS), dtype=float32]
        Log-mel spectrogram, as from ``librosa.feature.melspectrogram``; librosa pads one sample differently if `n` is a
        multiple of `HOP_LENGTH`, which changes the last frame by less than 0.01.

    Raises
    ------
    ValueError
        If the samples are integers, or not all of them are finite.
    """
    if y.dtype.kind != "f" or not np.isfinite(y).all():
        raise ValueError(f"signal: the samples are {y.dtype}, or some are not finite. Pass finite samples in -1 to 1.")
    centred = np.pad(y, N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(centred, N_FFT)[::HOP_LENGTH]
    power = np.abs(np.fft.rfft(frames * _hann(N_FFT)).astype(np.complex64)) ** 2
    with threadpool_limits(1):
        mel = _mel_filters() @ power.T
    return np.log10(1 + 10_000 * mel.T).astype(np.float32)


def _hann(n: int) -> np.ndarray:
    """Compute a periodic Hann window [shape=(n,)]."""
    return 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, n + 1)[:-1])


@cache
def _mel_filters() -> np.ndarray:
    """Compute triangular filters on Slaney's mel scale, each of unit area [shape=(N_MELS, 1 + N_FFT // 2)].

    They equal ``librosa.filters.mel``; the import of librosa would take longer than a prediction.
    """
    edges = _mel_to_hz(np.linspace(0, _hz_to_mel(SAMPLE_RATE / 2), N_MELS + 2))
    distances = edges[:, np.newaxis] - np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    widths = np.diff(edges)[:, np.newaxis]
    rising, falling = -distances[:-2] / widths[:-1], distances[2:] / widths[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, np.newaxis]).astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    """Convert a frequency above `MEL_BREAK_HZ`, where the scale is logarithmic."""
    return MEL_BREAK_HZ / MEL_HZ + float(np.log(hz / MEL_BREAK_HZ)) / MEL_LOG_STEP


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    above = mel - MEL_BREAK_HZ / MEL_HZ
    return np.where(above < 0, MEL_HZ * mel, MEL_BREAK_HZ * np.exp(MEL_LOG_STEP * above))


def cut_patches(spectrogram: np.ndarray) -> np.ndarray:
    """Cut a spectrogram into as many patches of 3 s as fit, evenly spread; a shorter one is repeated to fill one patch.

    Parameters
    ----------
    spectrogram : np.ndarray [shape=(n_frames, N_MELS)]
        Log-mel spectrogram.

    Returns
    -------
    np.ndarray [shape=(n_patches, PATCH_FRAMES, N_MELS)]
        The patches, in order of time.
    """
    missing = max(0, PATCH_FRAMES - len(spectrogram))
    filled = np.pad(spectrogram, ((0, missing), (0, 0)), mode="wrap")
    return np.stack([filled[start : start + PATCH_FRAMES] for start in place_patches(len(spectrogram))])


def place_patches(n_frames: int) -> np.ndarray:
    """Compute where the patches of a spectrogram start.

    Parameters
    ----------
    n_frames : int
        Number of frames of the spectrogram.

    Returns
    -------
    np.ndarray [shape=(n_patches,), dtype=int]
        First frame of each patch of `cut_patches`.
    """
    filled = max(n_frames, PATCH_FRAMES)
    return np.linspace(0, filled - PATCH_FRAMES, filled // PATCH_FRAMES).round().astype(int)


def forward(variables: Mapping[str, np.ndarray], spectrogram: np.ndarray) -> MusicnnFeatures:
    """Compute the embedding and the tags of a clip.

    The result does not depend on the number of cores.

    Parameters
    ----------
    variables : mapping
        From the name of a variable, such as ``conv2d_1/kernel``, to its values, as
        `songgenre.models.musicnn_weights.load_weights` returns them.
    spectrogram : np.ndarray [shape=(n_frames, N_MELS)]
        Log-mel spectrogram of the clip.

    Returns
    -------
    MusicnnFeatures
        Embedding and tags.
    """
    return pool_patches(*activate_patches(variables, spectrogram))


def activate_patches(variables: Mapping[str, np.ndarray], spectrogram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the features and the tags of each patch of a clip.

    Parameters
    ----------
    variables : mapping
        Variables of the network, see `forward`.
    spectrogram : np.ndarray [shape=(n_frames, N_MELS)]
        Log-mel spectrogram of the clip.

    Returns
    -------
    activations : np.ndarray [shape=(n_patches, PENULTIMATE + 2 * POOLED)]
        Features of each patch.
    tags : np.ndarray [shape=(n_patches, n_tags)]
        Probability of each tag in each patch.
    """
    with threadpool_limits(1):
        activations = _convolve_patches(cut_patches(spectrogram), variables)
        maximum, mean = activations.max(axis=1), activations.mean(axis=1)
        pooled = np.stack([maximum, mean], axis=-1).reshape(len(activations), -1)
        hidden = _dense(_normalize(pooled, variables, 9), variables, "dense")
        penultimate = _normalize(np.maximum(hidden, 0), variables, 10)
        tags = 1 / (1 + np.exp(-_dense(penultimate, variables, "dense_1")))
        return np.concatenate([penultimate, mean, maximum], axis=1), tags


def pool_patches(activations: np.ndarray, tags: np.ndarray) -> MusicnnFeatures:
    """Pool the features of patches into those of a clip.

    Parameters
    ----------
    activations : np.ndarray [shape=(n_patches, PENULTIMATE + 2 * POOLED)]
        Features of each patch.
    tags : np.ndarray [shape=(n_patches, n_tags)]
        Probability of each tag in each patch.

    Returns
    -------
    MusicnnFeatures
        Mean and standard deviation of the features, and mean probability of the tags.
    """
    return MusicnnFeatures(np.concatenate([activations.mean(axis=0), activations.std(axis=0)]), tags.mean(axis=0))


def _convolve_patches(patches: np.ndarray, variables: Mapping[str, np.ndarray]) -> np.ndarray:
    """Compute the activations of all convolutions [shape=(n_patches, PATCH_FRAMES, POOLED)]."""
    x = _normalize(patches, variables, 0)
    timbre = [_filter_bank(x, variables, number, _timbral_frontend) for number in (0, 1)]
    rhythm = [_filter_bank(x, variables, number, _temporal_frontend) for number in (2, 3, 4)]
    front = np.concatenate([*timbre, *rhythm], axis=2)
    first = _midend(front, variables, 5)
    second = _midend(first, variables, 6) + first
    third = _midend(second, variables, 7) + second
    return np.concatenate([front, first, second, third], axis=2)


def _filter_bank(
    x: np.ndarray,
    variables: Mapping[str, np.ndarray],
    number: int,
    highest: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Compute a normalized convolution and its maximum over frequency [shape=(n_patches, PATCH_FRAMES, n)].

    Filters with a negative scale are negated first, because the scale turns their minimum into the maximum.
    """
    scale, shift = _batch_norm(variables, number + 1)
    sign = np.sign(scale)
    peaks = highest(x, variables[f"{variable_name('conv2d', number)}/kernel"][:, :, 0] * sign) * sign
    return np.maximum(peaks + variables[f"{variable_name('conv2d', number)}/bias"], 0) * scale + shift


def _timbral_frontend(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Compute the maximum over frequency of a convolution with kernels of few frames and many bands.

    Parameters
    ----------
    x : np.ndarray [shape=(n_patches, PATCH_FRAMES, N_MELS)]
        Patches.
    kernel : np.ndarray [shape=(n_frames, height, n)]
        Filters.
    """
    n_frames, height, n = kernel.shape
    padded = np.pad(x, ((0, 0), (n_frames // 2, n_frames // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, n_frames, axis=1)
    frames = windows.transpose(2, 3, 0, 1).reshape(N_MELS, n_frames, -1)
    highest = np.full((n, frames.shape[2]), -np.inf, dtype=np.float32)
    for start in range(0, frames.shape[2], COLUMNS_PER_BLOCK):
        columns = slice(start, start + COLUMNS_PER_BLOCK)
        for values in _convolve(frames[:, :, columns], kernel.transpose(1, 0, 2), N_MELS - height + 1):
            np.maximum(highest[:, columns], values, out=highest[:, columns])
    return highest.T.reshape(*x.shape[:2], n)


def _temporal_frontend(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Compute the maximum over frequency of a convolution with kernels of many frames and one band.

    Parameters
    ----------
    x : np.ndarray [shape=(n_patches, PATCH_FRAMES, N_MELS)]
        Patches.
    kernel : np.ndarray [shape=(length, 1, n)]
        Filters.
    """
    length, _, n = kernel.shape
    before = (length - 1) // 2
    padded = np.pad(x, ((0, 0), (before, length - 1 - before), (0, 0)))
    bands = padded.transpose(1, 0, 2).reshape(-1, 1, len(x) * N_MELS)
    by_frame = [values.reshape(n, len(x), N_MELS).max(axis=2) for values in _convolve(bands, kernel, PATCH_FRAMES)]
    return np.stack(by_frame).transpose(2, 0, 1)


def _convolve(x: np.ndarray, taps: np.ndarray, n_places: int) -> Iterator[np.ndarray]:
    """Yield the products of filters with every column, one place after the other.

    Two neighbouring places share a product, so three products of half the length give both (fast FIR algorithm): with
    even and odd taps h0 and h1 and inputs x0, x1 and x2, ``h0 x0 + h1 x1`` and ``h0 x1 + h1 x2`` equal ``h0 (x0 - x1)``
    and ``h1 (x2 - x1)``, each plus ``(h0 + h1) x1``. The halves are halved again until they are short.

    Parameters
    ----------
    x : np.ndarray [shape=(length, width, n_columns)]
        Input.
    taps : np.ndarray [shape=(n_taps, width, n)]
        Filters.
    n_places : int
        Number of places.

    Yields
    ------
    np.ndarray [shape=(n, n_columns)]
        For place p, the sum over k of ``taps[k].T @ x[p + k]``.
    """
    length, width, n_columns = x.shape
    n_taps, _, n = taps.shape
    if n_taps * width <= MAX_SHORT_FILTER:
        x = np.ascontiguousarray(x)
        filters = taps.reshape(-1, n).T
        for place in range(n_places):
            yield filters @ x[place : place + n_taps].reshape(-1, n_columns)
        return
    x = np.pad(x, ((0, 1 + length % 2), (0, 0), (0, 0)))
    taps = np.pad(taps, ((0, n_taps % 2), (0, 0), (0, 0)))
    first, middle, last = x[0:-1:2], x[1::2], x[2::2]
    of_even = _convolve(first - middle, taps[0::2], (n_places + 1) // 2)
    of_odd = _convolve(last - middle, taps[1::2], n_places // 2)
    for shared in _convolve(middle, taps[0::2] + taps[1::2], (n_places + 1) // 2):
        for of_place in (of_even, of_odd):
            for values in islice(of_place, 1):
                values += shared
                yield values


def _midend(x: np.ndarray, variables: Mapping[str, np.ndarray], number: int) -> np.ndarray:
    kernel = variables[f"conv2d_{number}/kernel"][:, :, 0]
    n_frames = len(kernel)
    padded = np.pad(x, ((0, 0), (n_frames // 2, n_frames // 2), (0, 0)))
    convolved = sum(padded[:, k : k + PATCH_FRAMES] @ kernel[k] for k in range(n_frames))
    return _normalize(np.maximum(convolved + variables[f"conv2d_{number}/bias"], 0), variables, number + 1)


def _dense(x: np.ndarray, variables: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    return x @ variables[f"{name}/kernel"] + variables[f"{name}/bias"]


def _normalize(x: np.ndarray, variables: Mapping[str, np.ndarray], number: int) -> np.ndarray:
    scale, shift = _batch_norm(variables, number)
    return x * scale + shift


def _batch_norm(variables: Mapping[str, np.ndarray], number: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the scale and the shift of a batch normalization."""
    name = variable_name("batch_normalization", number)
    scale = variables[f"{name}/gamma"] / np.sqrt(variables[f"{name}/moving_variance"] + np.float32(EPSILON))
    return scale, variables[f"{name}/beta"] - variables[f"{name}/moving_mean"] * scale
