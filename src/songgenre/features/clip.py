"""The features of one clip, from a file or from samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.errors import UserError
from songgenre.features.descriptors import FEATURE_SETS, FeatureSet, columns, describe_spectra
from songgenre.features.spectra import MAX_MFCC, Spectra, mel_levels

HOP_LENGTH_UNIT = 64
"""Halved six times, for the octaves of the constant-Q transform, a hop is still a whole number of samples."""


def describe(
    y: np.ndarray | str | Path,
    sr: int = 22_050,
    *,
    feature_set: FeatureSet = "fma",
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mfcc: int = 20,
) -> pd.Series:
    """Describe a clip by numbers.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], str or Path
        Mono audio, or a file, of which the mean of the channels is taken at the sample rate `sr`.
    sr : int
        Sample rate in Hz, 16,000 or more.
    feature_set : str
        ``"basic"``, ``"fma"`` or ``"full"``; see `songgenre.features.descriptors.describe_spectra`.
    n_fft, hop_length : int
        Of the short-time Fourier transform, in samples; `hop_length` a multiple of 64.
    n_mfcc : int

    Returns
    -------
    pd.Series
        float; the index names the descriptors and statistics.

    Raises
    ------
    UserError
        If a file cannot be decoded, the samples are not one-dimensional and finite, or a parameter is out of range.
    """
    _check(feature_set, n_mfcc)
    return _describe(_spectra(y, sr, n_fft, hop_length, n_mels=128), feature_set, n_mfcc)


def mel_image(
    y: np.ndarray | str | Path,
    sr: int = 22_050,
    *,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    db_range: float = 80.0,
) -> np.ndarray:
    """Draw the mel spectrogram of a clip.

    Parameters
    ----------
    y, sr, n_fft, hop_length
        See `describe`.
    n_mels : int
        Bands.
    db_range : float
        What lies this many dB or more below the loudest point is 0; the loudest point is 255.

    Returns
    -------
    np.ndarray [shape=(n_mels, n_frames), dtype=uint8]

    Raises
    ------
    UserError
        See `describe`.
    """
    return mel_levels(_spectra(y, sr, n_fft, hop_length, n_mels).mel_power, db_range)[0]


def _describe(spectra: Spectra, feature_set: FeatureSet, n_mfcc: int) -> pd.Series:
    values = pd.Series(describe_spectra(spectra, feature_set), columns(feature_set, MAX_MFCC), name=feature_set)
    return values[columns(feature_set, n_mfcc)]


def _spectra(y: np.ndarray | str | Path, sr: int, n_fft: int, hop_length: int, n_mels: int) -> Spectra:
    if hop_length < HOP_LENGTH_UNIT or hop_length % HOP_LENGTH_UNIT:
        raise UserError(f"Expected hop_length to be a multiple of {HOP_LENGTH_UNIT} samples, got {hop_length}.")
    if sr < 16_000:
        raise UserError(f"Expected sr to be 16000 Hz or more, as spectral contrast looks up to 6.4 kHz, got {sr}.")
    if isinstance(y, str | Path):
        y = _whole_file(Path(y), sr)
    if y.ndim != 1 or len(y) == 0 or not np.isfinite(y).all():
        raise UserError(f"Expected finite samples of mono audio [shape=(n,)], got shape {y.shape}.")
    return Spectra(y, sr, n_fft, hop_length, n_mels)


def _whole_file(path: Path, sr: int) -> np.ndarray:
    return audio.load_clip(audio.Clip(path, 0, audio.duration_s(path)), sr)


def _check(feature_set: str, n_mfcc: int) -> None:
    if feature_set not in FEATURE_SETS:
        raise UserError(f"Expected a feature_set of descriptors ({', '.join(FEATURE_SETS)}), got {feature_set!r}.")
    if not 1 <= n_mfcc <= MAX_MFCC:
        raise UserError(f"Expected n_mfcc to be 1 to {MAX_MFCC}, got {n_mfcc}.")
