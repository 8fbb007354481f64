"""The nine descriptors of the first study, and tempo."""

from __future__ import annotations

from typing import NamedTuple

import librosa
import numpy as np

from songgenre.features.spectra import Spectra
from songgenre.features.statistics import summarise


class Meaning(NamedTuple):
    """What a descriptor says."""

    unit: str
    meaning: str


DICTIONARY = {
    "chroma": Meaning("0 to 1", "share of each of the twelve pitch classes"),
    "rms": Meaning("full scale", "loudness: root mean square"),
    "spectral_centroid": Meaning("Hz", "brightness: centre of mass of the spectrum"),
    "spectral_bandwidth": Meaning("Hz", "spread of the spectrum around its centroid"),
    "spectral_contrast": Meaning("dB", "peaks against valleys in each of seven octave bands"),
    "spectral_rolloff": Meaning("Hz", "frequency below which 85 % of the magnitude lies"),
    "zero_crossing_rate": Meaning("per sample", "how often the signal changes its sign: noisiness"),
    "mfcc": Meaning("dB", "timbre: shape of the mel spectrum on a cosine basis"),
    "tonnetz": Meaning("-1 to 1", "tonal centroid: fifths, minor and major thirds"),
    "tempo": Meaning("beats per minute", "the most likely beat"),
}


def describe(y: np.ndarray, spectra: Spectra, n_mfcc: int) -> dict[str, float]:
    """Describe a clip by statistics over time of each descriptor (`summarise`), and its tempo.

    Each is that of librosa's function of the same name (McFee et al. 2015), with ``sr`` given and the spectrogram
    shared. `DICTIONARY` tells what they mean. Tonnetz is computed from the STFT chroma.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    spectra : Spectra
        Of the same clip.
    n_mfcc : int

    Returns
    -------
    dict
        Finite numbers only; silence has tempo 0 and tonnetz 0.
    """
    statistics: dict[str, float] = {}
    for name, frames in _frames(y, spectra, n_mfcc).items():
        statistics |= summarise(name, frames)
    return statistics | {"tempo": _tempo(spectra)}


def _frames(y: np.ndarray, spectra: Spectra, n_mfcc: int) -> dict[str, np.ndarray]:
    """Every descriptor over time [shape=(n_rows, n_frames)]."""
    sr, magnitude = spectra.sample_rate, spectra.magnitude
    feature = librosa.feature
    chroma = feature.chroma_stft(S=magnitude**2, sr=sr, n_fft=spectra.n_fft)
    centroid = feature.spectral_centroid(S=magnitude, sr=sr)
    return {
        "chroma": chroma,
        "rms": feature.rms(y=y, frame_length=spectra.n_fft, hop_length=spectra.hop_length),
        "spectral_centroid": centroid,
        "spectral_bandwidth": feature.spectral_bandwidth(S=magnitude, sr=sr, centroid=centroid),
        "spectral_contrast": feature.spectral_contrast(S=magnitude, sr=sr),
        "spectral_rolloff": feature.spectral_rolloff(S=magnitude, sr=sr),
        "zero_crossing_rate": feature.zero_crossing_rate(y, frame_length=spectra.n_fft, hop_length=spectra.hop_length),
        "mfcc": feature.mfcc(S=librosa.power_to_db(spectra.mel_power), sr=sr, n_mfcc=n_mfcc),
        "tonnetz": feature.tonnetz(chroma=chroma, sr=sr),
    }


def _tempo(spectra: Spectra) -> float:
    onset_envelope = librosa.onset.onset_strength(
        S=librosa.power_to_db(spectra.mel_power), sr=spectra.sample_rate, hop_length=spectra.hop_length
    )
    if not onset_envelope.any():
        return 0.0
    tempo = librosa.feature.tempo(onset_envelope=onset_envelope, sr=spectra.sample_rate, hop_length=spectra.hop_length)
    return float(tempo[0])
