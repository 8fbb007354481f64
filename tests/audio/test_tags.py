import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from songgenre.audio import open_audio
from songgenre.audio.tags import Tags, read_tags

TAGS = {"artist": "Björk", "album_artist": "Anna", "title": "Jóga", "genre": "Rap/Hip Hop", "date": "1997-09-01"}


@pytest.mark.parametrize("ending", ["caf", "flac", "m4a", "mka", "mp3", "opus", "wma", "wv"])
def test_tags_are_the_same_in_every_format(write_tagged: Callable[..., Path], tmp_path: Path, ending: str) -> None:
    tags = read_tags(write_tagged(tmp_path / f"a.{ending}", **TAGS))
    assert tags == Tags("Björk", "Anna", "Jóga", "Rap/Hip Hop", "1997")


@pytest.mark.parametrize("name", ["http:a.flac", "concat:b.flac", "%d é ?#.flac", os.fsdecode(b"caf\xe9.flac")])
def test_any_name_will_do(
    write_tagged: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tagged(tmp_path / "a.flac", title="Jóga").rename(name)
    assert read_tags(Path(name)).title == read_tags(tmp_path / name).title == "Jóga"


def test_what_has_no_tags_has_none(
    write_tagged: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("a text")
    (tmp_path / "empty.mp3").touch()
    for path in (
        write_tagged(tmp_path / "a.flac"),
        tmp_path / "text",
        tmp_path / "empty.mp3",
        tmp_path,
        tmp_path / "no",
    ):
        assert read_tags(path) == Tags()
    assert capfd.readouterr().err == ""


def test_text_is_cleaned(write_tagged: Callable[..., Path], tmp_path: Path) -> None:
    tags = read_tags(write_tagged(tmp_path / "a.flac", title=" a\x1b[31m\nb ", artist="  ", genre="x" * 5000))
    assert (tags.title, tags.artist) == ("a [31m b", None)
    assert len(tags.genre or "") < 1000


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile a.flac\n", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.flac\n"]
)
@pytest.mark.parametrize("name", ["list.mp3", "list.m3u8"])
def test_files_that_a_playlist_names_are_not_opened(
    write_tagged: Callable[..., Path], tmp_path: Path, text: str, name: str
) -> None:
    write_tagged(tmp_path / "a.flac", **TAGS)
    (tmp_path / name).write_text(text)
    assert read_tags(tmp_path / name) == Tags()


@pytest.mark.parametrize(
    ("artist", "album_artist", "performer"),
    [
        ("Anna", "Various Artists", "Anna"),
        (None, "Anna", "Anna"),
        ("Unknown Artist", "Anna", "Anna"),
        ("VA", "various artists", None),
        (None, None, None),
    ],
)
def test_performer_is_a_person_or_a_band(artist: str | None, album_artist: str | None, performer: str | None) -> None:
    assert Tags(artist, album_artist).performer == performer


def test_tag_may_list_genres() -> None:
    assert Tags(genre="Rock; Pop|Rock").genres == ("Rock", "Pop")
    assert Tags(genre="Rap/Hip Hop").genres == ("Rap/Hip Hop",)
    assert Tags().genres == ()


def with_id3(song: bytes, version: int, *genres: bytes) -> bytes:
    """Put an ID3v2 tag with a picture and a frame for each genre before a song."""

    def digits(number: int, bits: int = 7) -> bytes:
        return bytes(number >> bits * place & (1 << bits) - 1 for place in (3, 2, 1, 0))

    tag = b""
    for name, content in (("APIC", b"\0image/png\0\3\0" + bytes(300)), *(("TCON", genre) for genre in genres)):
        if version == 2:
            tag += name.replace("TCON", "TCO").replace("APIC", "PIC").encode() + digits(len(content), 8)[1:] + content
        else:
            tag += name.encode() + digits(len(content), 7 if version == 4 else 8) + b"\0\0" + content
    tag += bytes(50)
    return b"ID3" + bytes([version, 0, 0]) + digits(len(tag)) + tag + song


@pytest.mark.parametrize(
    ("version", "content", "genres"),
    [
        (3, [b"\x0080s"], ("80s",)),
        (2, [b"\x002-Step"], ("2-Step",)),
        (4, [b"\x038-bit"], ("8-bit",)),
        (3, [b"\x00(17)"], ("Rock",)),
        (3, [b"\x0017"], ("Rock",)),
        (3, [b"\x00(4)Eurodisco"], ("Disco",)),
        (4, [b"\x03Rock\0Pop"], ("Rock", "Pop")),
        (4, [b"\x0317\0Pop"], ("Rock", "Pop")),
        (4, [b"\x0317\x008"], ("Rock", "Jazz")),
        (3, [b"\x01" + "Rock\0".encode("utf-16") + "Pop\0".encode("utf-16")], ("Rock", "Pop")),
        (4, [b"\x03Rock", b"\x03Pop"], ("Rock", "Pop")),
        (4, [b"\x03"], ()),
    ],
)
def test_genres_of_an_mp3_are_those_that_are_written(
    write_tagged: Callable[..., Path], tmp_path: Path, version: int, content: list[bytes], genres: tuple[str, ...]
) -> None:
    path = write_tagged(tmp_path / "a.mp3")
    path.write_bytes(with_id3(path.read_bytes(), version, *content))
    assert read_tags(path).genres == genres


@pytest.mark.parametrize(("ending", "order", "name"), [("aif", "big", b"ID3 "), ("wav", "little", b"id3 ")])
def test_genre_in_a_chunk_is_the_one_that_is_written(
    write_audio: Callable[..., Path], tmp_path: Path, ending: str, order: Literal["big", "little"], name: bytes
) -> None:
    path = write_audio(tmp_path / f"a.{ending}", np.zeros(22_050))
    tag = with_id3(b"", 3, b"\x0080s")
    content = path.read_bytes() + name + len(tag).to_bytes(4, order) + tag + b"\0" * (len(tag) % 2)
    path.write_bytes(content[:4] + (len(content) - 8).to_bytes(4, order) + content[8:])
    assert read_tags(path).genres == ("80s",)


def id3_with_flags(version: int, is_unsynchronised: bool, is_extended: bool) -> bytes:
    """A tag as the standard writes it with these flags, with frames in which the bytes FF 00 and FF FE occur."""

    def number(value: int, bits: int = 7, size: int = 4) -> bytes:
        return bytes(value >> bits * place & (1 << bits) - 1 for place in reversed(range(size)))

    def unsynchronise(content: bytes) -> bytes:
        return re.sub(rb"\xff(?=[\xe0-\xff\0]|$)", b"\xff\0", content)

    body = b""
    picture = b"\0image/png\0\3\0" + b"\xff\0\xff\xe0\xff\xff" * 50
    texts = {
        "APIC": picture,
        "TIT2": b"\1" + "Jóga".encode("utf-16"),
        "TPE1": b"\1" + "ÿÿ".encode("utf-16"),
        "TCON": b"\x0080s",
    }
    for name, content in texts.items():
        if version == 2:
            short = {"APIC": "PIC", "TIT2": "TT2", "TPE1": "TP1", "TCON": "TCO"}[name]
            body += short.encode() + number(len(content), 8, 3) + content
        elif version == 4 and is_unsynchronised:
            stored = number(len(content)) + unsynchronise(content)
            body += name.encode() + number(len(stored)) + b"\0\3" + stored
        else:
            body += name.encode() + number(len(content), 7 if version == 4 else 8) + b"\0\0" + content
    if is_extended:
        body = (number(6) + b"\1\0" if version == 4 else number(6, 8) + bytes(6)) + body
    body += bytes(50)
    if is_unsynchronised and version < 4:
        body = unsynchronise(body)
    return b"ID3" + bytes([version, 0, 0x80 * is_unsynchronised | 0x40 * is_extended]) + number(len(body)) + body


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("is_unsynchronised", [False, True])
@pytest.mark.parametrize("is_extended", [False, True])
def test_every_form_of_an_id3_tag_is_read_and_its_song_decoded(
    write_tagged: Callable[..., Path], tmp_path: Path, version: int, is_unsynchronised: bool, is_extended: bool
) -> None:
    song = write_tagged(tmp_path / "a.mp3")
    path = tmp_path / "b.mp3"
    tag = id3_with_flags(version, is_unsynchronised, is_extended and version > 2)
    path.write_bytes(tag + song.read_bytes())
    assert read_tags(path) == Tags("ÿÿ", None, "Jóga", "80s")
    with open_audio(path) as file, open_audio(song) as plain:
        assert np.array_equal(np.concatenate(list(file.mono())), np.concatenate(list(plain.mono())))


def test_damaged_tag_does_no_harm(write_tagged: Callable[..., Path], tmp_path: Path) -> None:
    path = write_tagged(tmp_path / "a.mp3")
    for whole in (with_id3(b"", 4, b"\x0380s"), *(id3_with_flags(version, True, version > 2) for version in (2, 3, 4))):
        for end in range(0, len(whole), 7):
            path.write_bytes(whole[:end])
            assert read_tags(path).genre in (None, "80s")


def id3(n_frames: int, version: int, is_extended: bool = False) -> bytes:
    """A tag whose frames all differ."""
    bodies = [b"\0name %d\0value" % number for number in range(n_frames)]
    frames = b"".join(b"TXXX" + bytes([0, 0, 0, len(body)]) + b"\0\0" + body for body in bodies)
    if is_extended:
        frames = (b"\0\0\0\6\1\0" if version == 4 else b"\0\0\0\6" + bytes(6)) + frames
    size = bytes(len(frames) >> place & 127 for place in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, 0x40 * is_extended]) + size + frames


def test_song_with_thousands_of_empty_tags_has_none(tmp_path: Path, write_tagged: Callable[..., Path]) -> None:
    song = write_tagged(tmp_path / "a.mp3", artist="Anna").read_bytes()
    (tmp_path / "b.mp3").write_bytes(id3(0, 3) * 50 + song)
    assert read_tags(tmp_path / "b.mp3").artist == "Anna"
    (tmp_path / "c.mp3").write_bytes(id3(0, 3) * 1_000_000 + song)
    started = time.process_time()
    assert read_tags(tmp_path / "c.mp3") == Tags()
    assert time.process_time() - started < 1


@pytest.mark.parametrize("version", [3, 4])
def test_time_does_not_grow_with_the_square_of_the_frames(
    tmp_path: Path, write_tagged: Callable[..., Path], version: int
) -> None:
    song = write_tagged(tmp_path / "a.mp3", artist="Anna").read_bytes()
    for tags in (id3(30_000, version), id3(30_000, version, is_extended=True), id3(1, version) + id3(30_000, version)):
        (tmp_path / "b.mp3").write_bytes(tags + song)
        started = time.process_time()
        assert read_tags(tmp_path / "b.mp3") == Tags()
        assert time.process_time() - started < 2
