"""The command as it is used, with the bundled model: runs after changes, outputs, tags, and kills at any moment."""

import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from songgenre.audio import open_audio
from songgenre.audio.tags import read_tags
from songgenre.cli import app
from songgenre.errors import UserError
from songgenre.models import musicnn_weights
from songgenre.models.pretrained.archive import Archive, save_archive
from songgenre.models.pretrained.head import load_head

ROOT = Path(__file__).parents[2]
UNDECODABLE = os.fsdecode(b"caf\xe9\x1b[31m.wav")
SURE = ("--threshold", "0")
"""Every song is sure, as no model knows these melodies well."""


class Ended(NamedTuple):
    code: int
    stdout: list[str]
    stderr: str
    error: BaseException | None


class Library:
    """A library and the state of its user."""

    def __init__(self, folder: Path) -> None:
        self.music, self.state, self.json = folder / "music", folder / "state", folder / "songs.jsonl"
        self.music.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return {"XDG_STATE_HOME": str(self.state)}

    def tag(self, *options: str) -> Ended:
        """Run the command in this process."""
        result = CliRunner().invoke(app, ["tag", str(self.music), *options], env=self.environment)
        return Ended(result.exit_code, result.stdout.splitlines(), result.stderr, result.exception)

    def start(self, *options: str, stderr: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        """Start the command in a process of its own."""
        command = [Path(sys.executable).with_name("songgenre"), "tag", str(self.music), *options]
        environment = os.environ | self.environment | {"PYTHONIOENCODING": "ascii"}
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=stderr)

    def songs(self) -> dict[str, dict[str, Any]]:
        """What the JSON lines say of each song."""
        songs = [json.loads(line) for line in self.json.read_text().splitlines()]
        assert len({song["file"] for song in songs}) == len(songs)
        return {os.path.relpath(song["file"], self.music): song for song in songs}

    def n_lines(self) -> int:
        """Number of lines in the journal, also while it is written."""
        return sum(path.read_bytes().count(b"\n") for path in self.state.glob("songgenre/*/journal.jsonl"))

    def journal(self) -> list[dict[str, Any]]:
        [path] = self.state.glob("songgenre/*/journal.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()[1:]]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    try:
        musicnn_weights.download_wheel(ROOT / "data" / "cache" / "wheels")
    except UserError as error:
        pytest.skip(f"No published weights: {error}")
    monkeypatch.chdir(ROOT)
    return Library(tmp_path)


@pytest.fixture
def one(library: Library, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]) -> Library:
    """One song, which needs no other process."""
    write_audio(library.music / "deep" / "a.flac", melody(7, 3))
    return library


@pytest.fixture
def full(library: Library, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]) -> Library:
    """Two songs, one of them with an odd name, two files that are none, a dead link and a picture."""
    write_audio(library.music / "deep" / "a.flac", melody(1, 3))
    os.rename(write_audio(library.music / "b.wav", melody(2, 3)), library.music / UNDECODABLE)
    (library.music / "broken.mp3").write_bytes(b"no music")
    (library.music / "dead.mp3").symlink_to("dead.mp3")
    (library.music / "deep" / "loop").symlink_to(library.music)
    (library.music / "cover.jpg").touch()
    (library.music / ".hidden.mp3").touch()
    return library


def samples(path: Path) -> str:
    with open_audio(path) as file:
        return hashlib.sha256(b"".join(y.tobytes() for y in file.mono())).hexdigest()


@pytest.mark.integration
def test_every_file_is_predicted_or_told_and_only_changed_ones_are_predicted_again(
    full: Library, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> None:
    first = full.tag("--json", str(full.json))
    assert first.code == 1
    assert len(first.stdout) == 2
    assert "\x1b" not in "".join(first.stdout)
    for name in ("broken.mp3", "dead.mp3", ".jpg 1"):
        assert name in first.stderr
    songs = full.songs()
    assert set(songs) == {"broken.mp3", UNDECODABLE, "dead.mp3", "deep/a.flac"}
    assert {name for name, song in songs.items() if "reason" in song} == {"broken.mp3", "dead.mp3"}

    predicted = CliRunner().invoke(app, ["predict", "--json", str(full.music / "deep" / "a.flac")])
    assert json.loads(predicted.stdout) == songs["deep/a.flac"]

    again = full.tag("--json", str(full.json))
    assert (again.code, again.stdout) == (1, [])
    assert [first.stderr.count(f"{name}: ") for name in ("broken.mp3", "dead.mp3")] == [1, 1]
    assert "broken.mp3" not in again.stderr
    assert full.songs() == songs
    assert len(full.journal()) == 4

    (full.music / UNDECODABLE).unlink()
    write_audio(full.music / "broken.mp3", melody(3, 3))
    write_audio(full.music / "c.ogg", melody(4, 3))
    later = full.tag("--json", str(full.json))
    assert [Path(line.partition(":")[0]).name for line in later.stdout] == ["broken.mp3", "c.ogg"], later
    assert set(full.songs()) == {"broken.mp3", "c.ogg", "dead.mp3", "deep/a.flac"}
    assert full.songs()["deep/a.flac"] == songs["deep/a.flac"]


@pytest.mark.integration
def test_another_model_predicts_again_and_another_threshold_does_not(one: Library, tmp_path: Path) -> None:
    assert (one.tag().code, len(one.tag("--threshold", "1", "--json", str(one.json)).stdout)) == (0, 0)
    assert one.songs()["deep/a.flac"]["unsure"]
    save_archive(Archive("mine", load_head(), ""), tmp_path / "mine.songgenre")
    assert len(one.tag("--model", str(tmp_path / "mine.songgenre")).stdout) == 1


@pytest.mark.integration
def test_outputs_and_the_journal_may_be_in_the_library(one: Library) -> None:
    options = ("--csv", "g.csv", "--json", "g.jsonl", "--playlists", "lists", "--journal", "state")
    inside = [option if option.startswith("--") else str(one.music / option) for option in options]
    for _ in range(2):
        assert one.tag(*inside).code == 0
    with (one.music / "g.csv").open(encoding="utf-8", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [str(one.music / "deep" / "a.flac")]
    assert not one.state.exists()


@pytest.mark.integration
def test_genre_is_written_where_the_model_is_sure_and_restored(one: Library) -> None:
    song = one.music / "deep" / "a.flac"
    original, before = song.read_bytes(), samples(song)
    assert len(one.tag("--write-genre", "--threshold", "1").stdout) == 1
    shown = one.tag("--write-genre", "--dry-run", *SURE)
    assert song.read_bytes() == original
    written = one.tag("--write-genre", "--json", str(one.json), *SURE)
    assert written.stdout == shown.stdout
    assert len(written.stdout) == 1
    assert read_tags(song).genre == one.songs()["deep/a.flac"]["genre"]
    assert samples(song) == before
    assert one.tag(*SURE).stdout == []
    assert one.tag("--undo").code == 0
    assert read_tags(song).genre is None
    assert one.tag(*SURE).stdout == []
    assert isinstance(one.tag("--undo").error, UserError)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--dry-run",), 2, "--dry-run"),
        (("--undo", "--write-genre"), 2, "--undo"),
        (("--undo", "--csv", "a.csv"), 2, "--undo"),
        (("--threshold", "2"), 2, "--threshold"),
        (("--undo",), 1, "undo"),
        ((), 1, "no song"),
    ],
)
def test_wrong_use_is_told_and_leaves_no_trace(
    library: Library, options: tuple[str, ...], code: int, message: str
) -> None:
    ended = library.tag(*options)
    assert (ended.code, ended.stdout) == (code, [])
    assert message in ended.stderr + str(ended.error)
    assert not library.state.exists()


@pytest.mark.parametrize("name", ["journal.jsonl", "undo.jsonl"])
def test_files_of_the_journal_are_no_outputs(one: Library, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    ended = one.tag("--journal", str(folder), "--json", str(folder / name))
    assert isinstance(ended.error, UserError)


def test_file_is_no_library(library: Library) -> None:
    library.music.rmdir()
    for make in (lambda: None, library.music.touch):
        make()
        assert isinstance(library.tag().error, UserError)


@pytest.mark.integration
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_that_cannot_be_read_is_told_and_the_others_are_predicted(full: Library) -> None:
    closed = full.music / "closed"
    closed.mkdir(mode=0)
    ended = full.tag()
    closed.chmod(0o700)
    assert ended.code == 1
    assert str(closed) in ended.stderr
    assert len(ended.stdout) == 2


@pytest.mark.slow
def test_song_whose_process_the_system_kills_is_tried_once_more(one: Library) -> None:
    for number in range(50):
        shutil.copy(one.music / "deep" / "a.flac", one.music / f"{number}.flac")
    process = one.start(stderr=subprocess.PIPE)
    while one.n_lines() < 5:
        assert process.poll() is None
        time.sleep(0.005)
    children = psutil.Process(process.pid).children(recursive=True)
    next(child for child in children if "popen_loky_posix" in " ".join(child.cmdline())).kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert b"Traceback" not in said
    assert one.start("--json", str(one.json)).wait() == 0
    assert len(one.songs()) == 51


def is_killed(library: Library, process: "subprocess.Popen[bytes]", n_lines: int) -> bool:
    """Kill a run after the journal has grown by some lines; tell whether that came before its end."""
    smallest = None
    while process.poll() is None:
        size = library.n_lines()
        smallest = size if smallest is None else min(size, smallest)
        if size >= smallest + n_lines:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.005)
    assert process.returncode == 0
    return False


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_and_no_sample_changes(
    library: Library, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> None:
    names = [f"{number}.{suffix}" for number in range(15) for suffix in ("flac", "mp3", "ogg", "wav")]
    for number, name in enumerate(names):
        if number < 8:
            write_audio(library.music / name, melody(number, 3))
        else:
            shutil.copy(library.music / names[number % 8], library.music / name)
    before = {name: samples(library.music / name) for name in names}
    options = ("--write-genre", *SURE, "--json", str(library.json))
    rng = random.Random(0)
    n_kills = 0
    while is_killed(library, library.start(*options), rng.randint(1, 40)):
        n_kills += 1
    assert n_kills >= 2
    assert library.start(*options).wait() == 0
    assert sorted(library.songs()) == sorted(names)
    assert sorted(record["file"] for record in library.journal()) == sorted(names)
    assert {name: samples(library.music / name) for name in names} == before
    assert sorted(path.name for path in library.music.iterdir()) == sorted(names)
    for name, song in library.songs().items():
        assert read_tags(library.music / name).genre == (None if song["is_outside"] else song["genre"])
    assert library.start("--undo").wait() == 0
    assert not any(read_tags(library.music / name).genre for name in names)
    assert {name: samples(library.music / name) for name in names} == before
