"""The constant-Q transform, as `librosa.cqt` defines it, with the filters of all octaves in one small matrix.

An octave lower, at half the sample rate, the same filters serve; so the signal is halved from octave to octave [1]_.
The filters of one octave are sparse in frequency, but short in time: multiplying frames with them directly saves the
Fourier transforms.

.. [1] C. Schörkhuber and A. Klapuri, "Constant-Q transform toolbox for music processing", SMC 2010.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import librosa
import numpy as np

from songgenre import numba_cache  # noqa: F401

FMIN = 32.70319566257483
"""C1, in Hz."""
BINS_PER_OCTAVE = 12
N_OCTAVES = 7
SPARSITY = 0.01
"""Share of a filter's magnitude that is left out in frequency, as librosa does."""


class Filters(NamedTuple):
    """What the transform needs at one sample rate and tuning.

    Parameters
    ----------
    octave : np.ndarray [shape=(n_fft, 2 * BINS_PER_OCTAVE), dtype=float64]
        Real and imaginary parts of the filters of the highest octave, over the square roots of their lengths.
    n_early_downsamples : int
        How often the signal can be halved before the highest octave.
    """

    octave: np.ndarray
    n_early_downsamples: int


def constant_q(y: np.ndarray, sample_rate: int, hop_length: int, tuning: float) -> np.ndarray:
    """Magnitude of the constant-Q transform of seven octaves from C1, twelve bins each.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
    sample_rate : int
        In Hz.
    hop_length : int
        In samples; a multiple of 64.
    tuning : float
        Deviation from A440, in bins.

    Returns
    -------
    np.ndarray [shape=(84, 1 + n // hop_length), dtype=float32]
    """
    filters = _filters(sample_rate, hop_length, round(tuning, 6))
    for _ in range(filters.n_early_downsamples):
        y, hop_length = _downsample2(y), hop_length // 2
    octaves = []
    for octave in range(N_OCTAVES):
        if octave:
            y, hop_length = _downsample2(y), hop_length // 2
        octaves.append(_response(y, hop_length, filters.octave))
    n_frames = min(len(octave) for octave in octaves)
    return np.concatenate([octave[:n_frames] for octave in reversed(octaves)], axis=1).T


def _downsample2(y: np.ndarray) -> np.ndarray:
    return librosa.resample(y, orig_sr=2, target_sr=1, res_type="soxr_hq", scale=True)


def _response(y: np.ndarray, hop_length: int, octave: np.ndarray) -> np.ndarray:
    """Magnitude [shape=(n_frames, BINS_PER_OCTAVE)]."""
    n_fft = len(octave)
    padded = np.pad(y, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length][: 1 + len(y) // hop_length]
    response = frames.astype(np.float64) @ octave
    return np.hypot(response[:, :BINS_PER_OCTAVE], response[:, BINS_PER_OCTAVE:]).astype(np.float32)


@lru_cache(maxsize=256)
def _filters(sample_rate: int, hop_length: int, tuning: float) -> Filters:
    n_bins = N_OCTAVES * BINS_PER_OCTAVE
    fmin = FMIN * 2 ** (tuning / BINS_PER_OCTAVE)
    frequencies = librosa.interval_frequencies(
        n_bins, fmin=fmin, intervals="equal", bins_per_octave=BINS_PER_OCTAVE, sort=True
    )
    _, cutoff = librosa.filters.wavelet_lengths(freqs=frequencies, sr=sample_rate, window="hann", gamma=0)
    n_early_downsamples = _count_early_downsamples(sample_rate / 2, cutoff, hop_length)
    basis, lengths = librosa.filters.wavelet(
        freqs=frequencies[-BINS_PER_OCTAVE:],
        sr=sample_rate / 2**n_early_downsamples,
        window="hann",
        norm=1,
        pad_fft=True,
        gamma=0,
    )
    n_fft = basis.shape[1]
    spectrum = np.fft.fft(basis * lengths[:, np.newaxis] / n_fft, axis=1)[:, : n_fft // 2 + 1]
    spectrum = librosa.util.sparsify_rows(spectrum, quantile=SPARSITY, dtype=np.complex64).toarray()
    impulse_response = np.fft.fft(spectrum, n=n_fft, axis=1) / np.sqrt(lengths)[:, np.newaxis]
    octave = np.concatenate([impulse_response.real, impulse_response.imag]).T
    return Filters(np.ascontiguousarray(octave), n_early_downsamples)


def _count_early_downsamples(nyquist: float, cutoff: float, hop_length: int) -> int:
    by_frequency = int(np.ceil(np.log2(nyquist / cutoff))) - 2
    by_hop_length = (hop_length & -hop_length).bit_length() - 1 - N_OCTAVES + 1
    return max(0, min(by_frequency, by_hop_length))
