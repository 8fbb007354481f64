import hashlib
from pathlib import Path

import pandas as pd

from songgenre.sources.base import Track
from songgenre.sources.catalogue import (
    describe_catalogue,
    find_changed_files,
    summarize,
    tabulate,
    tabulate_genres,
)
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import read_table, write_table
from songgenre.tables.genres import GENRES


def song(source_id: str, file: str, **options: str) -> Track:
    return Track("folder", source_id, file, ("rock",), **options)


def test_catalogue_holds_what_the_files_hold(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"song")
    (tmp_path / "b.mp3").write_bytes(b"")
    songs = [song("a", "a.mp3", artist="Anna", collection="mine"), song("b", "b.mp3")]
    table = tabulate(songs, tmp_path).set_index("source_id")
    assert table.loc["a", "sha256"] == hashlib.sha256(b"song").hexdigest()
    assert table["bytes"].to_dict() == {"a": 4, "b": 0}
    assert table["collection"].to_dict() == {"a": "mine", "b": "folder"}
    assert table.loc["a", "artist"] == "Anna"
    assert pd.isna(table.loc["b", "artist"])


def test_catalogue_fits_its_schema_also_where_nothing_but_the_file_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"song")
    table = tabulate([Track("folder", "a", "a.mp3", ())], tmp_path)
    write_table(table, CATALOGUE, tmp_path / "catalogue.parquet")
    assert read_table(CATALOGUE, tmp_path / "catalogue.parquet")["title"].isna().all()


def test_catalogue_is_sorted_whatever_the_order_of_the_songs(tmp_path: Path) -> None:
    songs = [song(name, name) for name in "dacb"]
    for each in songs:
        (tmp_path / each.file).write_text(each.file)
    table = tabulate(songs, tmp_path)
    assert table["track_id"].is_monotonic_increasing
    pd.testing.assert_frame_equal(table, tabulate(reversed(songs), tmp_path))


def test_song_without_audio_is_in_the_catalogue_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"song")
    there = song("a", "a.mp3", primary_genre="rock", split="test")
    missing = [Track("folder", name, None, (), reason="unreadable", detail="it is\nnot there") for name in "bc"]
    write_table(tabulate([there, *missing], tmp_path), CATALOGUE, tmp_path / "catalogue.parquet")
    table = read_table(CATALOGUE, tmp_path / "catalogue.parquet").set_index("source_id")
    assert table.loc["b", ["bytes", "reason", "detail"]].tolist() == [0, "unreadable", "it is not there"]
    assert table.loc["a", ["primary_genre", "split"]].tolist() == ["rock", "test"]
    assert table.loc["b", ["audio_path", "sha256", "primary_genre", "split"]].isna().all()


def test_changed_names_files_that_are_missing_not_listed_or_others(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    table = tabulate([song(name, name) for name in "abc"], tmp_path)
    assert find_changed_files(table, tmp_path) == []
    (tmp_path / "a").write_text("other")
    (tmp_path / "b").unlink()
    (tmp_path / "d").touch()
    assert find_changed_files(table, tmp_path) == ["a", "b", "d"]


def test_summary_counts(tmp_path: Path) -> None:
    for name, content in {"a": "1", "b": "1", "c": "2"}.items():
        (tmp_path / name).write_text(content * 1_000_000)
    songs = [
        Track("folder", "a", "a", ("rock", "jazz"), artist="Anna"),
        Track("folder", "b", "b", ("rock",), artist="Anna"),
        Track("folder", "c", "c", ()),
        Track("folder", "d", None, ("pop",), reason="empty", detail="nothing in it"),
    ]
    assert summarize(tabulate(songs, tmp_path)).tolist() == [4, 1, 3, 3, 1, 2, 1, 1]


def test_what_needs_a_look_is_described(tmp_path: Path) -> None:
    songs = [
        Track("folder", "a", None, ("clasical",), artist="Anna", reason="empty", detail="empty"),
        Track("folder", "b", None, ("classical",), reason="empty", detail="empty"),
    ]
    counts, merges, near, artists = describe_catalogue(tabulate(songs, tmp_path), {"rock": ["Rock"]})
    assert "clasical 1, classical 1" in counts
    assert "'Rock' count as 'rock'" in merges
    assert all(name in near for name in ("'clasical'", "'classical'", "scraping.genre_names"))
    assert "1 of 2" in artists


def test_many_genres_are_described_by_the_extremes(tmp_path: Path) -> None:
    genres = ["common", "common", *(f"{letter}-beat" for letter in "abcdefghijklmnopqrst")]
    songs = [
        Track("folder", str(number), None, (genre,), artist="Anna", reason="empty", detail="empty")
        for number, genre in enumerate(genres)
    ]
    counts, *_ = describe_catalogue(tabulate(songs, tmp_path), {})
    assert all(each in counts for each in ("1 (a-beat)", "2 (common)", "21 genres"))
    assert "b-beat" not in counts


def test_spellings_of_a_name_are_one_artist(tmp_path: Path) -> None:
    names = ["Sigur Rós", "sigur  rós", "SIGUR RO\u0301S", None, "Anna"]
    songs = [
        Track("folder", str(number), None, ("pop",), artist=name, reason="empty", detail="empty")
        for number, name in enumerate(names)
    ]
    summary = summarize(tabulate(songs, tmp_path))
    assert (summary["artists"], summary["songs without an artist"]) == (2, 1)


def test_tree_of_genres_has_the_names_of_the_catalogue(tmp_path: Path) -> None:
    parents = {"Rock": None, "Punk": "Rock", "Post-Punk": "Punk", "Rap": "Hip-Hop"}
    table = tabulate_genres(parents, {"punk": ["Punk"], "Hip-Hop": ["Rap"]})
    write_table(table, GENRES, tmp_path / "genres.parquet")
    stored = read_table(GENRES, tmp_path / "genres.parquet").fillna("")
    assert stored.to_numpy().tolist() == [["Rock", ""], ["punk", "Rock"], ["Post-Punk", "punk"]]


def test_ancestor_that_no_song_has_is_spelled_like_its_merged_child() -> None:
    table = tabulate_genres({"Hip-Hop": None, "Rap": "Hip-Hop"}, {"hip-hop": ["Rap"]}).fillna("")
    assert table.to_numpy().tolist() == [["hip-hop", ""]]


def test_source_without_a_tree_has_an_empty_table(tmp_path: Path) -> None:
    write_table(tabulate_genres({}, {}), GENRES, tmp_path / "genres.parquet")
    assert read_table(GENRES, tmp_path / "genres.parquet").empty
