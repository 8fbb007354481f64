"""What every source gives: songs, whose audio it has put into one folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Song:
    """A song that a source offered.

    Parameters
    ----------
    source : str
        Name of the source, for example ``"folder"``.
    source_id : str
        What the source calls the song; unique within the source.
    file : str
        Name of its audio in the folder of collected audio.
    genres : tuple of str
        All the genres under which the source files it; may be empty.
    title, artist, url, licence : str, optional
        None where the source does not say.
    collection : str, optional
        The part of the source it belongs to; the source itself by default.
    """

    source: str
    source_id: str
    file: str
    genres: tuple[str, ...]
    title: str | None = None
    artist: str | None = None
    url: str | None = None
    licence: str | None = None
    collection: str | None = None

    @property
    def track_id(self) -> str:
        """Name of the song within the project."""
        return track_id(self.source, self.source_id)


def track_id(source: str, source_id: str) -> str:
    """Name of a song within the project: short, safe in file names, the same on every machine."""
    return f"{source}-{hashlib.sha256(source_id.encode()).hexdigest()[:12]}"


def catalogue(songs: Iterable[Song], audio: Path) -> pd.DataFrame:
    """Make the catalogue of what was collected.

    Parameters
    ----------
    songs : iterable of Song
    audio : Path
        The folder that holds their audio.

    Returns
    -------
    pd.DataFrame
        A row per song, sorted by ``track_id``; see `songgenre.tables.CATALOGUE`.
    """
    rows = [
        {
            "track_id": song.track_id,
            "source": song.source,
            "collection": song.collection or song.source,
            "source_id": song.source_id,
            "title": song.title,
            "artist": song.artist,
            "genres": list(song.genres),
            "audio_path": song.file,
            "url": song.url,
            "licence": song.licence,
            "sha256": _sha256(audio / song.file),
            "bytes": (audio / song.file).stat().st_size,
        }
        for song in songs
    ]
    text = [
        "track_id",
        "source",
        "collection",
        "source_id",
        "title",
        "artist",
        "audio_path",
        "url",
        "licence",
    ]
    table = pd.DataFrame(rows).astype(dict.fromkeys(text, "str"))
    return table.sort_values("track_id", ignore_index=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
