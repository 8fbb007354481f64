"""Features of one clip."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from songgenre import audio
from songgenre.features.descriptors import describe_spectra
from songgenre.features.spectra import Spectra, mel_levels
from songgenre.params import Features


class ClipFeatures(NamedTuple):
    """The features of one clip.

    Parameters
    ----------
    descriptors : np.ndarray [shape=(n,)]
        Values as returned by `songgenre.features.descriptors.describe_spectra`.
    mel : np.ndarray [shape=(n_mels, n_frames), dtype=uint8]
        8-bit log-mel spectrogram.
    mel_db_max : float
        Level of the spectrogram's maximum, in dB.
    """

    descriptors: np.ndarray
    mel: np.ndarray
    mel_db_max: float


def extract(clip: audio.Clip, config: Features) -> ClipFeatures:
    """Compute the descriptors and the 8-bit log-mel spectrogram of a clip.

    Parameters
    ----------
    clip : Clip
        Part of an audio file.
    config : Features
        Section ``features`` of ``params.yaml``.

    Returns
    -------
    ClipFeatures
        Descriptors with `MAX_MFCC` MFCC, and the mel spectrogram.

    Raises
    ------
    UserError
        If the clip cannot be decoded.
    """
    y = audio.load_clip(clip, config.sample_rate)
    spectra = Spectra(y, config.sample_rate, config.n_fft, config.hop_length, config.n_mels)
    return ClipFeatures(
        describe_spectra(spectra, config.feature_set), *mel_levels(spectra.mel_power, config.mel_db_range)
    )
