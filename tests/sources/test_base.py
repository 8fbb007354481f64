import hashlib
from pathlib import Path

import pandas as pd
import pytest

from songgenre import tables
from songgenre.sources.base import Song, catalogue, track_id


def song(source_id: str, file: str, **options: str) -> Song:
    return Song("folder", source_id, file, ("rock",), **options)


def test_track_id_is_the_same_on_every_machine() -> None:
    assert track_id("folder", "rock/a.mp3") == "folder-" + hashlib.sha256(b"rock/a.mp3").hexdigest()[:12]


@pytest.mark.parametrize("source_id", ["rock/a.mp3", "Ænima, 日本語?.mp3", "../x y|z"])
def test_track_id_is_safe_in_a_file_name(source_id: str) -> None:
    assert track_id("folder", source_id).replace("-", "").isalnum()
    assert track_id("folder", source_id).isascii()


def test_track_id_tells_sources_and_songs_apart() -> None:
    assert len({track_id("folder", "a"), track_id("folder", "b"), track_id("demo", "a")}) == 3


def test_catalogue_holds_what_the_files_hold(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"song")
    (tmp_path / "b.mp3").write_bytes(b"")
    songs = [song("a", "a.mp3", artist="Anna", collection="mine"), song("b", "b.mp3")]
    table = catalogue(songs, tmp_path).set_index("source_id")
    assert table.loc["a", "sha256"] == hashlib.sha256(b"song").hexdigest()
    assert table["bytes"].to_dict() == {"a": 4, "b": 0}
    assert table["collection"].to_dict() == {"a": "mine", "b": "folder"}
    assert table.loc["a", "artist"] == "Anna"
    assert pd.isna(table.loc["b", "artist"])


def test_catalogue_fits_its_schema_also_where_nothing_but_the_file_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"song")
    table = catalogue([Song("folder", "a", "a.mp3", ())], tmp_path)
    tables.write(table, tables.CATALOGUE, tmp_path / "catalogue.parquet")
    assert tables.read(tables.CATALOGUE, tmp_path / "catalogue.parquet")["title"].isna().all()


def test_catalogue_is_sorted_whatever_the_order_of_the_songs(tmp_path: Path) -> None:
    songs = [song(name, name) for name in "dacb"]
    for each in songs:
        (tmp_path / each.file).write_text(each.file)
    table = catalogue(songs, tmp_path)
    assert table["track_id"].is_monotonic_increasing
    pd.testing.assert_frame_equal(table, catalogue(reversed(songs), tmp_path))
