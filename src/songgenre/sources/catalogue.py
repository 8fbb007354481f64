"""Catalogue: a row for every song that a source lists."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from songgenre.sources.base import Track
from songgenre.sources.genres import describe_merges, genre_key, near_names
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.columns import count_artists
from songgenre.tables.genres import GENRES
from songgenre.text import sanitize_text

MAX_GENRES_LISTED = 20
"""Genres of which the number of songs is listed; of more genres, only the least and the greatest number are."""


def tabulate(songs: Iterable[Track], audio: Path) -> pd.DataFrame:
    """Tabulate the songs of a source.

    Parameters
    ----------
    songs : iterable of Track
        Songs with and without audio.
    audio : Path
        Folder with their audio.

    Returns
    -------
    pd.DataFrame
        A row per song, sorted by ``track_id``; see `songgenre.tables.catalogue.CATALOGUE`.
    """
    rows = [
        {
            "track_id": song.track_id,
            "source": song.source,
            "collection": sanitize_text(song.collection) or song.source,
            "source_id": sanitize_text(song.source_id),
            "title": sanitize_text(song.title),
            "artist": sanitize_text(song.artist),
            "year": sanitize_text(song.year),
            "genres": list(filter(None, map(sanitize_text, song.genres))),
            "primary_genre": sanitize_text(song.primary_genre),
            "split": song.split,
            "audio_path": song.file,
            "url": sanitize_text(song.url),
            "license": sanitize_text(song.license),
            "sha256": None if song.file is None else _sha256(audio / song.file),
            "bytes": 0 if song.file is None else (audio / song.file).stat().st_size,
            "reason": song.reason,
            "detail": sanitize_text(song.detail),
        }
        for song in songs
    ]
    table = pd.DataFrame(rows, columns=list(CATALOGUE.columns))
    text = [name for name in table.columns if name not in ("genres", "bytes")]
    return table.astype(dict.fromkeys(text, "str")).sort_values("track_id", ignore_index=True)


def tabulate_genres(parents: Mapping[str, str | None], merged: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Tabulate the tree of genres of a source, with the names of the catalogue.

    Parameters
    ----------
    parents : mapping of str to str or None
        From each genre to its parent, see `songgenre.sources.base.Source.genre_parents`.
    merged : mapping of str to sequence of str
        Spellings that were merged, see `songgenre.sources.genres.merge_spellings`.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.genres.GENRES`. Of genres that were merged, the first one says what the parent is.
    """
    names = {genre_key(name): name for name in merged}
    names |= {genre_key(spelling): name for name, spellings in merged.items() for spelling in spellings}
    named = [[names.get(genre_key(name), name) if name else None for name in pair] for pair in parents.items()]
    rows = [list(map(sanitize_text, pair)) for pair in named]
    table = pd.DataFrame(rows, columns=list(GENRES.columns), dtype="str")
    return table[table["genre"] != table["parent"]].drop_duplicates("genre", ignore_index=True)


def summarize(catalogue: pd.DataFrame) -> pd.Series:
    """Count songs, genres and artists of a catalogue.

    Parameters
    ----------
    catalogue : pd.DataFrame
        `songgenre.tables.catalogue.CATALOGUE`.

    Returns
    -------
    pd.Series
        Numbers, indexed by their description.
    """
    counts = {
        "songs": len(catalogue),
        "songs without audio": catalogue["reason"].notna().sum(),
        "megabytes of audio": round(catalogue["bytes"].sum() / 1e6),
        "genres": catalogue["genres"].explode().nunique(),
        "artists": count_artists(catalogue),
        "songs without an artist": catalogue["artist"].isna().sum(),
        "songs of several genres": (catalogue["genres"].str.len() > 1).sum(),
        "songs with the same bytes as another": catalogue["sha256"].dropna().duplicated().sum(),
    }
    return pd.Series(counts, name="number", dtype=int)


def describe_catalogue(catalogue: pd.DataFrame, merged: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which genres a catalogue has, and what about them and the artists may need a look.

    Parameters
    ----------
    catalogue : pd.DataFrame
        `songgenre.tables.catalogue.CATALOGUE`.
    merged : mapping of str to sequence of str
        Spellings that were merged, see `songgenre.sources.genres.merge_spellings`.

    Returns
    -------
    list of str
        Lines of text.
    """
    counts = catalogue["genres"].explode().value_counts().sort_index()
    lines = [f"songs per genre: {_format_counts(counts)}"]
    if merged:
        lines.append(f"{describe_merges(merged)} (see scraping.genre_names)")
    for one, other in near_names(counts.index):
        lines.append(f"nearly the same name: {one!r} and {other!r}; scraping.genre_names can make them one genre")
    if anonymous := catalogue["artist"].isna().sum():
        lines.append(
            f"{anonymous} of {len(catalogue)} songs have no artist: songs by one of their artists may be in both "
            "training and test, and the accuracy may be too high"
        )
    return lines


def _format_counts(counts: pd.Series) -> str:
    """List the number of songs of each genre, or of many genres the least and the greatest."""
    if len(counts) > MAX_GENRES_LISTED:
        least, most = counts.idxmin(), counts.idxmax()
        return f"{counts[least]} ({least}) to {counts[most]} ({most}), {len(counts)} genres"
    return ", ".join(f"{genre} {number}" for genre, number in counts.items()) or "none"


def find_changed_files(catalogue: pd.DataFrame, audio: Path) -> list[str]:
    """List the audio files that do not match a catalogue.

    Parameters
    ----------
    catalogue : pd.DataFrame
        `songgenre.tables.catalogue.CATALOGUE`.
    audio : Path
        Folder with the collected audio.

    Returns
    -------
    list of str
        Names of files that are missing, not listed, or have another SHA-256 than recorded.
    """
    listed = catalogue.dropna(subset="audio_path").set_index("audio_path")["sha256"]
    there = {path.name for path in audio.iterdir()}
    differ = {name for name, sha256 in listed.items() if name in there and _sha256(audio / name) != sha256}
    return sorted(there ^ set(listed.index) | differ)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
