"""Rhythm descriptors of a clip: tempo, onset rate and fluctuation patterns."""

from __future__ import annotations

from itertools import pairwise

import librosa
import numpy as np
import scipy.fft

from songgenre.features.spectra import Spectra
from songgenre.runtime import numba_cache  # noqa: F401

N_BANDS = 16
"""Number of groups of neighboring mel bands in the fluctuation patterns."""

WINDOW_S = 6.0
"""Length of the windows of the fluctuation patterns, in seconds."""

RATE_EDGES = np.array([18, 27, 38, 54, 76, 107, 151, 214, 302, 427, 604])
"""Bounds of the modulation rates, half an octave each, per minute."""

RATES = [round(np.sqrt(low * high)) for low, high in pairwise(RATE_EDGES)]
"""Geometric centers of the modulation rates, per minute."""


def tempo(spectra: Spectra) -> np.ndarray:
    """Estimate the tempo with `librosa.feature.tempo`.

    Parameters
    ----------
    spectra : Spectra
        Transforms of the clip.

    Returns
    -------
    np.ndarray [shape=(1,)]
        Tempo in beats per minute; 0 in a clip without onsets.
    """
    onsets = spectra.onset_strength
    if not onsets.any():
        return np.zeros(1)
    return librosa.feature.tempo(onset_envelope=onsets, sr=spectra.sample_rate, hop_length=spectra.hop_length)


def onset_rate(spectra: Spectra) -> np.ndarray:
    """Count the onsets detected by `librosa.onset.onset_detect`, per second.

    Parameters
    ----------
    spectra : Spectra
        Transforms of the clip.

    Returns
    -------
    np.ndarray [shape=(1,)]
        Number of onsets per second.
    """
    onsets = librosa.onset.onset_detect(
        onset_envelope=spectra.onset_strength, sr=spectra.sample_rate, hop_length=spectra.hop_length
    )
    return np.array([len(onsets) * spectra.sample_rate / len(spectra.y)])


def fluctuation(spectra: Spectra) -> np.ndarray:
    """Compute fluctuation patterns: the strength of periodic level changes per band and modulation rate.

    The level of each band over time is Fourier transformed in windows that overlap by half. The median over the windows
    suppresses single events. See Pampalk et al. (2002), `pampalk2002content` in docs/references.bib.

    Parameters
    ----------
    spectra : Spectra
        Transforms of the clip.

    Returns
    -------
    np.ndarray [shape=(N_BANDS * len(RATES),)]
        ``log(1 + a)`` of the spectral magnitudes ``a`` (amplitude in dB times half the window length in frames), band
        by band from the lowest; 0 where the level is constant.
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
    """Average the levels of neighboring mel bands [shape=(N_BANDS, n_frames)]."""
    groups = np.array_split(mel_db.astype(np.float64), N_BANDS)
    return np.stack([group.mean(axis=0) for group in groups])
