"""Folder source: the user's own music.

The folder contains either one sub-folder per genre (``rock/song.mp3``, ``rock/album/song.mp3``), or a ``tracks.csv``
and audio files at any depth. The table has the columns ``file``, ``genre`` and, if known, ``artist``, ``title``,
``primary_genre``, ``collection``, ``license``, ``url`` and ``year``; see `songgenre.sources.listing`.
Several genres of a song are separated by ``|``. A folder of GTZAN is recognised; see `songgenre.sources.gtzan`.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from songgenre.audio import open_bytes
from songgenre.audio.tags import Tags, read_tags
from songgenre.errors import UserError
from songgenre.progress import echo, progress_bar
from songgenre.sources import gtzan
from songgenre.sources.base import Source, SourceInfo, Track, track_id
from songgenre.sources.files import find_songs
from songgenre.sources.listing import Row, find_listing, read_listing
from songgenre.text import sanitize_text

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
    genre_from : {"folder", "tags"}
        Whether the genre of a song is the name of its folder, or in the tags of its file. The genres of a
        ``tracks.csv`` come first; with ``"tags"``, the table need not have any.
    """

    path: Path
    genre_from: str = "folder"

    @property
    def about(self) -> SourceInfo:
        """Description of the source; that of GTZAN if the folder contains GTZAN."""
        return gtzan.INFO if self._genres_of_gtzan() else INFO

    def collect(self, audio: Path) -> list[Track]:
        """Copy the songs.

        Every file that may be a song is copied, whatever its ending. Artist, title and year come from ``tracks.csv``,
        or else from the tags of the file. A song whose file is missing, not a regular file, not readable or outside the
        folder is ``unreadable``; a song beside the genre folders, or without a genre in its tags, is ``missing_genre``.

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
        if not os.path.isdir(self._home):
            what = "a file, not a folder" if os.path.exists(self._home) else "no such folder, or not accessible"
            raise UserError(
                f"{self._home.absolute()}: {what}. Set scraping.folder in params.yaml to your folder of music."
            )
        folder, songs = self._songs()
        collected = [
            _collect(song, folder, audio, self.genre_from)
            for song in progress_bar(songs, "collecting", total=len(songs))
        ]
        if not any(song.file for song in collected):
            raise UserError(
                f"{folder}: no song can be read. The first one, {collected[0].source_id!r}: {collected[0].detail}."
            )
        return collected

    @property
    def _home(self) -> Path:
        return Path(os.path.expanduser(self.path))

    def _genres_of_gtzan(self) -> Path | None:
        return None if find_listing(self._home) else gtzan.find(self._home)

    def _songs(self) -> tuple[Path, list[Track]]:
        """List all songs, before their files are opened, and return the folder of the files."""
        if listing := find_listing(self._home):
            return self._home, _from_listing(listing, self.genre_from)
        if genres := self._genres_of_gtzan():
            return genres, gtzan.describe(_from_folders(genres, "folder"), self._home)
        return self._home, _from_folders(self._home, self.genre_from)


def _from_folders(folder: Path, genre_from: str) -> list[Track]:
    found = find_songs(folder)
    if others := found.describe_others():
        echo(f"{folder}: {others}")
    files = [path.relative_to(folder) for path in found.songs]
    if not files:
        raise UserError(f"{folder}: contains no song. Put the songs into one sub-folder per genre.")
    if genre_from == "tags":
        return [_song(file.as_posix(), (), title=file.stem) for file in files]
    if all(len(file.parts) == 1 for file in files):
        raise UserError(
            f"{folder}: contains songs, but none in a sub-folder, and no tracks.csv. Put the songs into one sub-folder "
            "per genre, list them in a tracks.csv, or set scraping.genre_from in params.yaml to tags."
        )
    return [_song_below(file) for file in files]


def _song_below(file: Path) -> Track:
    if len(file.parts) == 1:
        detail = "beside the genre folders; move the file into one of them, or set scraping.genre_from to tags"
        return Track("folder", file.name, None, (), title=file.stem, reason="missing_genre", detail=detail)
    return _song(file.as_posix(), (unicodedata.normalize("NFC", file.parts[0]),), title=file.stem)


def _from_listing(listing: Path, genre_from: str) -> list[Track]:
    rows = read_listing(listing, ("file", "genre") if genre_from == "folder" else ("file",))
    found = [path.relative_to(listing.parent).as_posix() for path in find_songs(listing.parent).songs]
    files = _locate(listing.parent, [row.values["file"] for row in rows], found)
    if unlisted := sorted(set(found).difference(files)):
        echo(f"{listing}: files that it does not list are left out: {len(unlisted)}, for example {unlisted[0]!r}")
    first: dict[str, int] = {}
    for row, file in zip(rows, files, strict=True):
        if file and first.setdefault(file, row.number) != row.number:
            raise UserError(f"{listing}: rows {first[file]} and {row.number} both name {file!r}. Keep one of them.")
    return [_song_of_row(row, file) for row, file in zip(rows, files, strict=True)]


def _song_of_row(row: Row, file: str) -> Track:
    named = [genre.strip() for genre in unicodedata.normalize("NFC", row.values.get("genre", "")).split("|")]
    genres = tuple(dict.fromkeys(filter(None, named)))
    optional = ("artist", "title", "primary_genre", "collection", "license", "url", "year")
    metadata = {column: row.values.get(column) or None for column in optional}
    if sanitize_text(file) is None:
        detail = f"row {row.number} of tracks.csv has no file; fill the column file"
        return Track("folder", f"row {row.number}", None, genres, **metadata, reason="unreadable", detail=detail)
    return _song(file, genres, **metadata)


def _song(file: str, genres: tuple[str, ...], **metadata: str | None) -> Track:
    suffix = Path(file).suffix.lower()
    ending = suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""
    return Track("folder", file, track_id("folder", file) + ending, genres, **metadata)


def _locate(folder: Path, files: Sequence[str], found: Sequence[str]) -> list[str]:
    """Find listed files in a folder, also under another Unicode form or case; a file that is missing stays as it is.

    Two names of the same file, such as ``a.wav`` and ``./a.wav``, become one.
    """
    plain = [_relative(folder, file) for file in files]
    if all(_exists(folder / file) for file in plain):
        return plain
    similar: dict[str, list[str]] = defaultdict(list)
    for file in found:
        similar[_spelling(file)].append(file)
    return [file if _exists(folder / file) else _nearest(file, similar) for file in plain]


def _relative(folder: Path, file: str) -> str:
    """Name a file relative to the folder, without detours; empty if there is no name."""
    file = posixpath.normpath(file) if file else ""
    return Path(file).relative_to(folder).as_posix() if Path(file).is_relative_to(folder) else file


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a null byte
        return False


def _spelling(file: str) -> str:
    """Reduce a path to what all its Unicode forms, cases and separators have in common."""
    parts = posixpath.normpath(file.replace("\\", "/")).split("/")
    return "/".join(unicodedata.normalize("NFC", part).casefold().strip() for part in parts)


def _nearest(file: str, similar: Mapping[str, list[str]]) -> str:
    candidates = similar.get(_spelling(file), [])
    forms = {unicodedata.normalize("NFC", candidate): candidate for candidate in candidates}
    same_case = forms.get(unicodedata.normalize("NFC", posixpath.normpath(file.replace("\\", "/"))))
    return same_case or (candidates[0] if len(candidates) == 1 else file)


def _collect(song: Track, folder: Path, audio: Path, genre_from: str) -> Track:
    """Add the tags of a song and copy its file, if it has one; add the reason if it cannot be used."""
    if song.file is None:
        return song
    try:
        path = _inside(folder, song.source_id)
        content = open_bytes(path)
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        return replace(song, file=None, reason="unreadable", detail=f"cannot be read: {why}")
    with content:
        tagged = _with_tags(song, read_tags(path), genre_from)
        if genre_from == "tags" and not tagged.genres:
            detail = "its tags name no genre; add it to the tags or to a tracks.csv"
            return replace(tagged, file=None, reason="missing_genre", detail=detail)
        with (audio / song.file).open("wb") as copy:
            shutil.copyfileobj(content, copy)
    return tagged


def _with_tags(song: Track, tags: Tags, genre_from: str) -> Track:
    """Complete the metadata of a song; what the table says comes first, and the name of the file last."""
    title = None if song.title == Path(song.source_id).stem else song.title
    return replace(
        song,
        genres=song.genres or (tags.genres if genre_from == "tags" else ()),
        artist=song.artist or tags.performer,
        title=title or tags.title or song.title,
        year=song.year or tags.year,
    )


def _inside(folder: Path, file: str) -> Path:
    """Find the file of a song, which must be in the folder, or in a folder that a link in it leads to."""
    path = (folder / file).resolve()
    places = (folder.resolve(), (folder / file).parent.resolve())
    if Path(file).is_absolute() or ".." in Path(file).parts or not any(map(path.is_relative_to, places)):
        raise ValueError("the path leads outside the folder; put the file into the folder")
    return path
