"""Collecting and cleaning a corpus of the size and the shape of the small FMA data set."""

import csv
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import lameenc
import numpy as np
import pandas as pd
import pytest

from songgenre.paths import Project
from songgenre.sources.fma import CUT_SHORT_S
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.slow
GENRES = ["Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental", "International", "Pop", "Rock"]
SONGS_PER_GENRE, ARTISTS_PER_GENRE = 1_000, 100
SONGS = len(GENRES) * SONGS_PER_GENRE
BROKEN = {98565: 1000, 98567: 300, 98569: 900, 99134: 0, 108925: 0, 133297: 0}
"""The clips of the small data set that were cut at the wrong place, and the bytes that are left of each here."""
DESCRIBED, LAST_NUMBER = 106_574, 155_320
"""How many songs the published table describes, and the number of the last."""
SAMPLE_RATE = 8_000
LONG_TEXT = 'What they say of themselves,\n<p>with "commas", lines and markup.</p> ' * 17
HEADER = [
    ["", "album", "artist", "artist", "set", "set", "track", "track", "track"],
    ["", "information", "bio", "name", "split", "subset", "genre_top", "license", "title"],
    ["track_id", *[""] * 8],
]


@pytest.fixture(scope="module")
def splits() -> pd.Series:
    """The published split of each song of the small data set: 80, 10 and 10 of the 100 artists of each genre."""
    whole = (number for number in range(2, LAST_NUMBER, 19) if number not in CUT_SHORT_S)
    numbers = sorted([*islice(whole, SONGS - len(BROKEN)), *BROKEN])
    artists = [artist_of(place) for place in range(SONGS)]
    names = np.select([np.less(artists, 80), np.less(artists, 90)], ["training", "validation"], "test")
    return pd.Series(names, numbers)


@pytest.fixture(scope="module")
def folder(splits: pd.Series, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lies on the disk of somebody who has downloaded and extracted the small data set."""
    folder = tmp_path_factory.mktemp("fma")
    describe(folder / "fma_metadata" / "tracks.csv", splits)
    for thousand in splits.index.unique() // 1000:
        (folder / "fma_small" / f"{thousand:03}").mkdir(parents=True, exist_ok=True)

    def write(number: int) -> None:
        path = folder / "fma_small" / f"{number // 1000:03}" / f"{number:06}.mp3"
        path.write_bytes(noise(number)[: BROKEN.get(number)])

    with ThreadPoolExecutor() as threads:
        list(threads.map(write, splits.index))
    return folder


@pytest.fixture(scope="module")
def project(folder: Path, fresh_clone: "Callable[..., Clone]") -> Project:
    """A clone that has collected and cleaned it."""
    clone = fresh_clone()
    settings = {
        "scraping.source": "fma",
        "scraping.folder": str(folder),
        "wrangling.clip_duration_s": "1.0",
        "wrangling.min_duration_s": "0.5",
        "features.hop_length": "256",
        "cnn.sampling.crop_frames": "64",
    }
    clone.run("dvc", "exp", "run", *(f"--set-param={name}={value}" for name, value in settings.items()), "wrangling")
    return Project(clone.root)


def artist_of(place: int) -> int:
    return place // len(GENRES) % ARTISTS_PER_GENRE


def noise(seed: int) -> bytes:
    """A second of noise, as mp3."""
    y = np.random.default_rng(seed).integers(-8_000, 8_000, SAMPLE_RATE, dtype=np.int16)
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(SAMPLE_RATE)
    encoder.set_bit_rate(16)
    encoder.set_quality(9)
    return bytes(encoder.encode(y.tobytes()) + encoder.flush())


def describe(path: Path, splits: pd.Series) -> None:
    """Write a table with as many songs as the published one, and as large; those of larger sizes have no clip."""
    path.parent.mkdir()
    others = set(islice((number for number in range(3, LAST_NUMBER) if number not in splits.index), DESCRIBED - SONGS))
    place = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerows(HEADER)
        for number in sorted(others.union(splits.index)):
            genre, title = GENRES[place % len(GENRES)], f"Song {number}"
            if number in others:
                size, genre = ("large", "") if number % 4 else ("medium", genre)
                row = [LONG_TEXT, LONG_TEXT, "Somebody", "training", size, genre, "", title]
            else:
                artist = f"{genre} artist {artist_of(place)}, and others"
                row = [LONG_TEXT, LONG_TEXT, artist, splits[number], "small", genre, "Attribution", title]
                place += 1
            table.writerow([number, *row])


def test_every_song_of_the_small_data_set_is_used_or_in_the_exclusion_log(project: Project, splits: pd.Series) -> None:
    catalogue = read_table(CATALOGUE, project.catalogue)
    tracks = read_table(TRACKS, project.tracks)
    excluded = read_table(EXCLUDED, project.excluded)
    assert sorted(catalogue["source_id"].astype(int)) == list(splits.index)
    assert sorted([*tracks["track_id"], *excluded["track_id"]]) == sorted(catalogue["track_id"])


def test_the_exclusion_log_names_the_broken_clips_and_no_others(project: Project) -> None:
    catalogue = read_table(CATALOGUE, project.catalogue)
    excluded = read_table(EXCLUDED, project.excluded).merge(catalogue[["track_id", "source_id"]])
    truncated = dict.fromkeys(map(str, BROKEN), "truncated")
    assert dict(zip(excluded["source_id"], excluded["reason"], strict=True)) == truncated


def test_every_used_song_keeps_the_official_split(project: Project, splits: pd.Series) -> None:
    numbers = read_table(CATALOGUE, project.catalogue).set_index("track_id")["source_id"].astype(int)
    tracks = read_table(TRACKS, project.tracks)
    official = tracks["track_id"].map(numbers).map(splits)
    assert tracks["split"].tolist() == official.replace("training", "train").tolist()
    assert tracks.groupby("artist_group")["split"].nunique().eq(1).all()


@pytest.mark.parametrize("notebook", ["01_scraping", "02_wrangling"])
def test_eight_thousand_songs_take_less_than_a_gibibyte(project: Project, notebook: str) -> None:
    log = json.loads(project.log(notebook).read_text())
    assert 50 < log["peak_anonymous_mib"] < 1024
