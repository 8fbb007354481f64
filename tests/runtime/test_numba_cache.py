"""Processes that compile the same functions at the same time leave a cache that later ones can use."""

import re
import subprocess
import sys
from pathlib import Path

import librosa
import pytest
from numba.core.caching import IndexDataCacheFile

import songgenre
from songgenre.runtime.numba_cache import COMPILED_AT_IMPORT

COMPILE = """
import sys
import numba
import numpy as np
for number in range(int(sys.argv[1])):  # the names of compiled functions hold a running number
    numba.njit(lambda x: x)(number)
from songgenre.runtime import numba_cache
import librosa
y = np.array([1.0, -1.0, 1.0, 1.0])
assert librosa.zero_crossings(y).tolist() == [True, True, True, False]
assert librosa.util.localmax(y).tolist() == [False, False, True, False]
"""
SAVE = """
import sys
from songgenre.runtime.numba_cache import IndexDataCacheFile
cache = IndexDataCacheFile(sys.argv[1], "function", "stamp")
for number in range(50):
    cache.save((sys.argv[2], number), (sys.argv[2], number))
"""


def run_at_once(*commands: list[str]) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", *command]) for command in commands]
    assert [process.wait() for process in processes] == [0] * len(commands)


@pytest.mark.slow
def test_processes_that_compile_librosa_at_once_do_not_crash_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    run_at_once([COMPILE, "0"], [COMPILE, "1"])
    run_at_once([COMPILE, "0"])


@pytest.mark.integration
def test_entries_of_processes_that_save_at_once_are_all_kept_apart(tmp_path: Path) -> None:
    run_at_once([SAVE, str(tmp_path), "a"], [SAVE, str(tmp_path), "b"])
    cache = IndexDataCacheFile(str(tmp_path), "function", "stamp")
    keys = [(name, number) for name in "ab" for number in range(50)]
    assert [cache.load(key) for key in keys] == keys


def test_every_module_that_uses_numba_imports_the_lock() -> None:
    sources = [path for path in Path(songgenre.__file__).parent.rglob("*.py") if path.stem != "numba_cache"]
    compiling = [path for path in sources if re.search(r"^import (librosa|numba)\b", path.read_text(), re.M)]
    assert len(compiling) > 5
    assert [path.name for path in compiling if "numba_cache" not in path.read_text()] == []


def test_every_universal_function_of_librosa_is_compiled_under_the_lock() -> None:
    folder = Path(librosa.__file__).parent
    modules = {
        ".".join(["librosa", *path.relative_to(folder).with_suffix("").parts])
        for path in folder.rglob("*.py")
        if re.search(r"^@(numba\.(gu)?|gu)vectorize\(", path.read_text(), re.M)
    }
    assert modules == set(COMPILED_AT_IMPORT)
