"""Files that list the songs of a library: CSV, JSON lines and a playlist for each genre."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from songgenre.atomic import check_output_file, replacing
from songgenre.errors import UserError
from songgenre.library.jsonlines import JsonLines, Record
from songgenre.predict.formatting import csv_header, csv_line, csv_row
from songgenre.progress import echo
from songgenre.redaction import printable

CSV_START, JSON_START = b"file,genre,unsure,", b'{"file": "/'
"""Beginning of the files that are replaced; files that begin otherwise are not."""


class Outputs(NamedTuple):
    """Files that the user asks for.

    Parameters
    ----------
    csv, json : Path or None
        Table and JSON lines of all songs.
    playlists : Path or None
        Folder for the playlists.
    """

    csv: Path | None = None
    json: Path | None = None
    playlists: Path | None = None

    def check(self, library: Path, genres: Iterable[str], force: bool = False) -> None:
        """Check that nothing but earlier outputs is replaced.

        Parameters
        ----------
        library : Path
            Folder of music.
        genres : iterable of str
            Genres of the playlists.
        force : bool
            Whether to replace any other file, too.

        Raises
        ------
        UserError
            If an output cannot be written, or replaces another file.
        """
        if self.csv:
            check_output_file(self.csv, ".csv", CSV_START, force)
        if self.json:
            check_output_file(self.json, ".jsonl", JSON_START, force)
        if self.playlists:
            if os.path.lexists(self.playlists) and not self.playlists.is_dir():
                raise UserError(f"{self.playlists}: not a folder. Name a folder for the playlists.")
            try:
                self.playlists.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(
                    f"{self.playlists}: cannot be created ({error.strerror}). Name another folder for the playlists."
                ) from None
            for genre in genres:
                check_output_file(playlist_path(self.playlists, genre), ".m3u8", _playlist_start(library), force)

    def write(self, songs: Callable[[], Iterator[Record]], library: Path, genres: Sequence[str]) -> list[Path]:
        """Write the files.

        Parameters
        ----------
        songs : callable
            Returns the records of all songs, see `songgenre.library.journal.Journal.read`.
        library : Path
            Folder of music.
        genres : sequence of str
            Genres of the model.

        Returns
        -------
        list of Path
            Files and folders that were written.
        """
        if self.csv:
            _write_csv(songs(), genres, self.csv)
        if self.json:
            JsonLines(self.json).rewrite(songs())
        if self.playlists:
            _write_playlists(songs(), genres, self.playlists, _playlist_start(library))
        return [path for path in self if path]


def is_sure(song: Record) -> bool:
    """Tell whether a genre was predicted for a song that is neither unsure nor outside.

    Parameters
    ----------
    song : mapping
        Record of the song.

    Returns
    -------
    bool
        True if the genre counts.
    """
    return "genre" in song and not song["unsure"] and not song["is_outside"]


def playlist_path(folder: Path, genre: str) -> Path:
    """Name the playlist of a genre.

    Parameters
    ----------
    folder : Path
        Folder of the playlists.
    genre : str
        The genre.

    Returns
    -------
    Path
        Path that ends in ``.m3u8``. Characters that a file system might refuse are percent-encoded.

    Examples
    --------
    >>> playlist_path(Path("playlists"), "drum/bass").name
    'drum%2Fbass.m3u8'
    """
    name = re.sub(r'^\.|[%/\\:*?"<>|]', lambda match: f"%{ord(match[0]):02X}", genre)
    return folder / f"{name}.m3u8"


def _begins(path: Path, start: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _write_csv(songs: Iterable[Record], genres: Sequence[str], path: Path) -> None:
    header = [*csv_header(genres), "reason"]
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{csv_line(header)}\n")
        for song in songs:
            if "reason" in song:
                values = [printable(song["file"]), *[""] * (len(header) - 2), printable(song["reason"])]
            else:
                values = [*csv_row(song, genres), ""]
            file.write(f"{csv_line(values)}\n")


def _playlist_start(library: Path) -> bytes:
    return f"#EXTM3U\n# songgenre tag {printable(str(library.resolve()))}\n".encode()


def _write_playlists(songs: Iterable[Record], genres: Iterable[str], folder: Path, start: bytes) -> None:
    """Write a playlist for each genre, and remove earlier ones of other genres."""
    files: Mapping[str, list[str]] = defaultdict(list)
    for song in filter(is_sure, songs):
        if len(song["file"].splitlines()) > 1:
            echo(f"{printable(song['file'])}: in no playlist, as its name has several lines. Rename it.")
        else:
            files[song["genre"]].append(song["file"])
    current = {playlist_path(folder, genre): files[genre] for genre in genres}
    for old in set(folder.glob("*.m3u8")) - set(current):
        if _begins(old, start):
            old.unlink()
    for path, names in current.items():
        with replacing(path) as partial, partial.open("wb") as playlist:
            playlist.write(start)
            playlist.writelines(os.fsencode(name) + b"\n" for name in names)
