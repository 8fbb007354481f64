"""Time-frequency transforms of a clip, computed lazily and at most once."""

from __future__ import annotations

from functools import cached_property, lru_cache

import librosa
import numpy as np
import scipy.fft

from songgenre.features import kernels
from songgenre.features.constant_q import constant_q
from songgenre.runtime import numba_cache  # noqa: F401

N_CHROMA = 12
MAX_MFCC = 40
"""Number of MFCC that are always computed, so that a smaller `n_mfcc` needs no new computation."""

FRAMES_PER_BLOCK = 64
"""Number of frames transformed at once; a block and its spectra fit in the processor cache."""

PITCH_FMIN, PITCH_FMAX = 150.0, 4000.0
"""Range of frequencies from which the tuning is estimated, in Hz."""
PITCH_THRESHOLD = 0.1
"""Minimum height of a peak, as a share of its frame's maximum."""
TUNING_RESOLUTION = 0.01
"""Resolution of the tuning, in semitones."""


class Spectra:
    """Transforms of a clip, from which its descriptors and its 8-bit log-mel spectrogram are computed.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono samples, at least one.
    sample_rate : int
        Sample rate of `y` in Hz.
    n_fft : int
        Window length of the short-time Fourier transform, in samples.
    hop_length : int
        Distance between neighboring frames, in samples; a multiple of 64.
    n_mels : int
        Number of mel bands.
    """

    def __init__(self, y: np.ndarray, sample_rate: int, n_fft: int, hop_length: int, n_mels: int) -> None:
        self.y = np.ascontiguousarray(y, dtype=np.float32)
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels

    @cached_property
    def magnitude(self) -> np.ndarray:
        """Magnitude of the short-time Fourier transform [shape=(n_frames, 1 + n_fft // 2), dtype=float32].

        Equal to that of `librosa.stft`, but with one frame per row, so that the values of a frame are contiguous in
        memory. The transform is computed in double precision, as in librosa, because some descriptors depend on the
        noise floor between pure tones.
        """
        padded = np.pad(self.y, self.n_fft // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop_length]
        magnitude = np.empty((len(frames), 1 + self.n_fft // 2), dtype=np.float32)
        for start in range(0, len(frames), FRAMES_PER_BLOCK):
            block = slice(start, start + FRAMES_PER_BLOCK)
            magnitude[block] = np.abs(scipy.fft.rfft(frames[block] * _hann(self.n_fft), axis=1).astype(np.complex64))
        return magnitude

    @cached_property
    def _mel_and_chroma(self) -> tuple[np.ndarray, np.ndarray]:
        filters = _filters(self.sample_rate, self.n_fft, self.n_mels, self.tuning)
        energies = (self.magnitude**2 @ filters).T
        return energies[: self.n_mels], energies[self.n_mels :]

    @property
    def mel_power(self) -> np.ndarray:
        """Power in mel bands (`librosa.feature.melspectrogram`) [shape=(n_mels, n_frames)]."""
        return self._mel_and_chroma[0]

    @cached_property
    def mel_db(self) -> np.ndarray:
        """Level in mel bands in dB, clipped at 80 dB below the maximum [shape=(n_mels, n_frames)]."""
        return librosa.power_to_db(self.mel_power)

    @cached_property
    def mfcc(self) -> np.ndarray:
        """Mel-frequency cepstral coefficients (`librosa.feature.mfcc`) [shape=(MAX_MFCC, n_frames)]."""
        return librosa.feature.mfcc(S=self.mel_db, n_mfcc=MAX_MFCC)

    @cached_property
    def chroma_stft(self) -> np.ndarray:
        """Power in pitch classes, relative to the strongest (`librosa.feature.chroma_stft`) [shape=(12, n_frames)]."""
        return librosa.util.normalize(self._mel_and_chroma[1], norm=np.inf, axis=-2)

    @cached_property
    def tuning(self) -> float:
        """Deviation from A440 in semitones (`librosa.estimate_tuning`); 0 where there are no peaks."""
        frequencies = librosa.fft_frequencies(sr=self.sample_rate, n_fft=self.n_fft)
        first, end = np.searchsorted(frequencies, [PITCH_FMIN, PITCH_FMAX])
        bins, heights = kernels.spectral_peaks(self.magnitude, first, end, PITCH_THRESHOLD)
        if len(bins) == 0:
            return 0.0
        pitches = bins[heights >= np.median(heights)] * self.sample_rate / self.n_fft
        return float(librosa.pitch_tuning(pitches, resolution=TUNING_RESOLUTION))

    @cached_property
    def constant_q(self) -> np.ndarray:
        """Magnitude of the constant-Q transform (`librosa.cqt`, at the `tuning`) [shape=(84, n_frames)]."""
        return constant_q(self.y, self.sample_rate, self.hop_length, self.tuning)

    @cached_property
    def chroma_cens(self) -> np.ndarray:
        """Smoothed chroma of the constant-Q transform (`librosa.feature.chroma_cens`) [shape=(12, n_frames)]."""
        return librosa.feature.chroma_cens(C=self.constant_q, bins_per_octave=12)

    @cached_property
    def onset_strength(self) -> np.ndarray:
        """Rise of the level in mel bands, in dB (`librosa.onset.onset_strength`) [shape=(n_frames,)]."""
        return librosa.onset.onset_strength(S=self.mel_db, sr=self.sample_rate, hop_length=self.hop_length)

    @cached_property
    def moments(self) -> np.ndarray:
        """Root mean square, centroid, bandwidth and roll-off of every frame [shape=(4, n_frames)]."""
        frequencies = librosa.fft_frequencies(sr=self.sample_rate, n_fft=self.n_fft)
        return kernels.spectral_moments(self.magnitude, frequencies, 0.85)


def mel_levels(mel_power: np.ndarray, db_range: float) -> tuple[np.ndarray, float]:
    """Convert a mel spectrogram to decibels and scale it to 8 bits.

    Parameters
    ----------
    mel_power : np.ndarray [shape=(n_mels, n_frames)]
        Power in mel bands.
    db_range : float
        Dynamic range in dB: levels this far or farther below the maximum become 0; the maximum becomes 255.

    Returns
    -------
    image : np.ndarray [shape=(n_mels, n_frames), dtype=uint8]
        8-bit log-mel spectrogram.
    db_max : float
        Level of the maximum in dB, at least -100, also in silence.
    """
    db = librosa.power_to_db(mel_power, ref=1.0, amin=1e-10, top_db=None)
    db_max = float(db.max())
    image = np.rint((1 + (db - db_max) / db_range).clip(0, 1) * 255)
    return image.astype(np.uint8), db_max


@lru_cache(maxsize=8)
def _hann(n_fft: int) -> np.ndarray:
    return librosa.filters.get_window("hann", n_fft, fftbins=True)


@lru_cache(maxsize=256)
def _filters(sample_rate: int, n_fft: int, n_mels: int, tuning: float) -> np.ndarray:
    """Compute mel and chroma filters side by side [shape=(1 + n_fft // 2, n_mels + N_CHROMA)]."""
    mel = _mel_filters(sample_rate, n_fft, n_mels)
    chroma = librosa.filters.chroma(sr=sample_rate, n_fft=n_fft, tuning=tuning, n_chroma=N_CHROMA)
    return np.ascontiguousarray(np.concatenate([mel, chroma]).T, dtype=np.float32)


@lru_cache(maxsize=8)
def _mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    return librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
