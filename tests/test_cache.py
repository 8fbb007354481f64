"""Entries of the cache: any damage is a miss."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from songgenre.cache import Cache


class Entry(NamedTuple):
    values: np.ndarray
    level: float


class Longer(NamedTuple):
    values: np.ndarray
    level: float
    more: float


def compute(level: float) -> Entry:
    return Entry(np.arange(12.0).reshape(3, 4), level)


KEYS = ["ab" * 32, "cd" * 32]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache[Entry]:
    monkeypatch.setattr("songgenre.cache.code_version", lambda function: "this one")
    return Cache(str(tmp_path), Entry, {}, compute)


def place(cache: Cache[Entry], key: str) -> Path:
    return Path(cache.url) / key[:2] / f"{key}.npz"


def test_entry_is_returned_as_it_was(cache: Cache[Entry]) -> None:
    cache.put(KEYS[0], compute(-3.5))
    found = cache.get(KEYS[0])
    assert found is not None
    np.testing.assert_array_equal(found.values, compute(0).values)
    assert found.level == -3.5
    assert cache.keys() == {KEYS[0]}


def test_flipped_bit_in_any_byte_is_a_miss(cache: Cache[Entry]) -> None:
    cache.put(KEYS[0], compute(-3.5))
    path = place(cache, KEYS[0])
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        assert cache.get(KEYS[0]) is None


@pytest.mark.parametrize("n_bytes", [0, 1, 31, 32, 33, 500])
def test_torn_entry_is_a_miss(cache: Cache[Entry], n_bytes: int) -> None:
    cache.put(KEYS[0], compute(-3.5))
    path = place(cache, KEYS[0])
    path.write_bytes(path.read_bytes()[:n_bytes])
    assert cache.get(KEYS[0]) is None


def test_entry_of_another_key_or_kind_is_a_miss(cache: Cache[Entry]) -> None:
    first, second = KEYS
    cache.put(first, compute(-3.5))
    place(cache, second).parent.mkdir()
    place(cache, first).rename(place(cache, second))
    assert cache.get(second) is None
    cache.put(first, compute(-3.5))
    assert Cache(cache.url, Longer, {}, compute).get(first) is None  # type: ignore[arg-type]
