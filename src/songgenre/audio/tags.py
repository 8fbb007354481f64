"""Tags inside audio files: who plays what."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from songgenre.audio import open_bytes
from songgenre.sources.base import sanitize_text

CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,eac3,flac,m4a,matroska,mov,mp3,mpc,mpc8,ogg,oma,tak,tta,w64,wav,webm,wv"
)
"""Formats that are opened; not playlists, since FFmpeg would open the files and addresses that they name."""

PLACEHOLDERS = frozenset({"unknown", "unknown artist", "va", "various", "various artists"})
"""Names, in lower case, that tell nothing about the artist."""


MAX_FRAMES = 2_000
"""Largest number of frames of an ID3 tag; TinyTag and FFmpeg take a time that grows with its square."""


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
        The tags; all None if there are none, if an ID3 tag has more than `MAX_FRAMES` frames, or if the file cannot be
        read or is not audio.
    """
    import av
    from tinytag import TinyTagException

    found: dict[str, str] = {}
    genres: list[str] = []
    try:
        with open_bytes(path) as file:
            if _has_too_many_frames(file):
                return Tags()
            file.seek(0)
            with suppress(TinyTagException):
                genres = _read_genres(file)
        with av.open(f"file:{path}", metadata_errors="replace", options={"format_whitelist": CONTAINERS}) as container:
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


def _has_too_many_frames(file: BinaryIO) -> bool:
    """Count the frames of the ID3 tag at the beginning of a file (ID3v2.2 to ID3v2.4)."""
    header = file.read(10)
    if not header.startswith(b"ID3") or len(header) < 10:
        return False
    version, end = header[3], 10 + _synchsafe(header[6:10])
    for _ in range(MAX_FRAMES + 1):
        frame = file.read(6 if version == 2 else 10)
        if len(frame) < 6 or not frame[0] or file.tell() > end:
            return False
        size = frame[3:6] if version == 2 else frame[4:8]
        file.seek(_synchsafe(size) if version == 4 else int.from_bytes(size, "big"), 1)
    return True


def _synchsafe(digits: bytes) -> int:
    """Read a number of seven bits to a byte."""
    return sum((digit & 0x7F) << 7 * place for place, digit in enumerate(reversed(digits)))


def _read_genres(file: BinaryIO) -> list[str]:
    """Read all genres; FFmpeg reads only the first one of an ID3 tag, and ``80s`` as genre 80 of ID3v1, Folk."""
    from tinytag import TinyTag

    tag = TinyTag.get(file_obj=file, duration=False)
    return [tag.genre, *tag.other.get("genre", [])] if tag.genre else []
