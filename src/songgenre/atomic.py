"""Replace a file or a folder whole or not at all."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file or a folder under a temporary name and move it into place when it is whole.

    Parameters
    ----------
    path : Path
        What to replace. Its parent is made if it is missing.

    Yields
    ------
    Path
        The temporary name beside it. After an error it is removed and `path` is as it was; what a process that was
        killed has left is removed, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        process = left.suffixes[-2][1:]
        if process.isdecimal() and not _is_running(int(process)):
            _remove(left)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        if path.is_dir() and partial.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        _remove(partial)


def _is_running(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
