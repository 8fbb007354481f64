"""The demo corpus, collected over HTTP."""

from pathlib import Path

import pytest

from songgenre import tables
from songgenre.demo.corpus import EXTRAS
from songgenre.demo.genres import GENRES
from songgenre.sources.base import Song, track_id
from songgenre.sources.catalogue import tabulate
from songgenre.sources.demo import Demo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def collect(folder: Path, name: str) -> list[Song]:
    (folder / name).mkdir()
    shop = Demo(1, 1, seed=7, concurrency=4, timeout_s=30, retries=2, folder=folder / "kept")
    songs = shop.collect(folder / name)
    shop.forget()
    return songs


@pytest.fixture(scope="module")
def songs(folder: Path) -> list[Song]:
    return collect(folder, "audio")


def test_all_that_the_shop_offers_is_collected_or_refused(songs: list[Song], folder: Path) -> None:
    assert len(songs) == len(GENRES) + len(EXTRAS)
    [refused] = [song for song in songs if song.reason]
    assert (refused.reason, refused.file) == ("unreadable", None)
    assert str(refused.detail).startswith("HTTP 404 at /audio/")
    assert {path.name for path in (folder / "audio").iterdir()} == {song.file for song in songs if song.file}
    tables.check(tabulate(songs, folder / "audio"), tables.CATALOGUE, "the catalogue")


def test_songs_are_described_by_their_pages(songs: list[Song]) -> None:
    assert sum(len(song.genres) == 2 for song in songs) == EXTRAS.count("two genres")
    for song in songs:
        assert song.title
        assert song.artist
        assert song.licence == "https://creativecommons.org/publicdomain/zero/1.0/"
        assert song.primary_genre in song.genres
        assert song.source_id.startswith(f"/song/{song.primary_genre}-")


def test_nothing_tells_where_the_shop_was_open(songs: list[Song]) -> None:
    assert {song.url for song in songs} == {None}
    assert not any("127.0.0.1" in str(song) for song in songs)
    assert all(song.file in (None, track_id("demo", song.source_id) + ".mp3") for song in songs)


def test_collecting_again_gives_the_same_bytes_and_leaves_nothing_behind(songs: list[Song], folder: Path) -> None:
    assert collect(folder, "again") == songs
    assert {path.name: path.read_bytes() for path in (folder / "again").iterdir()} == {
        path.name: path.read_bytes() for path in (folder / "audio").iterdir()
    }
    assert not (folder / "kept").exists()
