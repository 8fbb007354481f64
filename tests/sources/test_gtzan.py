import re
from pathlib import Path

import pytest

from songgenre.errors import UserError
from songgenre.sources import gtzan
from songgenre.sources.base import Track, track_id
from songgenre.sources.catalogue import tabulate
from songgenre.sources.folder import Folder
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import check_table

LISTS = {
    "train_filtered.txt": ["blues/blues.00000.wav", "rock/rock.00001.wav"],
    "valid_filtered.txt": ["blues/blues.00001.wav"],
    "test_filtered.txt": ["rock/rock.00000.wav", "jazz/jazz.00054.wav"],
}


def excerpts(folder: Path, ending: str = ".wav") -> None:
    for genre in gtzan.GENRES:
        (folder / genre).mkdir(parents=True)
        for number in (0, 1, 54):
            (folder / genre / f"{genre}.{number:05}{ending}").write_text(f"{genre} {number}")


def put_lists(folder: Path, **others: list[str]) -> None:
    for name, lines in (LISTS | {f"{name}.txt": lines for name, lines in others.items()}).items():
        (folder / name).write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "gtzan"
    excerpts(folder)
    return folder


def collect(folder: Path, audio: Path) -> dict[str, Track]:
    songs = Folder(folder).collect(audio)
    assert {song.file for song in songs if song.file} == {path.name for path in audio.iterdir()}
    check_table(tabulate(songs, audio), CATALOGUE, "the catalogue")
    return {song.source_id: song for song in songs}


@pytest.mark.parametrize("place", ["", "genres", "genres_original"])
@pytest.mark.parametrize("ending", [".wav", ".au"])
def test_gtzan_is_recognised_wherever_its_genres_are(tmp_path: Path, audio: Path, place: str, ending: str) -> None:
    excerpts(tmp_path / "gtzan" / place, ending)
    songs = collect(tmp_path / "gtzan", audio)
    assert len(songs) == 30
    assert {song.collection for song in songs.values()} == {"gtzan"}
    song = songs[f"blues/blues.00001{ending}"]
    assert (song.source, song.genres, song.title) == ("folder", ("blues",), "blues.00001")
    assert song.track_id == track_id("folder", f"blues/blues.00001{ending}")
    assert (audio / song.file).read_text() == "blues 1"


def test_about_tells_whom_to_cite_and_what_to_heed(folder: Path) -> None:
    about = Folder(folder).about
    assert about is gtzan.INFO
    for work in ("Tzanetakis", "10(5), 2002", "arXiv:1306.1461", "Kereliuk", "17(11), 2015"):
        assert work in about.citation
    assert about.license
    assert "research" in about.terms


def test_folder_of_other_genres_is_no_gtzan(folder: Path, audio: Path) -> None:
    (folder / "rock").rename(folder / "folk")
    assert {song.collection for song in collect(folder, audio).values()} == {None}
    assert Folder(folder).about.name == "folder"


def test_folder_of_the_same_genres_but_other_names_is_no_gtzan(folder: Path, audio: Path) -> None:
    for path in (folder / "rock").iterdir():
        path.rename(path.with_name(f"song {path.name}"))
    assert {song.collection for song in collect(folder, audio).values()} == {None}


def test_list_of_tracks_goes_before_the_layout(folder: Path, audio: Path) -> None:
    (folder / "tracks.csv").write_text("file,genre\nblues/blues.00001.wav,sad\n")
    (song,) = collect(folder, audio).values()
    assert (song.genres, song.collection) == (("sad",), None)
    assert Folder(folder).about.name == "folder"


def test_song_that_somebody_added_is_not_of_gtzan(folder: Path, audio: Path) -> None:
    put_lists(folder)
    (folder / "rock" / "mine.mp3").write_text("mine")
    mine = collect(folder, audio)["rock/mine.mp3"]
    assert (mine.collection, mine.split, mine.reason) == (None, None, None)


def test_corrupt_song_is_known(folder: Path, audio: Path) -> None:
    songs = collect(folder, audio)
    assert {name for name, song in songs.items() if song.file is None} == {"jazz/jazz.00054.wav"}
    corrupt = songs["jazz/jazz.00054.wav"]
    assert corrupt.reason == "unreadable"
    assert "corrupt" in str(corrupt.detail)
    assert "wav" in str(corrupt.detail)


def test_song_that_is_corrupt_in_wav_is_whole_in_au(tmp_path: Path, audio: Path) -> None:
    excerpts(tmp_path / "gtzan", ".au")
    assert collect(tmp_path / "gtzan", audio)["jazz/jazz.00054.au"].reason is None


@pytest.mark.parametrize("ending", [".wav", ".au"])
@pytest.mark.parametrize("place", ["", "genres"])
def test_lists_make_the_split_and_leave_the_faults_out(tmp_path: Path, audio: Path, place: str, ending: str) -> None:
    excerpts(tmp_path / "gtzan" / place, ending)
    put_lists(tmp_path / "gtzan")
    songs = collect(tmp_path / "gtzan", audio)
    splits = {name.removesuffix(ending): song.split for name, song in songs.items() if song.split}
    assert splits == {
        "blues/blues.00000": "train",
        "rock/rock.00001": "train",
        "blues/blues.00001": "validation",
        "rock/rock.00000": "test",
        "jazz/jazz.00054": "test",
    }
    left_out = [song for song in songs.values() if song.reason == "duplicate"]
    assert len(left_out) == 25
    assert {(song.file, song.split) for song in left_out} == {(None, None)}
    assert all("fault-filtered" in str(song.detail) for song in left_out)


def test_corrupt_song_may_be_listed_and_yet_be_gone(folder: Path, audio: Path) -> None:
    put_lists(folder)
    (folder / "jazz" / "jazz.00054.wav").unlink()
    assert "jazz/jazz.00054.wav" not in collect(folder, audio)


def test_lists_may_have_blank_lines_and_be_saved_on_windows(folder: Path, audio: Path) -> None:
    put_lists(folder)
    (folder / "valid_filtered.txt").write_bytes(b"\r\n blues/blues.00001.au\r\n\r\n")
    assert collect(folder, audio)["blues/blues.00001.wav"].split == "validation"


@pytest.mark.parametrize("name", LISTS)
def test_missing_list_is_named(folder: Path, audio: Path, name: str) -> None:
    put_lists(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name}.{{0,10}}missing|missing.{{0,10}}{name}"):
        collect(folder, audio)


@pytest.mark.parametrize("line", ["rock/rock.00777.wav", "jazz/rock.00000.wav", "rock.00000.wav", "../x", "\0"])
def test_unknown_song_in_a_list_is_named(folder: Path, audio: Path, line: str) -> None:
    put_lists(folder, test_filtered=[line])
    with pytest.raises(UserError, match=re.escape(line.removesuffix(".wav"))):
        collect(folder, audio)
    assert not list(audio.iterdir())


@pytest.mark.parametrize("line", ["blues/blues.00000.wav", "blues/blues.00000.au"])
def test_song_in_two_lists_is_named(folder: Path, audio: Path, line: str) -> None:
    put_lists(folder, test_filtered=[line])
    with pytest.raises(UserError, match=r"blues/blues\.00000.*train_filtered\.txt.*test_filtered\.txt"):
        collect(folder, audio)


def test_list_that_is_no_text_is_named(folder: Path, audio: Path) -> None:
    put_lists(folder)
    (folder / "valid_filtered.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"valid_filtered\.txt"):
        collect(folder, audio)
