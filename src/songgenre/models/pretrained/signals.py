"""Generated signals that are not music: tones, hum, noise, sweeps and clicks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import signal

from songgenre.models.musicnn import SAMPLE_RATE

DURATION_S = 10.0
PER_KIND = 6
N = round(DURATION_S * SAMPLE_RATE)
TIME_S = np.arange(N) / SAMPLE_RATE


def generate_signals(seed: int) -> dict[str, list[np.ndarray]]:
    """Generate signals of each kind, with random frequencies and rates.

    Parameters
    ----------
    seed : int
        Seed of the generator.

    Returns
    -------
    dict
        From the name of a kind to `PER_KIND` signals [shape=(n,), dtype=float32] at the sample rate of musicnn.
    """
    rng = np.random.default_rng(seed)
    return {kind: [make(rng).astype(np.float32) for _ in range(PER_KIND)] for kind, make in KINDS.items()}


def _frequency(rng: np.random.Generator, low_hz: float, high_hz: float) -> float:
    return float(np.exp(rng.uniform(np.log(low_hz), np.log(high_hz))))


def _tone(rng: np.random.Generator) -> np.ndarray:
    return np.sin(2 * np.pi * _frequency(rng, 50, 5000) * TIME_S)


def _hum(rng: np.random.Generator) -> np.ndarray:
    mains_hz, slope = rng.uniform(45, 65), rng.uniform(0.5, 2)
    return np.sum([np.sin(2 * np.pi * mains_hz * k * TIME_S) / k**slope for k in range(1, 6)], axis=0)


def _square(rng: np.random.Generator) -> np.ndarray:
    return np.asarray(signal.square(2 * np.pi * _frequency(rng, 60, 2000) * TIME_S))


def _noise(rng: np.random.Generator) -> np.ndarray:
    """Noise whose spectrum falls or rises, from brown to blue."""
    frequencies = np.maximum(np.fft.rfftfreq(N, 1 / SAMPLE_RATE), 1 / DURATION_S)
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(N)) * frequencies ** rng.uniform(-1, 0.5), N)


def _band_noise(rng: np.random.Generator) -> np.ndarray:
    low_hz = _frequency(rng, 100, 5000)
    band = signal.butter(4, [low_hz, 1.5 * low_hz], "band", fs=SAMPLE_RATE, output="sos")
    return np.asarray(signal.sosfilt(band, rng.standard_normal(N)))


def _sweep(rng: np.random.Generator) -> np.ndarray:
    return np.asarray(signal.chirp(TIME_S, rng.uniform(30, 300), DURATION_S, rng.uniform(1000, 7000)))


def _clicks(rng: np.random.Generator) -> np.ndarray:
    return (np.arange(N) % int(SAMPLE_RATE / rng.uniform(0.5, 20)) < 8).astype(float)


def _gated_noise(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(N) * (signal.square(2 * np.pi * rng.uniform(0.3, 3) * TIME_S) > 0)


KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "tone": _tone,
    "hum": _hum,
    "square wave": _square,
    "noise": _noise,
    "band noise": _band_noise,
    "sweep": _sweep,
    "clicks": _clicks,
    "gated noise": _gated_noise,
}
