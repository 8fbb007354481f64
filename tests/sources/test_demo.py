"""The demo corpus, collected over HTTP."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from lxml import html

from songgenre.compute import parallel_map
from songgenre.demo.corpus import EXTRAS, plan_corpus, record
from songgenre.demo.genres import GENRES
from songgenre.sources.base import Track, track_id
from songgenre.sources.catalogue import tabulate
from songgenre.sources.demo import Demo
from songgenre.sources.schema_org import parse_recordings
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import check_table

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def composed(made_once: Callable[..., Path]) -> Path:
    """The files of all songs, which the tests of the corpus use, too."""
    songs = plan_corpus(1, 1, seed=7)
    return made_once(
        "demo_songs", lambda folder: list(parallel_map(partial(record, folder=folder), songs, "composing"))
    )


def collect(folder: Path, name: str, composed: Path, first: int) -> list[Track]:
    """Collect from a shop in which every eighth song is still to be composed."""
    shop = Demo(1, 1, seed=7, concurrency=4, timeout_s=120, retries=2, folder=folder / "kept")
    shutil.copytree(composed, shop.folder / "stock")
    for path in sorted((shop.folder / "stock").iterdir())[first::8]:
        path.unlink()
    (folder / name).mkdir()
    songs = shop.collect(folder / name)
    shop.cleanup()
    return songs


@pytest.fixture(scope="module")
def songs(folder: Path, composed: Path) -> list[Track]:
    return collect(folder, "audio", composed, first=0)


def test_all_that_the_shop_offers_is_collected_or_refused(songs: list[Track], folder: Path) -> None:
    assert len(songs) == len(GENRES) + len(EXTRAS)
    [refused] = [song for song in songs if song.reason]
    assert (refused.reason, refused.file) == ("unreadable", None)
    assert "404" in str(refused.detail)
    assert "/audio/" in str(refused.detail)
    assert {path.name for path in (folder / "audio").iterdir()} == {song.file for song in songs if song.file}
    check_table(tabulate(songs, folder / "audio"), CATALOGUE, "the catalogue")


def test_songs_are_described_by_their_pages(songs: list[Track]) -> None:
    assert sum(len(song.genres) == 2 for song in songs) == EXTRAS.count("two genres")
    for song in songs:
        assert song.title
        assert song.artist
        assert song.license == "https://creativecommons.org/publicdomain/zero/1.0/"
        assert song.primary_genre in song.genres
        assert song.source_id.startswith(f"/song/{song.primary_genre}-")


def test_nothing_tells_where_the_shop_was_open(songs: list[Track]) -> None:
    assert {song.url for song in songs} == {None}
    assert not any("127.0.0.1" in str(song) for song in songs)
    assert all(song.file in (None, track_id("demo", song.source_id) + ".mp3") for song in songs)


def test_collecting_again_gives_the_same_bytes_and_leaves_nothing_behind(
    songs: list[Track], folder: Path, composed: Path
) -> None:
    assert collect(folder, "again", composed, first=4) == songs
    assert {path.name: path.read_bytes() for path in (folder / "again").iterdir()} == {
        path.name: path.read_bytes() for path in (folder / "audio").iterdir()
    }
    assert not (folder / "kept").exists()


def test_page_of_a_song_is_the_one_that_was_crawled(songs: list[Track], folder: Path) -> None:
    shop = Demo(1, 1, seed=7, concurrency=4, timeout_s=120, retries=2, folder=folder / "kept")
    for song in songs:
        page = shop.page(song.source_id)
        [recording] = parse_recordings(html.fromstring(page), "")
        assert (recording.title, recording.artist, recording.license) == (song.title, song.artist, song.license)
        assert page == shop.page(song.source_id)
    assert not shop.folder.exists()
