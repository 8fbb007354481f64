import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from songgenre.errors import UserError
from songgenre.library.journal import (
    JOURNAL,
    LOCK,
    UNDO_LOG,
    Journal,
    Stamp,
    Version,
    open_journal,
    read_stamp,
    state_folder,
)

VERSION = Version(Stamp(1000, 1_700_000_000_123_456_789), "a" * 64)
UNDECODABLE = os.fsdecode(b"caf\xe9\n.mp3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "music"


def lines(folder: Path) -> list[bytes]:
    return (folder / JOURNAL).read_bytes().splitlines()


def test_song_is_current_until_its_file_or_the_model_changes(
    folder: Path, library: Path, record: Callable[..., dict[str, Any]]
) -> None:
    with open_journal(folder, library) as journal:
        assert not journal.is_current(UNDECODABLE, VERSION)
        journal.append(UNDECODABLE, VERSION, record("/music/song.mp3"))
    with open_journal(folder, library) as journal:
        assert journal.is_current(UNDECODABLE, VERSION)
        assert journal.read(UNDECODABLE) == record(UNDECODABLE)
        assert not journal.is_current(UNDECODABLE, VERSION._replace(model_hash="b" * 64))
        for stamp in (Stamp(1001, VERSION.stamp.mtime_ns), Stamp(1000, VERSION.stamp.mtime_ns + 1), None):
            assert not journal.is_current(UNDECODABLE, VERSION._replace(stamp=stamp))


def test_each_song_is_on_the_disk_at_once(folder: Path, library: Path) -> None:
    with open_journal(folder, library) as journal:
        for number in range(3):
            journal.append(f"{number}.mp3", VERSION, {"reason": "silent"})
            assert len(lines(folder)) == 2 + number


def test_torn_line_costs_its_own_song_alone(folder: Path, library: Path, record: Callable[..., dict[str, Any]]) -> None:
    with open_journal(folder, library) as journal:
        for name in ("a.mp3", "b.mp3"):
            journal.append(name, VERSION, record(name))
    whole = (folder / JOURNAL).read_bytes()
    begin_of_b = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in (1, 2, 100, len(whole) - begin_of_b - 1):
        (folder / JOURNAL).write_bytes(whole[:-cut])
        with open_journal(folder, library) as journal:
            assert journal.is_current("a.mp3", VERSION)
            assert not journal.is_current("b.mp3", VERSION)
            journal.append("b.mp3", VERSION, record("b.mp3"))
        assert (folder / JOURNAL).read_bytes() == whole


@pytest.mark.parametrize(
    "wrong",
    [
        {"probabilities": {}},
        {"probabilities": ["rock"]},
        {"probabilities": {"rock": "0.8"}},
        {"genre": None},
        {"unsure": "no"},
        {"outside": []},
        {"file_tags": {"singer": "Anna"}},
        {"file_tags": {"artist": 1}},
        {"reason": 5},
    ],
)
def test_song_whose_line_is_damaged_is_predicted_again(
    folder: Path, library: Path, record: Callable[..., dict[str, Any]], wrong: dict[str, Any]
) -> None:
    with open_journal(folder, library) as journal:
        journal.append("a.mp3", VERSION, record("a.mp3"))
        journal.append("b.mp3", VERSION, record("b.mp3") | wrong)
    with open_journal(folder, library) as journal:
        assert journal.is_current("a.mp3", VERSION)
        assert not journal.is_current("b.mp3", VERSION)


@pytest.mark.parametrize("name", [JOURNAL, UNDO_LOG, LOCK])
@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_state_that_is_no_file_is_told(folder: Path, library: Path, name: str, put: Callable[[Path], None]) -> None:
    folder.mkdir()
    put(folder / name)
    with pytest.raises(UserError, match=name), open_journal(folder, library):
        pass


def test_line_that_is_torn_while_the_journal_is_open_does_not_join_the_next(folder: Path, library: Path) -> None:
    with open_journal(folder, library) as journal:
        with (folder / JOURNAL).open("ab") as file:
            file.write(b'{"file": "torn')
        journal.append("b.mp3", VERSION, {"reason": "silent"})
        assert journal.read("b.mp3") == {"file": "b.mp3", "reason": "silent"}
    with open_journal(folder, library) as journal:
        assert journal.is_current("b.mp3", VERSION)


def test_last_line_of_a_song_counts_and_the_others_are_removed(
    folder: Path, library: Path, record: Callable[..., dict[str, Any]]
) -> None:
    with open_journal(folder, library) as journal:
        journal.append("a.mp3", VERSION, record("a.mp3"))
        journal.append("b.mp3", VERSION, record("b.mp3"))
        journal.append("a.mp3", VERSION, {"reason": "silent"})
    with open_journal(folder, library) as journal:
        assert len(lines(folder)) == 3
        assert journal.read("a.mp3") == {"file": "a.mp3", "reason": "silent"}
        assert journal.read("b.mp3") == record("b.mp3")


def test_journal_is_for_one_process_at_a_time(folder: Path, library: Path) -> None:
    with open_journal(folder, library), pytest.raises(UserError, match=str(folder)), open_journal(folder, library):
        pass
    with open_journal(folder, library) as journal:
        assert isinstance(journal, Journal)


@pytest.mark.parametrize("content", [b"my diary\n", b"[]\n", b'{"songgenre_journal": 99}\n'])
def test_file_of_somebody_else_is_refused_and_stays(folder: Path, library: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / JOURNAL).write_bytes(content)
    with pytest.raises(UserError, match="--journal"), open_journal(folder, library):
        pass
    assert (folder / JOURNAL).read_bytes() == content


def test_journal_of_another_library_is_refused(folder: Path, library: Path, tmp_path: Path) -> None:
    with open_journal(folder, library):
        pass
    with pytest.raises(UserError, match=str(library)), open_journal(folder, tmp_path / "other"):
        pass


def test_folder_that_cannot_be_created_is_told(library: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--journal"), open_journal(tmp_path / "file" / "state", library):
        pass


def test_each_library_has_a_folder_in_the_state_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(tmp_path / "a")
    a, b, link = (state_folder(tmp_path / name) for name in ("a", "b", "link"))
    assert a.parent == b.parent == tmp_path / "songgenre"
    assert a != b
    assert a == link
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder(tmp_path / "a").is_relative_to(tmp_path / ".local" / "state")


def test_stamp_changes_with_the_file_and_a_pipe_has_none(tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(b"1234")
    before = read_stamp(song)
    assert before == read_stamp(song) == (4, song.stat().st_mtime_ns)
    os.utime(song, ns=(0, before.mtime_ns + 1))
    assert read_stamp(song) != before
    os.mkfifo(tmp_path / "pipe.mp3")
    with pytest.raises(OSError, match="regular"):
        read_stamp(tmp_path / "pipe.mp3")
