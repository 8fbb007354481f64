"""Make numba's on-disk cache safe for processes that start at the same time.

Every module that imports librosa or uses ``numba.njit(cache=True)`` imports this one. Without it, two processes that
compile the same function at once can leave a cache that crashes every later process
(https://github.com/numba/numba/issues/4807 and 10128).
"""

from __future__ import annotations

import getpass
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock
from numba.core.caching import IndexDataCacheFile

COMPILED_AT_IMPORT = ("librosa.beat", "librosa.core.audio", "librosa.core.pitch", "librosa.util.utils")
"""Modules with universal functions, which numba compiles when they are imported, into two files each."""


def _folder() -> Path:
    """Find a folder for the lock: NUMBA_CACHE_DIR or the virtual environment, else a temporary one of this user."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or sys.prefix)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    user = str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
    own = Path(tempfile.gettempdir()) / f"songgenre-numba-{user}"
    with suppress(OSError):
        own.mkdir(exist_ok=True)
    return own


_FOLDER = _folder()
_LOCK = FileLock(_FOLDER / ".songgenre-numba.lock")


@contextmanager
def _one_process() -> Iterator[None]:
    """Hold the lock, or go on without one where none can be written."""
    try:
        _LOCK.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        _LOCK.release()


def _compile_librosa() -> None:
    """Compile the universal functions of librosa in one process, while others wait."""
    spec = find_spec("librosa")
    assert spec is not None
    assert spec.origin is not None
    installed = f"{version('librosa')}-{os.stat(spec.origin).st_mtime_ns}-{version('numba')}-{sys.version_info.minor}"
    compiled = _FOLDER / f".songgenre-numba-{installed}"
    if compiled.exists():
        return
    with _one_process():
        for module in COMPILED_AT_IMPORT:
            importlib.import_module(module)
        with suppress(OSError):
            compiled.touch()


def _in_one_process(save: Callable[..., None]) -> Callable[..., None]:
    """Let no two processes choose the same file for different entries of an index."""

    @wraps(save)
    def locked(self: IndexDataCacheFile, key: Hashable, data: object) -> None:
        with _one_process():
            save(self, key, data)

    return locked


IndexDataCacheFile.save = _in_one_process(IndexDataCacheFile.save)  # type: ignore[method-assign]
_compile_librosa()
