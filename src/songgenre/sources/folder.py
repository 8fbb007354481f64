"""A folder of the user's own music.

Either one sub-folder per genre (``rock/song.mp3``), or audio files anywhere below a ``tracks.csv`` with the columns
``file``, ``genre`` and, if known, ``artist`` and ``title``. Several genres of a song are separated by ``|``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from songgenre.audio import SUFFIXES
from songgenre.errors import UserError
from songgenre.progress import track
from songgenre.sources.base import Song, track_id

SOURCE = "folder"


def collect(folder: Path, audio: Path) -> list[Song]:
    """Copy the songs of a folder.

    Parameters
    ----------
    folder : Path
        The user's music; it is only read.
    audio : Path
        Existing folder to copy to.

    Returns
    -------
    list of Song

    Raises
    ------
    UserError
        If the folder is missing, holds no audio, or its ``tracks.csv`` is not as described.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise UserError(
            f"Expected scraping.folder to be a directory of music, but there is none at {folder.absolute()}."
        )
    listing = folder / "tracks.csv"
    songs = _listed(listing) if listing.is_file() else _by_genre_folder(folder)
    for song in track(songs, "collecting", total=len(songs)):
        shutil.copyfile(folder / song.source_id, audio / song.file)
    return songs


def _by_genre_folder(folder: Path) -> list[Song]:
    songs = [
        _song(path.relative_to(folder).as_posix(), genres=(path.parent.name,), title=path.stem)
        for path in sorted(folder.glob("*/*"))
        if path.is_file() and path.suffix.lower() in SUFFIXES
    ]
    if not songs:
        raise UserError(
            f"Expected {folder} to hold one sub-folder of audio per genre, or a tracks.csv, but found no "
            f"GENRE/FILE with one of the endings {', '.join(sorted(SUFFIXES))}."
        )
    return songs


def _listed(listing: Path) -> list[Song]:
    try:
        table = pd.read_csv(listing, dtype="str", keep_default_na=False, index_col=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
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
    for file in table["file"]:
        _check_inside(file, listing)
    return [
        _song(
            row["file"],
            genres=tuple(dict.fromkeys(genre.strip() for genre in row["genre"].split("|") if genre.strip())),
            title=row.get("title") or None,
            artist=row.get("artist") or None,
            collection=row.get("collection") or None,
        )
        for row in table.to_dict("records")
    ]


def _check_inside(file: str, listing: Path) -> None:
    path = listing.parent / file
    if not path.resolve().is_relative_to(listing.parent.resolve()):
        raise UserError(f"Expected the files in {listing} to lie below its folder, got {file!r}.")
    if not path.is_file():
        raise UserError(f"Expected the file {file!r}, listed in {listing}, at {path}, but it is not there.")


def _song(
    file: str,
    genres: tuple[str, ...],
    title: str | None = None,
    artist: str | None = None,
    collection: str | None = None,
) -> Song:
    return Song(
        source=SOURCE,
        source_id=file,
        file=track_id(SOURCE, file) + Path(file).suffix.lower(),
        genres=genres,
        title=title,
        artist=artist,
        collection=collection,
    )
