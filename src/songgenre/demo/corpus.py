"""Demo corpus: songs of five genres, with the deliberate faults of a real collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from songgenre.atomic import replacing
from songgenre.demo.artists import SongPlan, invent_artist, plan_song
from songgenre.demo.composer import compose
from songgenre.demo.genres import GENRES
from songgenre.demo.names import MAX_ARTISTS, artist_names, song_titles
from songgenre.demo.studio import SAMPLE_RATE, encode_mp3, render
from songgenre.errors import UserError

BIT_RATE, OTHER_BIT_RATE = 48, 80
"""Bit rates of the songs, and of the copies with another encoding, in kbit/s."""

CROSSOVER = 0.12
"""Probability that a song borrows from a neighbouring genre."""

SONGS_PER_UNKNOWN_ARTIST = 30
"""One in so many songs has no artist."""

FAULTS = ("truncated", "empty", "silent", "short", "text", "missing")
EXTRAS = ("two genres",) * 6 + ("copy",) * 4 + ("encoded anew",) * 4 + FAULTS


@dataclass(frozen=True)
class Recording:
    """A song of the corpus and its file.

    Parameters
    ----------
    number : int
        Number of the song within its genre.
    genres : tuple of str
        Genres under which the song is listed, its own first.
    title : str
        Title.
    artist : str or None
        Name of the artist; None if the catalogue lacks it.
    plan : SongPlan
        Plan of the composition.
    bit_rate : int
        Bit rate of the file in kbit/s.
    fault : str, optional
        Fault of the file, one of `FAULTS`.
    """

    number: int
    genres: tuple[str, ...]
    title: str
    artist: str | None
    plan: SongPlan
    bit_rate: int = BIT_RATE
    fault: str | None = None

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.genres[0]}-{self.number:03d}.mp3"


def plan_corpus(songs_per_genre: int, artists_per_genre: int, seed: int) -> list[Recording]:
    """Plan all songs of the corpus.

    Parameters
    ----------
    songs_per_genre, artists_per_genre : int
        Numbers of regular songs and artists; the `EXTRAS` are added.
    seed : int
        Seed; the same arguments give the same files, byte for byte.

    Returns
    -------
    list of Recording
        Regular songs, genre by genre, then one for each of the `EXTRAS`.

    Raises
    ------
    UserError
        If there are more artists than songs or names.
    """
    most = min(songs_per_genre, MAX_ARTISTS)
    if not 1 <= artists_per_genre <= most:
        raise UserError(
            f"params.yaml: scraping.demo.artists_per_genre: must be 1 to {most} if songs_per_genre is "
            f"{songs_per_genre}, not {artists_per_genre}. Change one of them."
        )
    genres = list(GENRES)
    regular = {
        genre: [_new(genre, number, artists_per_genre, seed, CROSSOVER) for number in range(songs_per_genre)]
        for genre in genres
    }
    recordings = [recording for genre in genres for recording in regular[genre]]
    recordings = [
        replace(recording, artist=None)
        if index % SONGS_PER_UNKNOWN_ARTIST == SONGS_PER_UNKNOWN_ARTIST // 2
        else recording
        for index, recording in enumerate(recordings)
    ]
    for index, kind in enumerate(EXTRAS):
        genre, place = genres[index % len(genres)], index // len(genres)
        number = songs_per_genre + place
        if kind in ("copy", "encoded anew"):
            original = regular[genre][place % songs_per_genre]
            recordings.append(_again(original, number, BIT_RATE if kind == "copy" else OTHER_BIT_RATE))
        elif kind == "two genres":
            recordings.append(_in_two_genres(_new(genre, number, artists_per_genre, seed, crossover=1.0)))
        else:
            recordings.append(replace(_new(genre, number, artists_per_genre, seed, CROSSOVER), fault=kind))
    return recordings


def record(recording: Recording, folder: Path) -> None:
    """Compose and render a song, and write its file, including its fault; a missing file is not written.

    Parameters
    ----------
    recording : Recording
        The song.
    folder : Path
        Folder of the file.
    """
    if recording.fault == "missing":
        return
    with replacing(folder / recording.file) as partial:
        partial.write_bytes(_contents(recording))


def _contents(recording: Recording) -> bytes:
    if recording.fault == "empty":
        return b""
    if recording.fault == "text":
        return b"<!DOCTYPE html><title>404 Not Found</title>\n<p>This song is not here any more.</p>\n"
    y = render(compose(recording.plan), recording.plan.style.mix, recording.plan.seed)
    if recording.fault == "silent":
        y = np.zeros_like(y)
    if recording.fault == "short":
        y = y[: 5 * SAMPLE_RATE]
    mp3 = encode_mp3(y, recording.bit_rate)
    return mp3[: len(mp3) * 2 // 5] if recording.fault == "truncated" else mp3


def _new(genre: str, number: int, artists_per_genre: int, seed: int, crossover: float) -> Recording:
    """Plan a song; the songs of a genre are assigned to its artists in turn."""
    genre_number = list(GENRES).index(genre)
    artist = number % artists_per_genre
    plan = plan_song(invent_artist(genre, artist, seed), number, seed, crossover)
    titles = song_titles(genre, (seed, genre_number))
    return Recording(
        number=number,
        genres=(genre,),
        title=titles[number % len(titles)],
        artist=artist_names(genre, (seed, genre_number))[artist],
        plan=plan,
    )


def _again(original: Recording, number: int, bit_rate: int) -> Recording:
    return replace(original, number=number, title=f"{original.title} (Single Version)", bit_rate=bit_rate)


def _in_two_genres(recording: Recording) -> Recording:
    other = recording.plan.borrows_from
    assert other is not None
    return replace(recording, genres=(recording.plan.genre, other))
