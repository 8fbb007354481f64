"""Processes that compile the same functions at the same time leave a cache that later ones can use."""

import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.caching import IndexDataCacheFile

import songgenre.numba_cache  # noqa: F401

COMPILE = """
import sys
import numba
import numpy as np
for number in range(int(sys.argv[1])):  # numba numbers what a process compiles
    numba.njit(lambda x: x)(number)
from songgenre import numba_cache
import librosa
y = np.array([1.0, -1.0, 1.0, 1.0])
assert librosa.zero_crossings(y).tolist() == [True, True, True, False]
assert librosa.util.localmax(y).tolist() == [False, False, True, False]
"""
SAVE = """
import sys
from songgenre.numba_cache import IndexDataCacheFile
cache = IndexDataCacheFile(sys.argv[1], "function", "stamp")
for number in range(50):
    cache.save((sys.argv[2], number), (sys.argv[2], number))
"""


def run_at_once(*commands: list[str], **options: object) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", *command], **options) for command in commands]
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
