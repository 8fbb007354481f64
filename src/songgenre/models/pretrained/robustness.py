"""Robustness of the bundled model: transformations of a recording that should not change its genre.

Sturm (`sturm2014horse`) showed that such transformations change the answers of well-known systems.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import cast

import av
import numpy as np
import soxr
from scipy import signal

from songgenre.models.musicnn import SAMPLE_RATE

EQUALIZER_HZ = (100.0, 400.0, 1200.0, 3000.0, 6000.0)
EQUALIZER_DB = 6.0
N_EQUALIZERS = 10


def transform(y: np.ndarray, name: str) -> np.ndarray:
    """Transform a recording.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Mono signal at the sample rate of musicnn.
    name : str
        A key of `TRANSFORMATIONS`.

    Returns
    -------
    np.ndarray [shape=(m,), dtype=float32]
        Transformed signal at the same sample rate.
    """
    return TRANSFORMATIONS[name](y).astype(np.float32)


def equalize(y: np.ndarray, seed: int) -> np.ndarray:
    """Apply random gains of at most `EQUALIZER_DB` in five bands, with smooth transitions.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Signal.
    seed : int
        Seed of the gains.

    Returns
    -------
    np.ndarray [shape=(n,)]
        Filtered signal.
    """
    gains_db = np.random.default_rng(seed).uniform(-EQUALIZER_DB, EQUALIZER_DB, len(EQUALIZER_HZ))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(y), 1 / SAMPLE_RATE), 1))
    gain_db = np.interp(octaves, np.log2(EQUALIZER_HZ), gains_db)
    return np.fft.irfft(np.fft.rfft(y) * 10 ** (gain_db / 20), len(y))


def encode(y: np.ndarray, container: str, codec: str, sample_rate: int, bit_rate: int) -> np.ndarray:
    """Encode a signal with a lossy codec and decode it again.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Mono signal at the sample rate of musicnn.
    container, codec : str
        Names of FFmpeg, for example ``ogg`` and ``libopus``.
    sample_rate, bit_rate : int
        Sample rate in Hz and bit rate in bit/s of the encoder.

    Returns
    -------
    np.ndarray [shape=(m,), dtype=float32]
        Decoded signal at the sample rate of musicnn.
    """
    content = io.BytesIO()
    with av.open(content, "w", format=container) as file:
        stream = cast("av.AudioStream", file.add_stream(codec, rate=sample_rate, layout="mono", bit_rate=bit_rate))
        frame = av.AudioFrame.from_ndarray(
            soxr.resample(y, SAMPLE_RATE, sample_rate)[np.newaxis].astype(np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = sample_rate
        file.mux([*stream.encode(frame), *stream.encode(None)])
    content.seek(0)
    to_float = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE)
    with av.open(content, "r") as encoded:
        decoded = [part.to_ndarray()[0] for frame in encoded.decode(audio=0) for part in to_float.resample(frame)]
    return np.concatenate(decoded)


def _change_speed(y: np.ndarray, factor: float) -> np.ndarray:
    return np.asarray(soxr.resample(y, SAMPLE_RATE * factor, SAMPLE_RATE))


def _low_pass(y: np.ndarray, cutoff_hz: float) -> np.ndarray:
    return np.asarray(signal.sosfiltfilt(signal.butter(8, cutoff_hz, fs=SAMPLE_RATE, output="sos"), y))


TRANSFORMATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **{f"equalizer {seed} of {N_EQUALIZERS}": partial(equalize, seed=seed) for seed in range(1, N_EQUALIZERS + 1)},
    "mp3 at 64 kbit/s": lambda y: encode(y, "mp3", "libmp3lame", 44_100, 64_000),
    "opus at 48 kbit/s": lambda y: encode(y, "ogg", "libopus", 48_000, 48_000),
    "gain of -20 dB": lambda y: y * 0.1,
    "low-pass at 7.5 kHz": lambda y: _low_pass(y, 7500),
    "low-pass at 4 kHz": lambda y: _low_pass(y, 4000),
    "speed +3 %": lambda y: _change_speed(y, 1.03),
    "speed -3 %": lambda y: _change_speed(y, 0.97),
    "first 24 s": lambda y: y[: 24 * SAMPLE_RATE],
    "last 24 s": lambda y: y[-24 * SAMPLE_RATE :],
}
"""The transformations by name. The networks analyse sound up to 8 kHz, so a sample rate of 16 kHz changes nothing."""
