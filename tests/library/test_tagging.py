import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from songgenre.errors import UserError
from songgenre.library import tagging
from songgenre.library.genre_tag import read_genres, write_genres
from songgenre.library.journal import Journal, Version, open_journal, read_stamp
from songgenre.library.jsonlines import JsonLines
from songgenre.library.tagging import Change, Tagger


class Setting:
    """A library of one song, and all that is said of its tags."""

    def __init__(self, library: Path, journal: Journal, undo_log: JsonLines) -> None:
        self.library, self.journal, self.undo_log = library, journal, undo_log
        self.made: list[Change] = []
        self.failed: list[str] = []

    @property
    def song(self) -> Path:
        return self.library / "song.flac"

    def tagger(self, dry_run: bool = False) -> Tagger:
        return Tagger(self.library, self.journal, self.undo_log, self.made.append, self.failed.append, dry_run)

    def write_by_hand(self, genre: str) -> None:
        """Write a genre with another program, and predict the song again."""
        write_genres(self.song, [genre], lambda stamp: None)
        self.journal.append("song.flac", Version(read_stamp(self.song), "a"), self.journal.read("song.flac"))

    def logged(self) -> int:
        return len(list(self.undo_log))


@pytest.fixture
def setting(
    tmp_path: Path, write_audio: Callable[..., Path], tone: Callable[..., np.ndarray], record: Callable[..., Any]
) -> Iterator[Setting]:
    library = tmp_path / "music"
    song = write_audio(library / "song.flac", tone(1))
    write_genres(song, ["Pop", "Soul"], lambda stamp: None)
    with open_journal(tmp_path / "state", library) as journal:
        journal.append("song.flac", Version(read_stamp(song), "a"), record("song.flac", genre="Pop;Soul"))
        yield Setting(library, journal, JsonLines(tmp_path / "state" / "undo.jsonl"))


def test_genre_is_written_and_restored_and_its_prediction_stays_valid(setting: Setting) -> None:
    before = read_stamp(setting.song)
    setting.tagger().write("song.flac", "rock")
    assert read_genres(setting.song) == ["rock"]
    assert read_stamp(setting.song) != before
    assert setting.journal.is_current("song.flac", Version(read_stamp(setting.song), "a"))
    assert setting.journal.read("song.flac")["file_tags"]["genre"] == "rock"
    setting.tagger().undo()
    assert read_genres(setting.song) == ["Pop", "Soul"]
    assert setting.journal.is_current("song.flac", Version(read_stamp(setting.song), "a"))
    assert setting.made == [
        Change("song.flac", ["Pop", "Soul"], ["rock"]),
        Change("song.flac", ["rock"], ["Pop", "Soul"]),
    ]
    assert setting.failed == []
    assert setting.logged() == 0


def test_genre_that_the_tags_name_already_is_not_written(setting: Setting) -> None:
    setting.write_by_hand("Rock")
    before = read_stamp(setting.song)
    setting.tagger().write("song.flac", "rock")
    assert read_stamp(setting.song) == before
    assert setting.made == []


def test_dry_run_tells_the_changes_and_makes_none(setting: Setting) -> None:
    before = setting.song.read_bytes()
    setting.tagger(dry_run=True).write("song.flac", "rock")
    assert setting.made == [Change("song.flac", ["Pop", "Soul"], ["rock"])]
    assert setting.song.read_bytes() == before
    setting.tagger().write("song.flac", "rock")
    written = setting.song.read_bytes()
    setting.tagger(dry_run=True).undo()
    assert setting.song.read_bytes() == written
    assert setting.logged() == 1


def test_undo_goes_back_over_several_runs(setting: Setting) -> None:
    for genre in ("rock", "jazz"):
        setting.tagger().write("song.flac", genre)
    setting.tagger().undo()
    assert read_genres(setting.song) == ["Pop", "Soul"]


def test_song_that_has_changed_since_its_prediction_waits_for_the_next(setting: Setting) -> None:
    setting.tagger().write("song.flac", "rock")
    os.utime(setting.song, ns=(0, 0))
    setting.tagger().write("song.flac", "jazz")
    assert read_genres(setting.song) == ["rock"]
    assert "song.flac" in setting.failed[0]
    setting.tagger().undo()
    assert read_genres(setting.song) == ["Pop", "Soul"]
    assert not setting.journal.is_current("song.flac", Version(read_stamp(setting.song), "a"))


def test_undo_goes_back_to_what_the_user_wrote_last(setting: Setting) -> None:
    setting.tagger().write("song.flac", "rock")
    setting.write_by_hand("Garage")
    setting.tagger().write("song.flac", "rock")
    setting.tagger().undo()
    assert read_genres(setting.song) == ["Garage"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"file": 5},
        {"file": "../song.flac"},
        {"file": "a\0"},
        {"before": "Pop"},
        {"after": [1]},
        {"before": None},
        {"x": 1},
    ],
)
def test_damaged_line_of_the_undo_log_is_told_and_nothing_is_lost(setting: Setting, wrong: dict[str, Any]) -> None:
    setting.tagger().write("song.flac", "rock")
    setting.undo_log.append({"file": "song.flac", "before": ["rock"], "after": ["jazz"]} | wrong)
    before = setting.undo_log.path.read_bytes()
    with pytest.raises(UserError, match="line 2"):
        setting.tagger().undo()
    assert setting.undo_log.path.read_bytes() == before
    assert read_genres(setting.song) == ["rock"]


def test_undo_leaves_what_was_changed_since_and_what_has_vanished(setting: Setting) -> None:
    setting.tagger().write("song.flac", "rock")
    setting.write_by_hand("Garage")
    setting.tagger().undo()
    assert read_genres(setting.song) == ["Garage"]
    setting.song.unlink()
    setting.tagger().undo()
    assert len(setting.failed) == 2
    assert all("song.flac" in reason for reason in setting.failed)
    assert setting.logged() == 1


def test_killed_before_the_file_was_replaced_the_next_run_goes_on(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def die(path: Path, genres: list[str], before_replacing: Callable[..., None]) -> None:
        before_replacing(read_stamp(path))
        raise KilledError

    monkeypatch.setattr(tagging, "write_genres", die)
    with pytest.raises(KilledError):
        setting.tagger().write("song.flac", "rock")
    monkeypatch.undo()
    setting.tagger().undo()
    assert (setting.made, setting.failed, setting.logged()) == ([], [], 0)
    assert read_genres(setting.song) == ["Pop", "Soul"]


@pytest.mark.parametrize("where", ["song.flac", "outside.flac"])
def test_link_is_not_written_through(setting: Setting, tmp_path: Path, where: str) -> None:
    outside = setting.song.rename(tmp_path / "outside.flac")
    before = outside.read_bytes()
    (setting.library / where).symlink_to(outside)
    setting.tagger().write(where, "rock")
    assert outside.read_bytes() == before
    assert (setting.library / where).is_symlink()
    assert where in setting.failed[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_file_and_folder_that_are_read_only_are_told(setting: Setting) -> None:
    before = setting.song.read_bytes()
    for path, mode in ((setting.song, 0o444), (setting.library, 0o555)):
        usual = path.stat().st_mode
        path.chmod(mode)
        setting.tagger().write("song.flac", "rock")
        path.chmod(usual)
    assert len(setting.failed) == 2
    assert setting.song.read_bytes() == before
