"""Precision, recall and time of the search for duplicates, in songs of which none is twice."""

from __future__ import annotations

import io
import os
import resource
import time
from pathlib import Path

import numpy as np
import soundfile
import soxr

from songgenre.audio import SUFFIXES
from songgenre.compute import parallel_map
from songgenre.paths import Project
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS
from songgenre.wrangling.duplicates import SAMPLE_RATE, find_duplicates, fingerprint

EVERY_NTH_IS_ENCODED = 10
N_RANDOM_SONGS = 2000
N_FRAMES_OF_30_S = 1273


def fingerprint_of(y: np.ndarray, sr: int) -> np.ndarray:
    return fingerprint(soxr.resample(y, sr, SAMPLE_RATE), SAMPLE_RATE)


def encoded(y: np.ndarray, sr: int, container: str, compression_level: float) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, y, sr, format=container, compression_level=compression_level)
    file.seek(0)
    return fingerprint_of(*soundfile.read(file, dtype="float32"))


def read(path: Path) -> tuple[np.ndarray, int]:
    y, sr = soundfile.read(path, dtype="float32", always_2d=True)
    return y.mean(axis=1), sr


def original(path: Path) -> np.ndarray:
    return fingerprint_of(*read(path))


def copies(path: Path) -> dict[str, np.ndarray]:
    y, sr = read(path)
    return {
        "mp3, compression 0.2": encoded(y, sr, "MP3", 0.2),
        "mp3, compression 0.6": encoded(y, sr, "MP3", 0.6),
        "mp3, compression 0.9": encoded(y, sr, "MP3", 0.9),
        "mp3, compression 0.99": encoded(y, sr, "MP3", 0.99),
        "ogg, compression 0.9": encoded(y, sr, "OGG", 0.9),
        "mp3 at 44.1 kHz": encoded(soxr.resample(y, sr, 44_100), 44_100, "MP3", 0.6),
        "mp3 at 8 kHz": encoded(soxr.resample(y, sr, 8_000), 8_000, "MP3", 0.6),
        "6 dB softer": fingerprint_of(y * 10 ** (-6 / 20), sr),
    } | {f"mp3, {shift_s} s later": encoded(y[round(shift_s * sr) :], sr, "MP3", 0.6) for shift_s in (0.37, 3, 10)}


def songs_to_measure() -> list[Path]:
    named = os.environ.get("SONGGENRE_REAL_MUSIC")
    if named:
        return sorted(path for path in Path(named).rglob("*") if path.suffix in SUFFIXES)
    project = Project.find()
    return [project.audio / name for name in read_table(TRACKS, project.tracks)["audio_path"]]


def measure_songs(paths: list[Path]) -> None:
    originals = list(parallel_map(original, paths, "Fingerprints"))
    start = time.perf_counter()
    grouped = find_duplicates(originals)
    print(f"{len(originals)} originals: matched in {time.perf_counter() - start:.2f} s, pairs found:")
    for song in np.flatnonzero(grouped != np.arange(len(paths))):
        print(f"    {paths[grouped[song]].name} = {paths[song].name}")

    songs = range(0, len(paths), EVERY_NTH_IS_ENCODED)
    by_song = list(parallel_map(copies, [paths[song] for song in songs], "Copies"))
    print(f"{'copy of ' + str(len(songs)) + ' songs':<24}{'recall':>8}{'precision':>11}")
    for kind in by_song[0]:
        first = find_duplicates([*originals, *(kinds[kind] for kinds in by_song)])
        in_a_group = np.flatnonzero(first != np.arange(len(first)))
        correct = np.count_nonzero(first[len(originals) :] == np.array(songs))
        print(f"{kind:<24}{correct / len(songs):>8.3f}{correct / max(1, len(in_a_group)):>11.3f}")


def measure_speed() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal(30 * SAMPLE_RATE).astype(np.float32)
    start = time.process_time()
    for _ in range(20):
        fingerprint(y, SAMPLE_RATE)
    print(f"fingerprint of 30 s: {(time.process_time() - start) / 20 * 1000:.1f} ms of processor time")

    songs = list(rng.integers(2**32, size=(N_RANDOM_SONGS, N_FRAMES_OF_30_S), dtype=np.uint32))
    start = time.process_time()
    find_duplicates(songs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.process_time() - start
    print(f"{N_RANDOM_SONGS} random songs: {seconds:.1f} s of processor time, peak memory {peak:.0f} MB")


if __name__ == "__main__":
    measure_speed()
    measure_songs(songs_to_measure())
