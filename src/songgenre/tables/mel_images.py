"""8-bit log-mel spectrograms of a corpus, in one file or in one file for each partition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


class MelPartitions:
    """Mel spectrograms in several files, which are read as one array.

    Parameters
    ----------
    folder : Path
        Folder of arrays [shape=(n, n_mels, n_frames), dtype=uint8] in the npy format, in the order of their names.
    """

    def __init__(self, folder: Path) -> None:
        self._parts = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))]
        self._ends = np.cumsum([len(part) for part in self._parts])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of songs, of mel bands and of frames."""
        return int(self._ends[-1]), *self._parts[0].shape[1:]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return sum(part.nbytes for part in self._parts)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a song, or a part of its spectrogram: ``mel[row]`` or ``mel[row, :, 10:20]``."""
        row, *rest = index if isinstance(index, tuple) else (index,)
        part = int(np.searchsorted(self._ends, row, side="right"))
        first = self._ends[part] - len(self._parts[part])
        return np.asarray(self._parts[part][(row - first, *rest)])


MelImages = np.ndarray | MelPartitions


def load_mel(path: Path) -> MelImages:
    """Open the mel spectrograms that `songgenre.features.corpus.extract_corpus` wrote; nothing is read yet.

    Parameters
    ----------
    path : Path
        A file in the npy format, or a folder of such files.

    Returns
    -------
    np.ndarray or MelPartitions [shape=(n_tracks, n_mels, n_frames), dtype=uint8]
        The spectrograms, memory-mapped.
    """
    return MelPartitions(path) if path.is_dir() else np.load(path, mmap_mode="r")
