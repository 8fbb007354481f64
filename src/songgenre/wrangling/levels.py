"""Levels of a song, step by step, from a signal that arrives in blocks."""

from __future__ import annotations

import numpy as np

from songgenre.audio import BLOCK, SILENCE_FLOOR_DB

STEP_S = 0.1
"""Length of a step in s."""
GAP_S = 2.0
"""Shorter silences, in s, are part of the music."""


class Levels:
    """Sums over each step of a mono signal, from which the level of any part follows; a constant offset has no level.

    Parameters
    ----------
    sample_rate : int
        Sample rate in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.frames = 0
        self.peak = 0.0
        self._step = min(max(1, round(STEP_S * sample_rate)), BLOCK)
        self._rest = np.empty(0, np.float32)
        self._sums: list[np.ndarray] = []

    def add(self, y: np.ndarray) -> None:
        """Add the next block.

        Parameters
        ----------
        y : np.ndarray [shape=(n,)]
            Samples.
        """
        self.frames += len(y)
        self.peak = float(np.maximum(self.peak, np.abs(y).max(initial=0)))
        y = np.concatenate([self._rest, y])
        n = len(y) // self._step
        steps, self._rest = y[: n * self._step].reshape(n, self._step), y[n * self._step :]
        self._sums.append(_sums(steps))

    @property
    def median_rms(self) -> float:
        """Median of the root mean squares of the steps."""
        _, energy, n = self._table().T
        return float(np.median(np.sqrt(energy / n)))

    def level_db(self, start_s: float, length_s: float) -> float:
        """Compute the level of a part, whose limits are rounded to steps.

        Parameters
        ----------
        start_s, length_s : float
            Start and length of the part in s.

        Returns
        -------
        float
            Root mean square without the mean, in dB of full scale, `SILENCE_FLOOR_DB` or more.
        """
        step_s = self._step / self.sample_rate
        first, last = int(start_s / step_s), int(np.ceil((start_s + length_s) / step_s))
        sums = self._table()[first:last]
        return float(_level_db(sums.sum(axis=0, keepdims=True))[0])

    def longest_sound(self, threshold_db: float) -> tuple[float, float]:
        """Find the longest part that is not silent.

        Parameters
        ----------
        threshold_db : float
            Level below which a step is silent, in dB of full scale.

        Returns
        -------
        start_s, length_s : float
            Start and length of the part in s; the length is 0 if all steps are silent.
        """
        step_s = self._step / self.sample_rate
        sounding = np.flatnonzero(_level_db(self._table()) >= threshold_db)
        if not len(sounding):
            return 0.0, 0.0
        parts = np.split(sounding, np.flatnonzero(np.diff(sounding) > GAP_S / step_s) + 1)
        longest = max(parts, key=lambda part: part[-1] - part[0])
        start_s = longest[0] * step_s
        return float(start_s), float(min((longest[-1] + 1) * step_s, self.frames / self.sample_rate) - start_s)

    def _table(self) -> np.ndarray:
        rest = _sums(self._rest[np.newaxis]) if len(self._rest) else np.empty((0, 3))
        return np.vstack([*self._sums, rest])


def _sums(steps: np.ndarray) -> np.ndarray:
    """Sum, sum of squares and number of the samples in each row."""
    y = steps.astype(np.float64)
    return np.stack([y.sum(axis=1), np.square(y).sum(axis=1), np.full(len(y), steps.shape[1])], axis=1)


def _level_db(sums: np.ndarray) -> np.ndarray:
    total, energy, n = sums.T
    n = np.maximum(n, 1)
    power = energy / n - (total / n) ** 2
    return 10 * np.log10(np.maximum(power, 10 ** (SILENCE_FLOOR_DB / 10)))
