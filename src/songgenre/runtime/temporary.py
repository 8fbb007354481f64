"""Temporary folders, which a later command removes if the one that made them was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "songgenre-run-"
MIN_AGE_S = 60
"""Age from which a folder that nobody has locked is removed; a new one is not locked at once."""


@contextmanager
def temporary_folder(place: Path | None = None) -> Iterator[Path]:
    """Make a folder that only this user can open, and remove those of processes that were killed.

    Parameters
    ----------
    place : Path, optional
        Where to make it; by default, the folder of the system for temporary files.

    Yields
    ------
    Path
        The folder; it is removed at the end.
    """
    _sweep(place or Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place) as folder:
        lock = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # a file system without locks, where nothing is swept either
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(lock)


def _sweep(place: Path) -> None:
    """Remove the folders that no process has locked."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            state = folder.lstat()
            if state.st_uid == os.geteuid() and time.time() - state.st_mtime > MIN_AGE_S:
                _remove_unlocked(folder)


def _remove_unlocked(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)
