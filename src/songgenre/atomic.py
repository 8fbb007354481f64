"""Atomic replacement of files and folders."""

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
    """Write a file or a folder under a temporary name, then move it into place.

    Parameters
    ----------
    path : Path
        File or folder to replace. Its parent is created if it is missing.

    Yields
    ------
    Path
        Temporary name in the same folder. After an error it is removed, and `path` is unchanged. Temporary files of
        processes that were killed are removed, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        process = leftover.suffixes[-2][1:]
        if process.isdecimal() and not _is_running(int(process)):
            _remove(leftover)
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
