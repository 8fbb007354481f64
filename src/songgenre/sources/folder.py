"""Folder source: the user's own music.

The folder contains either one sub-folder per genre (``rock/song.mp3``), or a ``tracks.csv`` and audio files at any
depth. The table has the columns ``file``, ``genre`` and, if known, ``artist``, ``title``, ``primary_genre``,
``collection``, ``license`` and ``url``.
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
    license="That in tracks.csv; otherwise unknown.",
    terms="You need the right to copy and analyse this music.",
)


@dataclass(frozen=True)
class Folder(Source):
    """A folder of music, which is only read.

    Parameters
    ----------
    path : Path
        The folder; ``~`` stands for the home folder.
    """

    path: Path

    @property
    def about(self) -> SourceInfo:
        """Description of the source; that of GTZAN if the folder contains GTZAN."""
        return gtzan.INFO if self._genres_of_gtzan() else INFO

    def collect(self, audio: Path) -> list[Track]:
        """Copy the songs.

        A song whose file is missing, not a regular file, not readable or outside the folder is ``unreadable``; a song
        in a format that cannot be decoded is ``not_audio``.

        Parameters
        ----------
        audio : Path
            Existing folder for the copies.

        Returns
        -------
        list of Track
            All songs; those without audio have a reason.

        Raises
        ------
        UserError
            If the folder is missing, contains no readable song, or its ``tracks.csv`` is not valid.
        """
        if not self._home.is_dir():
            raise UserError(
                f"{self._home.absolute()}: no such folder. Set scraping.folder in params.yaml to your folder of music."
            )
        folder, songs = self._songs()
        collected = [_copy(song, folder, audio) for song in progress_bar(songs, "collecting", total=len(songs))]
        if not any(song.file for song in collected):
            raise UserError(
                f"{folder}: no song can be read. The first one, {collected[0].source_id!r}: {collected[0].detail}."
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
        """List all songs, before their files are opened, and return the folder of the files."""
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
            f"{error.filename}: cannot be read ({error.strerror}). Change the permissions of the folder."
        ) from None
    songs = [
        _song(path.relative_to(folder).as_posix(), genres=(path.parent.name,), title=path.stem)
        for path in paths
        if path.suffix.lower() in SUFFIXES | UNSUPPORTED_SUFFIXES
    ]
    if not songs:
        raise UserError(
            f"{folder}: contains no audio file in a sub-folder and no tracks.csv. Put the songs into one sub-folder "
            f"per genre; supported suffixes: {', '.join(sorted(SUFFIXES))}."
        )
    return songs


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _read_listing(listing: Path) -> list[Track]:
    try:
        table = pd.read_csv(listing, dtype="str", keep_default_na=False, index_col=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        raise UserError(
            f"{listing}: not readable as comma-separated values in UTF-8 ({error}). Save it again as such."
        ) from None
    missing = {"file", "genre"} - set(table.columns)
    if missing:
        raise UserError(
            f"{listing}: the column {' and '.join(sorted(missing))} is missing; the table has "
            f"{', '.join(table.columns)}. Add it or rename a column."
        )
    if table.empty:
        raise UserError(f"{listing}: has no rows. Add one row per song.")
    repeated = table["file"][table["file"].duplicated()]
    if len(repeated):
        raise UserError(f"{listing}: {repeated.iloc[0]!r} has several rows. Keep one of them.")
    return [_song_of_row(row, number) for number, row in enumerate(table.to_dict("records"), start=1)]


def _song_of_row(row: dict[str, str], number: int) -> Track:
    genres = tuple(dict.fromkeys(genre.strip() for genre in row["genre"].split("|") if genre.strip()))
    optional = ("artist", "title", "primary_genre", "collection", "license", "url")
    metadata = {column: row.get(column) or None for column in optional}
    if sanitize_text(row["file"]) is None:
        detail = f"row {number} of tracks.csv has no file; fill the column file"
        return Track("folder", f"row {number}", None, genres, **metadata, reason="unreadable", detail=detail)
    return _song(row["file"], genres, **metadata)


def _song(file: str, genres: tuple[str, ...], **metadata: str | None) -> Track:
    suffix = Path(file).suffix.lower()
    if suffix in UNSUPPORTED_SUFFIXES:
        detail = f"{suffix[1:].upper()} files cannot be decoded; convert the file to FLAC or MP3"
        return Track("folder", file, None, genres, **metadata, reason="not_audio", detail=detail)
    ending = suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""
    return Track("folder", file, track_id("folder", file) + ending, genres, **metadata)


def _copy(song: Track, folder: Path, audio: Path) -> Track:
    """Copy the file of a song, if it has one; add the reason if it cannot be opened."""
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
        raise ValueError("the path leads outside the folder; put the file into the folder")
    return path
