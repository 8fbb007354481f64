import os
from collections.abc import Callable
from pathlib import Path

import pytest

from songgenre.tags import Tags, read_tags

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
