"""8-bit log-mel spectrograms of a corpus, in one file or in a folder with a file for each partition."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

OPEN_FILES = 16
"""Number of files that are open at the same time."""


class MelPartitions:
    """Mel spectrograms in several files, which are read as one array.

    Parameters
    ----------
    folder : Path
        Folder of arrays [shape=(n, n_mels, n_frames), dtype=uint8] in the npy format, ``part-*``, in the order of their
        names; all but the last have the same number of songs.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.glob("part-*"))
        self._open = lru_cache(OPEN_FILES)(lambda part: np.load(self._paths[part], mmap_mode="r"))
        self._size = len(self._open(0))

    def __len__(self) -> int:
        """Count the songs."""
        return self._size * (len(self._paths) - 1) + len(self._open(len(self._paths) - 1))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of songs, of mel bands and of frames."""
        return len(self), *self._open(0).shape[1:]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape))

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read a song, or a part of its spectrogram: ``mel[row]`` or ``mel[row, :, 10:20]``."""
        row, *rest = index if isinstance(index, tuple) else (index,)
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        part, place = divmod(int(row), self._size)
        return np.asarray(self._open(part)[(place, *rest)])


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
