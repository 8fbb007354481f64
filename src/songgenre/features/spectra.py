"""Spectra of a clip, each computed once and shared by all that is derived from it."""

from __future__ import annotations

from dataclasses import dataclass

import librosa
import numpy as np


@dataclass(frozen=True)
class Spectra:
    """What the descriptors and the mel image are computed from.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_fft, hop_length : int
        Of the short-time Fourier transform, in samples.
    magnitude : np.ndarray [shape=(1 + n_fft // 2, n_frames)]
    mel_power : np.ndarray [shape=(n_mels, n_frames)]
    """

    sample_rate: int
    n_fft: int
    hop_length: int
    magnitude: np.ndarray
    mel_power: np.ndarray


def spectra(y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int, n_mels: int) -> Spectra:
    """Transform a clip (`librosa.stft`, `librosa.feature.melspectrogram`).

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    sample_rate : int
        In Hz.
    n_fft, hop_length : int
        In samples.
    n_mels : int

    Returns
    -------
    Spectra
    """
    magnitude = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length))
    mel_power = librosa.feature.melspectrogram(S=magnitude**2, sr=sample_rate, n_mels=n_mels)
    return Spectra(sample_rate, n_fft, hop_length, magnitude, mel_power)


def mel_image(mel_power: np.ndarray, db_range: float) -> tuple[np.ndarray, float]:
    """Mel spectrogram as an 8-bit image.

    Parameters
    ----------
    mel_power : np.ndarray [shape=(n_mels, n_frames)]
    db_range : float
        What lies this many dB or more below the loudest point is 0; the loudest point is 255.

    Returns
    -------
    image : np.ndarray [shape=(n_mels, n_frames), dtype=uint8]
    db_max : float
        Level of the loudest point, in dB; -100 dB or more by definition, also for silence.
    """
    db = librosa.power_to_db(mel_power, ref=1.0, amin=1e-10, top_db=None)
    db_max = float(db.max())
    image = np.rint((1 + (db - db_max) / db_range).clip(0, 1) * 255)
    return image.astype(np.uint8), db_max
