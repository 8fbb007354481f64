"""Atomic replacement of files and folders."""

from __future__ import annotations

import glob
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from songgenre.errors import UserError
from songgenre.runtime.ending import is_running


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
        if process.isdecimal() and not is_running(int(process)):
            _remove(leftover)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    _remove(partial)  # of a killed process that had the same number, as in a container
    try:
        yield partial
        if path.is_dir() and partial.exists():
            shutil.rmtree(path)
        elif path.is_file() and partial.is_dir():
            path.unlink()
        partial.replace(path)
    finally:
        _remove(partial)


GENERATOR = b'<meta name="generator" content="songgenre">'
"""Line in the head of each page that a user may name; such a page is replaced without a question."""
HEAD_BYTES = 1024


def check_output_file(path: Path, suffix: str, marker: bytes | None = None, force: bool = False) -> None:
    """Check that a file that a user named for an output can be written without damage to anything else.

    Parameters
    ----------
    path : Path
        The file; it may exist.
    suffix : str
        Ending of such files, for example ``.html``.
    marker : bytes or None
        Bytes within the first `HEAD_BYTES` of such a file of this program, which is replaced; None if there are none.
    force : bool
        Whether to replace a file without them, too.

    Raises
    ------
    UserError
        If the name has another ending, the folder does not exist, the path is a folder, link, pipe or device, or a
        file is there that this program may not have written.
    """
    if path.suffix.lower() != suffix:
        raise UserError(f"{path}: the name of the output must end in {suffix}. Name another file.")
    if not path.parent.is_dir():
        raise UserError(f"{path}: the folder {path.parent} does not exist. Create it, or name another file.")
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise UserError(f"{path}: exists and is not a regular file, so it is not replaced. Name another file.")
    if path.exists() and not force and not _is_own(path, marker):
        raise UserError(
            f"{path}: exists, may be a file of another program and is not replaced. Name another file, or replace it "
            "with --force."
        )


def _is_own(path: Path, marker: bytes | None) -> bool:
    """Tell whether a file is empty or has the marker of this program."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return not head or (marker is not None and marker in head)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
