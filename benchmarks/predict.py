"""Time of `songgenre predict` for one song, from the command to the answer, and songs per second for many.

The peer is the same command, once for every song. `pretrained` is the bundled model; `dvc repro` trained the others.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import soundfile

from songgenre import audio
from songgenre.paths import Project

N_SONGS = 20
REPEATS = 3


def find_songs() -> list[Path]:
    """Songs of 29 to 60 s, whose one window is judged."""
    named = os.environ.get("SONGGENRE_REAL_MUSIC")
    folder = Path(named) if named else Project.find().audio
    paths = sorted(
        path for path in folder.rglob("*") if path.suffix in audio.SUFFIXES and path.stat().st_size > 100_000
    )
    songs = [path for path in paths if 29 <= soundfile.info(path).duration < 60]
    return songs[:: max(1, len(songs) // N_SONGS)][:N_SONGS]


def seconds(model: str, songs: list[Path]) -> float:
    started = time.perf_counter()
    command = ["songgenre", "predict", "--json", "--model", model, *map(str, songs)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == len(songs)
    return time.perf_counter() - started


def main() -> None:
    songs = find_songs()
    for model in ("pretrained", "transfer", "sklearn"):
        one = float(np.median([seconds(model, [song]) for song in songs[:REPEATS]]))
        many = seconds(model, songs)
        print(
            f"{model}: one song {one:.1f} s; then {(len(songs) - 1) / (many - one):.1f} songs a second, "
            f"{len(songs) * one / many:.1f} times as fast as a command for each of {len(songs)} songs"
        )


if __name__ == "__main__":
    main()
