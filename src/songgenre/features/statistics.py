"""How a song's frames become one number per feature."""

from __future__ import annotations

import numpy as np


def summarise(name: str, frames: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation and mean absolute change from frame to frame of each row.

    Parameters
    ----------
    name : str
        Of the feature, for example ``"mfcc"``.
    frames : np.ndarray [shape=(n_rows, n_frames)]

    Returns
    -------
    dict
        ``mfcc_01_mean``, ``mfcc_01_std``, ``mfcc_01_change``, ...; without the number where there is a single row.
        The change of a single frame is 0.
    """
    rows = [name] if len(frames) == 1 else [f"{name}_{row:02d}" for row in range(1, len(frames) + 1)]
    changes = np.abs(np.diff(frames, axis=1, prepend=frames[:, :1]))
    statistics = {
        "mean": frames.mean(axis=1, dtype=np.float64),
        "std": frames.std(axis=1, dtype=np.float64),
        "change": changes.sum(axis=1, dtype=np.float64) / max(1, frames.shape[1] - 1),
    }
    return {
        f"{row}_{statistic}": float(values[at])
        for at, row in enumerate(rows)
        for statistic, values in statistics.items()
    }
