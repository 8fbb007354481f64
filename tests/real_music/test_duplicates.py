"""Re-encoded real songs are found, and different ones are told apart."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from songgenre.audio import SUFFIXES
from songgenre.wrangling.duplicates import SAMPLE_RATE, find_duplicates, fingerprint

N_SONGS = 60


def read(path: Path) -> tuple[np.ndarray, int]:
    y, sr = soundfile.read(path, dtype="float32", always_2d=True)
    return y.mean(axis=1), sr


def fingerprint_of(y: np.ndarray, sr: int) -> np.ndarray:
    return fingerprint(soxr.resample(y, sr, SAMPLE_RATE), SAMPLE_RATE)


@pytest.fixture(scope="module")
def paths(real_music: Path) -> list[Path]:
    every = sorted(path for path in real_music.rglob("*") if path.suffix.lower() in SUFFIXES)
    return every[:: max(1, len(every) // N_SONGS)]


@pytest.fixture(scope="module")
def corpus(paths: list[Path]) -> list[np.ndarray]:
    return [fingerprint_of(*read(path)) for path in paths]


def test_no_recording_is_found_twice_among_different_ones(corpus: list[np.ndarray]) -> None:
    np.testing.assert_array_equal(find_duplicates(corpus), np.arange(len(corpus)))


@pytest.mark.parametrize("name", ["copy.mp3", "copy.ogg"])
@pytest.mark.parametrize("shift_s", [0, 0.37, 3, 10])
def test_every_copy_is_found(
    paths: list[Path], corpus: list[np.ndarray], tmp_path: Path, name: str, shift_s: float
) -> None:
    originals = range(0, len(paths), 12)
    copies = []
    for original in originals:
        y, sr = read(paths[original])
        soundfile.write(tmp_path / name, y[round(shift_s * sr) :], sr, compression_level=0.8)
        copies.append(fingerprint_of(*read(tmp_path / name)))
    assert find_duplicates([*corpus, *copies])[len(corpus) :].tolist() == list(originals)
