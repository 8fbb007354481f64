"""Locks that make numba's on-disk cache safe for processes that start at the same time.

Every module that imports librosa or uses ``numba.njit(cache=True)`` imports this one. Without it, two processes that
compile the same function at once can leave a cache that crashes every later process
(https://github.com/numba/numba/issues/4807 and 10128).
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock
from llvmlite.binding import get_host_cpu_name
from numba.core.caching import IndexDataCacheFile

from songgenre.paths import user_temporary_folder

COMPILED_AT_IMPORT = ("librosa.beat", "librosa.core.audio", "librosa.core.pitch", "librosa.util.utils")
"""Modules with universal functions, which numba compiles at import and caches in two files each."""


def _librosa() -> Path:
    spec = find_spec("librosa")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _folder() -> Path:
    """Return the folder of numba's cache, or a temporary folder of this user if the cache is not writable."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or _librosa() / "__pycache__")
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    own = user_temporary_folder("numba")
    with suppress(OSError):
        own.mkdir(exist_ok=True)
    return own


_FOLDER = _folder()
_COMPILING, _SAVING = (FileLock(_FOLDER / f"songgenre-{doing}.lock") for doing in ("compiling", "saving"))
"""Two, since a thread that imports a module of librosa may have to save while another compiles."""


@contextmanager
def _lock(lock: FileLock) -> Iterator[None]:
    """Hold a lock, or continue without it if its file cannot be written."""
    try:
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _compile_librosa() -> None:
    """Compile the universal functions of librosa in one process while others wait."""
    cpu = os.environ.get("NUMBA_CPU_NAME") or get_host_cpu_name()
    versions = f"{version('librosa')}-{version('numba')}-{sys.version_info.minor}-{cpu}"
    compiled = _FOLDER / f"songgenre-{versions}.compiled"
    if compiled.exists():
        return
    with _lock(_COMPILING):
        for module in COMPILED_AT_IMPORT:
            importlib.import_module(module)
        with suppress(OSError):
            compiled.touch()


def _in_one_process(save: Callable[..., None]) -> Callable[..., None]:
    """Prevent two processes from choosing the same file for different entries of an index."""

    @wraps(save)
    def locked(self: IndexDataCacheFile, key: Hashable, data: object) -> None:
        with _lock(_SAVING):
            save(self, key, data)

    return locked


IndexDataCacheFile.save = _in_one_process(IndexDataCacheFile.save)  # type: ignore[method-assign]
_compile_librosa()
