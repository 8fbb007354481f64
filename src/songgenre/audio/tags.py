"""Tags inside audio files: who plays what."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from songgenre.audio import open_bytes
from songgenre.audio.id3 import AUDIO_BYTES, has_too_many_frames, read_id3
from songgenre.text import sanitize_text

CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,eac3,flac,m4a,matroska,mov,mp3,mpc,mpc8,ogg,oma,tak,tta,w64,wav,webm,wv"
)
"""Formats that are opened; not playlists, since FFmpeg would open the files and addresses that they name."""

PLACEHOLDERS = frozenset({"unknown", "unknown artist", "va", "various", "various artists"})
"""Names, in lower case, that tell nothing about the artist."""


class Tags(NamedTuple):
    """Tags of a song; None for each that is missing.

    Parameters
    ----------
    artist, album_artist, title, genre, year : str, optional
        As in the file; of a date, only the year.
    """

    artist: str | None = None
    album_artist: str | None = None
    title: str | None = None
    genre: str | None = None
    year: str | None = None

    @property
    def performer(self) -> str | None:
        """The artist, or else the artist of the album; None if both are missing or mean various artists."""
        names = (name for name in (self.artist, self.album_artist) if name and name.lower() not in PLACEHOLDERS)
        return next(names, None)

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres that the tag lists, separated by semicolons or vertical bars."""
        return tuple(dict.fromkeys(name.strip() for name in re.split("[;|]", self.genre or "") if name.strip()))


def read_tags(path: Path) -> Tags:
    """Read the tags of an audio file.

    Parameters
    ----------
    path : Path
        Any file.

    Returns
    -------
    Tags
        The tags; all None if there are none, if the file cannot be read or is not audio, or if its ID3 tags have more
        than `songgenre.audio.id3.MAX_FRAMES` frames.
    """
    import av
    from tinytag import TinyTagException

    found: dict[str, str] = {}
    genres: list[str] = []
    try:
        with open_bytes(path) as file:
            simple = _simplify_id3(file)
            if simple is None:
                return Tags()
            with suppress(TinyTagException):
                genres = _read_genres(simple)
            simple.seek(0)
        content = f"file:{path}" if simple is file else simple
        with av.open(content, "r", metadata_errors="replace", options={"format_whitelist": CONTAINERS}) as container:
            for metadata in (*(stream.metadata for stream in container.streams.audio), container.metadata):
                found |= {
                    re.sub(r"[\s_]", "", name).lower(): sanitize_text(text) or "" for name, text in metadata.items()
                }
    except (av.FFmpegError, OSError, ValueError, MemoryError):
        return Tags()
    year = re.search(r"\b\d{4}\b", found.get("date") or found.get("year") or "")
    artist, album_artist, title, genre = (
        found.get(name) or None for name in ("artist", "albumartist", "title", "genre")
    )
    return Tags(artist, album_artist, title, sanitize_text(";".join(genres)) or genre, year and year[0])


def _simplify_id3(file: BinaryIO) -> BinaryIO | None:
    """Rewrite the ID3 tags at the beginning of a file so that every reader understands them.

    Returns the file itself, or the tags and the beginning of the audio; None if there are too many frames.
    """
    tags = read_id3(file)
    if has_too_many_frames(tags):
        return None
    if not all(tag.is_plain for tag in tags):
        return io.BytesIO(b"".join(tag.to_bytes() for tag in tags) + file.read(AUDIO_BYTES))
    file.seek(0)
    return file


def _read_genres(file: BinaryIO) -> list[str]:
    """Read all genres; FFmpeg reads only the first one of an ID3 tag, and ``80s`` as genre 80 of ID3v1, Folk."""
    from tinytag import TinyTag

    tag = TinyTag.get(file_obj=file, duration=False)
    return [tag.genre, *tag.other.get("genre", [])] if tag.genre else []
