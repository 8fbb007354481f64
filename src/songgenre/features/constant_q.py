"""Constant-Q transform as defined by `librosa.cqt`, with the filters of one octave in one small matrix.

The same filters serve every octave, because the signal is downsampled by 2 from each octave to the next lower one
(Schörkhuber and Klapuri 2010, `schoerkhuber2010constantq` in docs/references.bib). These filters are short in time, so
frames are multiplied with them directly, which saves the Fourier transforms.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import librosa
import numpy as np

from songgenre.runtime import numba_cache  # noqa: F401

FMIN = 32.70319566257483
"""Frequency of the lowest bin (the note C1), in Hz."""
BINS_PER_OCTAVE = 12
N_OCTAVES = 7
SPARSITY = 0.01
"""Share of each filter's magnitude that is set to zero in the frequency domain, as in librosa."""


class Filters(NamedTuple):
    """Filters of the transform for one sample rate, hop length and tuning.

    Parameters
    ----------
    octave : np.ndarray [shape=(n_fft, 2 * BINS_PER_OCTAVE), dtype=float64]
        Real and imaginary parts of the filters of the highest octave, divided by the square roots of their lengths.
    n_early_downsamples : int
        Number of times the signal is downsampled by 2 before the highest octave.
    """

    octave: np.ndarray
    n_early_downsamples: int


def constant_q(y: np.ndarray, sample_rate: int, hop_length: int, tuning: float) -> np.ndarray:
    """Compute the magnitude of the constant-Q transform: seven octaves from C1 with twelve bins each.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Mono samples.
    sample_rate : int
        Sample rate of `y` in Hz.
    hop_length : int
        Distance between neighboring frames, in samples; a multiple of 64.
    tuning : float
        Deviation from A440, in bins (semitones).

    Returns
    -------
    np.ndarray [shape=(84, 1 + n // hop_length), dtype=float32]
        Magnitude per bin and frame; the lowest bin is the first row.
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
    """Compute the magnitude of one octave [shape=(n_frames, BINS_PER_OCTAVE)]."""
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
