"""Who makes the demo music: an artist narrows the styles of a genre down, a song narrows the artist's.

Everything random comes from generators seeded with the numbers of genre, artist and song:
the same seed gives the same music.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from songgenre.demo.genres import GENRES, NEIGHBOURS
from songgenre.demo.styles import Mix, Style

Choice = TypeVar("Choice")

SHORTEST, LONGEST = 30.4, 34.6
"""Bounds of the length of the music, in seconds; the last sounds take up to a second more to die away."""


@dataclass(frozen=True)
class Artist:
    """Somebody who makes music of a genre.

    Parameters
    ----------
    genre : str
    number : int
        Of the artist within the genre.
    styles : tuple of Style
        Two styles of the genre, narrowed to what the artist likes.
    """

    genre: str
    number: int
    styles: tuple[Style, ...]


@dataclass(frozen=True)
class SongPlan:
    """All that is decided before the first note is written.

    Parameters
    ----------
    genre : str
    style : Style
        With a single groove, kit and mode, and a single program per part.
    tempo : float
        In beats per minute.
    tonic : int
        Pitch class of the key, 0 for C.
    bars : int
    seed : tuple of int
    borrows_from : str, optional
        The genre from which a crossover song has some of its ways.
    """

    genre: str
    style: Style
    tempo: float
    tonic: int
    bars: int
    seed: tuple[int, ...]
    borrows_from: str | None = None


def invent_artist(genre: str, number: int, seed: int) -> Artist:
    """Make an artist of a genre up.

    Parameters
    ----------
    genre : str
        A key of `songgenre.demo.genres.GENRES`.
    number : int
        Of the artist within the genre; the styles take turns as the artists' first.
    seed : int
    """
    rng = np.random.default_rng((seed, list(GENRES).index(genre), number))
    styles = GENRES[genre]
    first = styles[number % len(styles)]
    second = choose(tuple(style for style in styles if style is not first), rng)
    return Artist(genre, number, (_narrow(first, rng), _narrow(second, rng)))


def plan_song(artist: Artist, number: int, seed: int, crossover: float) -> SongPlan:
    """Decide on a song of an artist.

    Parameters
    ----------
    artist : Artist
    number : int
        Of the song within the genre.
    seed : int
    crossover : float
        Probability that the song borrows from a neighbouring genre.
    """
    song_seed = (seed, list(GENRES).index(artist.genre), artist.number, number)
    rng = np.random.default_rng(song_seed)
    style = choose(artist.styles, rng)
    borrows_from = None
    if rng.random() < crossover:
        borrows_from = choose(NEIGHBOURS[artist.genre], rng)
        style = _borrow(style, choose(GENRES[borrows_from], rng), rng)
    style = replace(
        style,
        modes=sample(style.modes, 1, rng),
        progressions=sample(style.progressions, 2, rng),
        grooves=sample(style.grooves, 1, rng),
        kits=sample(style.kits, 1, rng),
        parts=tuple(
            replace(part, programs=sample(part.programs, 1, rng), figures=sample(part.figures, 2, rng))
            for part in style.parts
        ),
    )
    tempo = float(rng.uniform(*style.tempo))
    bar_seconds = style.steps / 4 * 60 / tempo
    bars = int(rng.integers(np.ceil(SHORTEST / bar_seconds), np.floor(LONGEST / bar_seconds) + 1))
    return SongPlan(artist.genre, style, tempo, int(rng.integers(12)), bars, song_seed, borrows_from)


def choose(choices: tuple[Choice, ...], rng: np.random.Generator) -> Choice:
    """Choose one."""
    return choices[rng.integers(len(choices))]


def sample(choices: tuple[Choice, ...], count: int, rng: np.random.Generator) -> tuple[Choice, ...]:
    """Choose up to `count`, in random order."""
    return tuple(choices[place] for place in rng.permutation(len(choices))[:count])


def _narrow(style: Style, rng: np.random.Generator) -> Style:
    """Leave an artist's favourites: a quarter of the tempo range, two of most things, a way of recording."""
    slowest, fastest = style.tempo
    middle = rng.uniform(slowest, fastest)
    reach = (fastest - slowest) / 8
    parts = tuple(
        replace(part, programs=sample(part.programs, 2, rng), figures=sample(part.figures, 2, rng))
        for part in style.parts
    )
    return replace(
        style,
        tempo=(max(slowest, middle - reach), min(fastest, middle + reach)),
        modes=sample(style.modes, 2, rng),
        progressions=sample(style.progressions, 3, rng),
        grooves=sample(style.grooves, 2, rng),
        kits=sample(style.kits, 1, rng),
        parts=parts,
        mix=_own_sound(style.mix, rng),
    )


def _own_sound(mix: Mix, rng: np.random.Generator) -> Mix:
    return replace(
        mix,
        loudness=mix.loudness + rng.normal(0, 1.2),
        drive=mix.drive * rng.uniform(0.6, 1.3),
        low=mix.low + rng.normal(0, 1.5),
        high=mix.high + rng.normal(0, 1.5),
        ceiling=mix.ceiling * rng.uniform(0.75, 1.0),
        room=mix.room * rng.uniform(0.7, 1.4),
        wet=mix.wet * rng.uniform(0.6, 1.4),
    )


def _borrow(style: Style, other: Style, rng: np.random.Generator) -> Style:
    """Take one or two of: the other's drums, its tempo, its instruments, its way of recording."""
    ways = ("drums", "tempo", "instruments", "recording")
    for way in sample(ways, int(rng.integers(1, 3)), rng):
        if way == "drums":
            style = replace(style, grooves=other.grooves, kits=other.kits, swing=other.swing)
        elif way == "tempo":
            style = replace(style, tempo=other.tempo)
        elif way == "instruments":
            programs = {part.role: part.programs for part in other.parts}
            parts = tuple(replace(part, programs=programs.get(part.role, part.programs)) for part in style.parts)
            style = replace(style, parts=parts)
        else:
            style = replace(style, mix=other.mix)
    return style
