"""Make numba's on-disk cache safe for processes that start at the same time.

Import this module beside librosa. Without it, two processes that compile the same function at once can leave a cache
that crashes every later process (https://github.com/numba/numba/issues/4807 and 10128).
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Hashable
from functools import wraps
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock
from numba.core.caching import IndexDataCacheFile

COMPILED_AT_IMPORT = ("librosa.beat", "librosa.core.audio", "librosa.core.pitch", "librosa.util.utils")
"""Modules with universal functions, which numba compiles when they are imported, into two files each."""


def _folder() -> Path:
    """Where the lock lies: beside the cache, as far as that can be written."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or sys.prefix)
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())


_LOCK = FileLock(_folder() / ".songgenre-numba.lock")


def _compile_librosa() -> None:
    """Compile the universal functions of librosa in one process, while others wait."""
    spec = find_spec("librosa")
    assert spec is not None
    assert spec.origin is not None
    installed = f"{version('librosa')}-{os.stat(spec.origin).st_mtime_ns}-{version('numba')}-{sys.version_info.minor}"
    compiled = _folder() / f".songgenre-numba-{installed}"
    if compiled.exists():
        return
    with _LOCK:
        for module in COMPILED_AT_IMPORT:
            importlib.import_module(module)
        compiled.touch()


def _one_at_a_time(save: Callable[..., None]) -> Callable[..., None]:
    """Let no two processes choose the same file for different entries of an index."""

    @wraps(save)
    def locked(self: IndexDataCacheFile, key: Hashable, data: object) -> None:
        with _LOCK:
            save(self, key, data)

    return locked


IndexDataCacheFile.save = _one_at_a_time(IndexDataCacheFile.save)  # type: ignore[method-assign]
_compile_librosa()
