import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import av
import mutagen
import numpy as np
import pytest
from mutagen.id3 import APIC, COMM, ID3, TCON, TIT2, TSOP, TYER

from songgenre.audio import open_audio
from songgenre.audio.tags import read_tags
from songgenre.errors import UserError
from songgenre.library import genre_tag
from songgenre.library.genre_tag import read_genres, write_genres
from songgenre.library.journal import Stamp, read_stamp

SUFFIXES = ["aiff", "flac", "m4a", "mp3", "ogg", "opus", "wav"]
Maker = Callable[..., Path]


@pytest.fixture(scope="session")
def write_song(write_audio: Maker, melody: Callable[..., np.ndarray]) -> Maker:
    """Write music in the format that the ending names."""

    def write(path: Path) -> Path:
        if path.suffix != ".m4a":
            return write_audio(path, melody(1, 2, 48_000), 48_000)
        with av.open(path, "w") as container:
            stream = container.add_stream("aac", rate=48_000, layout="mono")
            for y in np.split(melody(1, 2, 48_000)[: 93 * 1024].astype(np.float32), 93):
                frame = av.AudioFrame.from_ndarray(y[np.newaxis], "fltp", "mono")
                frame.sample_rate = 48_000
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


def samples(path: Path) -> str:
    with open_audio(path) as file:
        return hashlib.sha256(b"".join(y.tobytes() for y in file.mono())).hexdigest()


def ignore(stamp: Stamp) -> None:
    pass


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_genre_is_written_and_removed_and_the_samples_stay(tmp_path: Path, write_song: Maker, suffix: str) -> None:
    song = write_song(tmp_path / f"song.{suffix}")
    song.chmod(0o640)
    before = samples(song)
    assert read_genres(song) == []
    stamps: list[Stamp] = []
    write_genres(song, ["hip-hop"], stamps.append)
    assert stamps == [read_stamp(song)]
    assert read_genres(song) == ["hip-hop"]
    assert read_tags(song).genre == "hip-hop"
    assert samples(song) == before
    assert song.stat().st_mode & 0o777 == 0o640
    write_genres(song, [], ignore)
    assert read_genres(song) == []
    assert samples(song) == before
    assert list(tmp_path.iterdir()) == [song]


@pytest.mark.parametrize("suffix", ["flac", "m4a", "mp3", "opus", "wma", "wv"])
def test_other_tags_stay_and_several_genres_come_back(tmp_path: Path, write_tagged: Maker, suffix: str) -> None:
    song = write_tagged(tmp_path / f"song.{suffix}", title="A song", artist="Anna", date="1999")
    write_genres(song, ["Blues", "Soul"], ignore)
    for genres in (["rock"], ["Blues", "Soul"]):
        write_genres(song, genres, ignore)
        assert read_genres(song) == genres
        tags = read_tags(song)
        assert (tags.title, tags.artist, tags.year) == ("A song", "Anna", "1999")


def test_version_of_id3_and_frames_that_are_off_its_standard_stay(tmp_path: Path, write_song: Maker) -> None:
    song = write_song(tmp_path / "song.mp3")
    tags = ID3()
    picture = APIC(encoding=0, mime="image/png", type=3, desc="cover", data=b"picture" * 100)
    comment = COMM(encoding=1, lang="deu", desc="", text=["schön"])
    for frame in (TIT2(1, ["Lied"]), TSOP(1, ["Anna"]), TYER(0, ["1999"]), TCON(0, ["(17)(39)"]), picture, comment):
        tags.add(frame)
    tags.save(song, v2_version=3)
    for genres in (["jazz"], ["(17)(39)"]):
        write_genres(song, genres, ignore)
        changed = mutagen.File(song).tags
        assert changed.version == (2, 3, 0)
        assert read_genres(song) == genres
        assert set(changed) == {"TIT2", "TSOP", "TDRC", "TCON", "APIC:cover", "COMM::deu"}
        assert changed["APIC:cover"].data == picture.data
        assert changed["COMM::deu"].text == ["schön"]


@pytest.mark.parametrize("suffix", ["aiff", "mp3", "wav"])
@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("odd", [["(17)"], ["17"], ["(RX)"], ["(255)"], ["(4)Eurodisco", "(4)"], ["Rock", "rock", ""]])
def test_odd_genres_of_id3_come_back_as_they_were(
    tmp_path: Path, write_song: Maker, suffix: str, version: int, odd: list[str]
) -> None:
    song = write_song(tmp_path / f"song.{suffix}")
    write_genres(song, ["jazz"], ignore)
    tags = mutagen.File(song).tags
    tags["TCON"] = TCON(1, odd)
    tags.save(song, v2_version=version, v23_sep=None)
    before = read_genres(song)
    for genres in (["jazz"], before):
        write_genres(song, genres, ignore)
    raw = type(mutagen.File(song))(song, translate=False).tags
    assert (raw["TCON"].text, raw.version) == (odd, (2, version, 0))


@pytest.mark.parametrize("damage", ["samples", "tags"])
def test_copy_in_which_anything_else_differs_does_not_replace_the_file(
    tmp_path: Path, write_tagged: Maker, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    song = write_tagged(tmp_path / "song.flac", title="A song")
    content = song.read_bytes()
    write = genre_tag._set_genres

    def write_too_much(changed: mutagen.FileType, genres: list[str]) -> None:
        if damage == "tags":
            changed.tags["title"] = ["Another song"]
        write(changed, genres)
        if damage == "samples":
            with open(changed.filename, "r+b") as file:
                file.truncate(len(content) - 40)

    monkeypatch.setattr(genre_tag, "_set_genres", write_too_much)
    with pytest.raises(UserError, match=r"song\.flac"):
        write_genres(song, ["rock"], lambda stamp: pytest.fail("replaced"))
    assert song.read_bytes() == content
    assert list(tmp_path.iterdir()) == [song]


def test_file_without_genre_tags_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"hello" * 100)
    (tmp_path / "a.flac").write_bytes(b"fLaC" + b"\xff" * 100)
    for name in ("a.bin", "a.flac"):
        with pytest.raises(UserError, match=name):
            read_genres(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_genres(tmp_path / "vanished.mp3")


def test_missing_mutagen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mutagen", None)
    with pytest.raises(UserError, match="mutagen"):
        genre_tag.require_mutagen()
