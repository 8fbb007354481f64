"""How a clip moves: its tempo, its onsets, and how its bands pulsate."""

from __future__ import annotations

from itertools import pairwise

import librosa
import numpy as np
import scipy.fft

from songgenre import numba_cache  # noqa: F401
from songgenre.features.spectra import Spectra

N_BANDS = 16
"""Groups of neighbouring mel bands."""

WINDOW_S = 6.0
"""In which pulsation is looked for, in seconds."""

RATE_EDGES = np.array([18, 27, 38, 54, 76, 107, 151, 214, 302, 427, 604])
"""Bounds of the rates of pulsation, half an octave each, per minute."""

RATES = [round(np.sqrt(low * high)) for low, high in pairwise(RATE_EDGES)]
"""Their middles, per minute."""


def tempo(spectra: Spectra) -> np.ndarray:
    """Beats per minute (`librosa.feature.tempo`) [shape=(1,)]; 0 where nothing begins."""
    onsets = spectra.onset_strength
    if not onsets.any():
        return np.zeros(1)
    return librosa.feature.tempo(onset_envelope=onsets, sr=spectra.sample_rate, hop_length=spectra.hop_length)


def onset_rate(spectra: Spectra) -> np.ndarray:
    """Onsets per second (`librosa.onset.onset_detect`) [shape=(1,)]."""
    onsets = librosa.onset.onset_detect(
        onset_envelope=spectra.onset_strength, sr=spectra.sample_rate, hop_length=spectra.hop_length
    )
    return np.array([len(onsets) * spectra.sample_rate / len(spectra.y)])


def fluctuation(spectra: Spectra) -> np.ndarray:
    """How strongly each band pulsates at each rate.

    The level in mel bands over time is transformed as if it were a sound: a rhythm shows as a tone. Of the windows,
    which overlap by half, the median is taken, so that a single event does not count.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    np.ndarray [shape=(N_BANDS * len(RATES),)]
        Logarithm of 1 + the amplitude in dB times half a window, band by band from the lowest; all 0 in what never
        changes.

    References
    ----------
    Pampalk, E., Rauber, A., & Merkl, D. (2002). Content-based organization and visualization of music archives.
    """
    frames_per_s = spectra.sample_rate / spectra.hop_length
    width = round(WINDOW_S * frames_per_s)
    levels = _bands(spectra.mel_db)
    levels = np.pad(levels, ((0, 0), (0, max(0, width - levels.shape[1]))), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(levels, width, axis=1)[:, :: width // 2]
    swing = (windows - windows.mean(axis=2, keepdims=True)) * librosa.filters.get_window("hann", width)
    amplitude = np.median(np.abs(scipy.fft.rfft(swing, axis=2)), axis=1)
    per_minute = 60 * frames_per_s / width * np.arange(amplitude.shape[1])
    edges = np.searchsorted(per_minute, RATE_EDGES)
    pulsation = np.stack([amplitude[:, low:high].mean(axis=1) for low, high in pairwise(edges)], axis=1)
    return np.log1p(pulsation).ravel()


def _bands(mel_db: np.ndarray) -> np.ndarray:
    """Mean level of neighbouring mel bands [shape=(N_BANDS, n_frames)]."""
    groups = np.array_split(mel_db.astype(np.float64), N_BANDS)
    return np.stack([group.mean(axis=0) for group in groups])
