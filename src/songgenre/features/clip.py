"""Features of one clip, computed from a file or from samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.errors import UserError
from songgenre.features.descriptors import FEATURE_SETS, FeatureSet, columns, describe_spectra
from songgenre.features.spectra import MAX_MFCC, Spectra, mel_levels

HOP_LENGTH_UNIT = 64
"""Hop lengths are multiples of 64 samples: the constant-Q transform halves the hop six times, once per octave."""


def describe(
    y: np.ndarray | str | Path,
    sr: int = 22_050,
    *,
    feature_set: FeatureSet = "fma",
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mfcc: int = 20,
) -> pd.Series:
    """Compute the descriptors of a clip, summarized over time.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], str or Path
        Mono samples, or the path of an audio file, which is mixed down to mono and resampled to `sr`.
    sr : int
        Sample rate in Hz, 16,000 or more.
    feature_set : {"basic", "fma", "full"}
        Descriptors and statistics to compute; see `songgenre.features.descriptors.columns`.
    n_fft : int
        Window length of the short-time Fourier transform, in samples.
    hop_length : int
        Distance between neighboring frames, in samples; a multiple of 64.
    n_mfcc : int
        Number of mel-frequency cepstral coefficients, 1 to 40.

    Returns
    -------
    pd.Series [dtype=float64]
        Values, indexed by the names of descriptor and statistic, such as ``mfcc_01_mean``.

    Raises
    ------
    UserError
        If a file cannot be decoded, the samples are not one-dimensional and finite, or a parameter is out of range.

    Examples
    --------
    A tone of 440 Hz:

    >>> import numpy as np
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 22_050)
    >>> descriptors = describe(tone, 22_050, feature_set="basic")
    >>> descriptors[["spectral_centroid_mean", "rms_mean"]].round(1).to_dict()
    {'spectral_centroid_mean': 446.2, 'rms_mean': 0.2}
    >>> len(descriptors), len(describe(tone, 22_050, feature_set="fma"))
    (101, 518)
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
    """Compute the 8-bit log-mel spectrogram of a clip.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)], str or Path
        Mono samples, or the path of an audio file, which is mixed down to mono and resampled to `sr`.
    sr : int
        Sample rate in Hz, 16,000 or more.
    n_fft : int
        Window length of the short-time Fourier transform, in samples.
    hop_length : int
        Distance between neighboring frames, in samples; a multiple of 64.
    n_mels : int
        Number of mel bands.
    db_range : float
        Dynamic range in dB: levels this far or farther below the maximum become 0; the maximum becomes 255.

    Returns
    -------
    np.ndarray [shape=(n_mels, n_frames), dtype=uint8]
        Mel spectrogram in dB, scaled linearly to 0-255; the lowest band is the first row.

    Raises
    ------
    UserError
        If a file cannot be decoded, the samples are not one-dimensional and finite, or a parameter is out of range.

    Examples
    --------
    A tone of 440 Hz is loudest in the mel band that is centered at 438 Hz:

    >>> import numpy as np
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 22_050)
    >>> image = mel_image(tone, 22_050)
    >>> image.shape, image.dtype.name, int(image.max())
    ((128, 87), 'uint8', 255)
    >>> int(image[:, 40].argmax())
    16
    """
    return mel_levels(_spectra(y, sr, n_fft, hop_length, n_mels).mel_power, db_range)[0]


def _describe(spectra: Spectra, feature_set: FeatureSet, n_mfcc: int) -> pd.Series:
    values = pd.Series(describe_spectra(spectra, feature_set), columns(feature_set, MAX_MFCC), name=feature_set)
    return values[columns(feature_set, n_mfcc)]


def _spectra(y: np.ndarray | str | Path, sr: int, n_fft: int, hop_length: int, n_mels: int) -> Spectra:
    if hop_length < HOP_LENGTH_UNIT or hop_length % HOP_LENGTH_UNIT:
        raise UserError(f"hop_length: must be a positive multiple of {HOP_LENGTH_UNIT} samples, not {hop_length}.")
    if sr < 16_000:
        raise UserError(f"sr: {sr} Hz is too low. Use 16000 Hz or more; spectral contrast covers bands up to 6.4 kHz.")
    if isinstance(y, str | Path):
        y = _whole_file(Path(y), sr)
    if y.ndim != 1 or len(y) == 0 or not np.isfinite(y).all():
        raise UserError(f"y: must be one or more finite samples of mono audio [shape=(n,)]; its shape is {y.shape}.")
    return Spectra(y, sr, n_fft, hop_length, n_mels)


def _whole_file(path: Path, sr: int) -> np.ndarray:
    return audio.load_clip(audio.Clip(path, 0, audio.duration_s(path)), sr)


def _check(feature_set: str, n_mfcc: int) -> None:
    if feature_set not in FEATURE_SETS:
        raise UserError(f"feature_set: must be one of {', '.join(FEATURE_SETS)}, not {feature_set!r}.")
    if not 1 <= n_mfcc <= MAX_MFCC:
        raise UserError(f"n_mfcc: must be 1 to {MAX_MFCC}, not {n_mfcc}.")
