import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from songgenre.errors import UserError
from songgenre.library.outputs import Outputs

Record = dict[str, Any]
GENRES = ["jazz", "rock"]
UNDECODABLE = os.fsdecode(b"/music/caf\xe9.mp3")


@pytest.fixture
def songs(record: Callable[..., Record]) -> list[Record]:
    return [
        record("/music/a, b.mp3", artist="Anna", title="A\tsong"),
        record(UNDECODABLE),
        record("/music/two\nlines.mp3"),
        record("/music/jazz.mp3", rock=0.2),
        record("/music/unsure.mp3", rock=0.55),
        record("/music/speech.mp3", is_outside=True),
        {"file": "/music/cover.bin", "reason": "no audio\nat all"},
    ]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "music"


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    return Outputs(tmp_path / "g.csv", tmp_path / "g.jsonl", tmp_path / "playlists")


def write(outputs: Outputs, library: Path, songs: list[Record], genres: list[str] = GENRES) -> None:
    def read() -> Iterator[Record]:
        return iter(songs)

    outputs.check(library, genres)
    outputs.write(read, library, genres)


def entries(playlist: Path) -> list[str]:
    return [os.fsdecode(line) for line in playlist.read_bytes().splitlines() if not line.startswith(b"#")]


def test_every_song_is_in_the_table_and_in_the_lines(outputs: Outputs, library: Path, songs: list[Record]) -> None:
    write(outputs, library, songs)
    assert outputs.csv
    assert outputs.json
    with outputs.csv.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [song["file"].translate({0xDCE9: "\ufffd", 10: "\ufffd"}) for song in songs]
    assert rows[0] == {
        "file": "/music/a, b.mp3",
        "genre": "rock",
        "unsure": "false",
        "outside": "0.1",
        "is_outside": "false",
        "model": "pretrained",
        "artist": "Anna",
        "title": "A\tsong",
        "p_jazz": "0.2",
        "p_rock": "0.8",
        "reason": "",
    }
    assert rows[-1]["genre"] == ""
    assert rows[-1]["reason"].startswith("no audio")
    assert [json.loads(line) for line in outputs.json.read_text("ascii").splitlines()] == songs


def test_playlist_of_a_genre_has_the_songs_that_are_sure(
    outputs: Outputs, library: Path, songs: list[Record], capsys: pytest.CaptureFixture[str]
) -> None:
    write(outputs, library, songs)
    assert outputs.playlists
    assert sorted(path.name for path in outputs.playlists.iterdir()) == ["jazz.m3u8", "rock.m3u8"]
    assert entries(outputs.playlists / "rock.m3u8") == ["/music/a, b.mp3", UNDECODABLE]
    assert entries(outputs.playlists / "jazz.m3u8") == ["/music/jazz.mp3"]
    assert (outputs.playlists / "rock.m3u8").read_bytes().startswith(b"#EXTM3U\n")
    assert "lines.mp3" in capsys.readouterr().err


def test_later_run_replaces_its_own_files_alone(outputs: Outputs, library: Path, songs: list[Record]) -> None:
    write(outputs, library, songs)
    assert outputs.playlists
    (outputs.playlists / "party.m3u8").write_text("#EXTM3U\n/music/a.mp3\n")
    write(Outputs(playlists=outputs.playlists), library, songs[:1], ["drum/bass", "rock"])
    assert sorted(path.name for path in outputs.playlists.iterdir()) == ["drum%2Fbass.m3u8", "party.m3u8", "rock.m3u8"]
    assert entries(outputs.playlists / "rock.m3u8") == ["/music/a, b.mp3"]
    assert entries(outputs.playlists / "party.m3u8") == ["/music/a.mp3"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("g.csv", "my own\n"),
        ("g.csv", "file,genre,artist\na.mp3,rock,Anna\n"),
        ("g.jsonl", "my own\n"),
        ("g.jsonl", '{"file": "a.mp3", "before": [], "after": ["rock"]}\n'),
        ("playlists/rock.m3u8", "my own\n"),
        ("playlists", "my own\n"),
    ],
)
def test_file_of_somebody_else_is_not_replaced(
    outputs: Outputs, library: Path, tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(UserError, match=name):
        outputs.check(library, GENRES)
    assert path.read_text() == text


def test_folder_of_playlists_below_a_file_is_refused(library: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="playlists"):
        Outputs(playlists=tmp_path / "file" / "playlists").check(library, GENRES)


def test_playlists_of_another_library_are_not_replaced(outputs: Outputs, tmp_path: Path, songs: list[Record]) -> None:
    write(outputs, tmp_path / "music", songs)
    with pytest.raises(UserError, match="jazz"):
        outputs.check(tmp_path / "other", GENRES)


def test_names_of_files_must_fit_their_formats(tmp_path: Path, library: Path) -> None:
    for outputs in (Outputs(csv=tmp_path / "a.txt"), Outputs(json=tmp_path / "a.json")):
        with pytest.raises(UserError, match=r"\.csv|\.jsonl"):
            outputs.check(library, GENRES)
