"""A folder of the user's own music.

Either one sub-folder per genre (``rock/song.mp3``), or audio files anywhere below a ``tracks.csv`` with the columns
``file``, ``genre`` and, if known, ``artist``, ``title``, ``primary_genre``, ``collection``, ``license`` and ``url``.
Several genres of a song are separated by ``|``. A folder of GTZAN is recognised; see `songgenre.sources.gtzan`.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from songgenre.audio import SUFFIXES, UNSUPPORTED_SUFFIXES, open_bytes
from songgenre.errors import UserError
from songgenre.progress import progress_bar
from songgenre.sources import gtzan
from songgenre.sources.base import Source, SourceInfo, Track, sanitize_text, track_id

INFO = SourceInfo(
    name="folder",
    description="A folder of the user's own music",
    homepage="",
    citation="",
    license="As each song's tracks.csv says; unknown where it does not.",
    terms="Its user needs the right to copy and to analyse it.",
)


@dataclass(frozen=True)
class Folder(Source):
    """A folder of music, which is only read.

    Parameters
    ----------
    path : Path
        May begin with ``~``.
    """

    path: Path

    @property
    def about(self) -> SourceInfo:
        """What to know of it: that of GTZAN, if it is GTZAN."""
        return gtzan.INFO if self._genres_of_gtzan() else INFO

    def collect(self, audio: Path) -> list[Track]:
        """Copy its songs.

        A song whose file is missing, is no regular file, may not be read, or lies outside the folder is
        ``unreadable``, and one in a format that cannot be decoded is ``not_audio``.

        Parameters
        ----------
        audio : Path
            Existing folder to copy to.

        Returns
        -------
        list of Track

        Raises
        ------
        UserError
            If the folder is missing, holds no song that can be read, or its ``tracks.csv`` is not as described.
        """
        if not self._home.is_dir():
            raise UserError(
                f"Expected scraping.folder to be a directory of music, but there is none at {self._home.absolute()}."
            )
        folder, songs = self._songs()
        collected = [_copy(song, folder, audio) for song in progress_bar(songs, "collecting", total=len(songs))]
        if not any(song.file for song in collected):
            raise UserError(
                f"Expected at least one song in {folder} that can be read, but there is none. "
                f"{collected[0].source_id!r}: {collected[0].detail}."
            )
        return collected

    @property
    def _home(self) -> Path:
        return Path(os.path.expanduser(self.path))

    @property
    def _listing(self) -> Path:
        return self._home / "tracks.csv"

    def _genres_of_gtzan(self) -> Path | None:
        return None if self._listing.is_file() else gtzan.find(self._home)

    def _songs(self) -> tuple[Path, list[Track]]:
        """All the songs, as if their files could be read, and the folder that these are below."""
        if self._listing.is_file():
            return self._home, _read_listing(self._listing)
        if genres := self._genres_of_gtzan():
            return genres, gtzan.describe(_by_genre_folder(genres), self._home)
        return self._home, _by_genre_folder(self._home)


def _by_genre_folder(folder: Path) -> list[Track]:
    try:
        paths = [path for genre in _visible(folder) if genre.is_dir() for path in _visible(genre)]
    except OSError as error:
        raise UserError(
            f"Expected a directory that may be read at {error.filename}, got: {error.strerror}. Change its permissions."
        ) from None
    songs = [
        _song(path.relative_to(folder).as_posix(), genres=(path.parent.name,), title=path.stem)
        for path in paths
        if path.suffix.lower() in SUFFIXES | UNSUPPORTED_SUFFIXES
    ]
    if not songs:
        raise UserError(
            f"Expected {folder} to hold one sub-folder of audio per genre, or a tracks.csv, but found no "
            f"GENRE/FILE with one of the endings {', '.join(sorted(SUFFIXES))}."
        )
    return songs


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _read_listing(listing: Path) -> list[Track]:
    try:
        table = pd.read_csv(listing, dtype="str", keep_default_na=False, index_col=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"Expected {listing} to be a table of comma-separated values in UTF-8: {error}") from None
    missing = {"file", "genre"} - set(table.columns)
    if missing:
        raise UserError(
            f"Expected the columns file and genre in {listing}, but {', '.join(sorted(missing))} is missing; "
            f"it has {', '.join(table.columns)}."
        )
    if table.empty:
        raise UserError(f"Expected at least one song in {listing}, got none.")
    repeated = table["file"][table["file"].duplicated()]
    if len(repeated):
        raise UserError(f"Expected each file once in {listing}, but {repeated.iloc[0]!r} is there again.")
    return [_song_of_row(row, number) for number, row in enumerate(table.to_dict("records"), start=1)]


def _song_of_row(row: dict[str, str], number: int) -> Track:
    genres = tuple(dict.fromkeys(genre.strip() for genre in row["genre"].split("|") if genre.strip()))
    optional = ("artist", "title", "primary_genre", "collection", "license", "url")
    metadata = {column: row.get(column) or None for column in optional}
    if sanitize_text(row["file"]) is None:
        detail = f"row {number} of tracks.csv names no file"
        return Track("folder", f"row {number}", None, genres, **metadata, reason="unreadable", detail=detail)
    return _song(row["file"], genres, **metadata)


def _song(file: str, genres: tuple[str, ...], **metadata: str | None) -> Track:
    suffix = Path(file).suffix.lower()
    if suffix in UNSUPPORTED_SUFFIXES:
        detail = f"{suffix[1:].upper()} files cannot be decoded here; convert it to flac or mp3"
        return Track("folder", file, None, genres, **metadata, reason="not_audio", detail=detail)
    ending = suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""
    return Track("folder", file, track_id("folder", file) + ending, genres, **metadata)


def _copy(song: Track, folder: Path, audio: Path) -> Track:
    """Copy the file of a song, if it has one; if it cannot be opened, say why."""
    if song.file is None:
        return song
    try:
        content = open_bytes(_inside(folder, song.source_id))
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        return replace(song, file=None, reason="unreadable", detail=f"cannot be read: {why}")
    with content, (audio / song.file).open("wb") as copy:
        shutil.copyfileobj(content, copy)
    return song


def _inside(folder: Path, file: str) -> Path:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("it lies outside the folder; put the file itself into it")
    return path
