"""Artists and songs of the demo music: an artist narrows the styles of a genre, and a song narrows those of the artist.

All random generators are seeded with the numbers of genre, artist and song, so the same seed gives the same music.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from songgenre.demo.genres import GENRES, NEIGHBOURS
from songgenre.demo.styles import Mix, Style

Choice = TypeVar("Choice")

SHORTEST, LONGEST = 30.4, 34.6
"""Shortest and longest music in s; the last notes fade within one more second."""


@dataclass(frozen=True)
class Artist:
    """An invented artist.

    Parameters
    ----------
    genre : str
        Genre of the artist.
    number : int
        Number of the artist within the genre.
    styles : tuple of Style
        Two styles of the genre, narrowed to the habits of the artist.
    """

    genre: str
    number: int
    styles: tuple[Style, ...]


@dataclass(frozen=True)
class SongPlan:
    """Decisions about a song before its notes are composed.

    Parameters
    ----------
    genre : str
        Genre of the song.
    style : Style
        Style with a single groove, kit and mode, and a single program per part.
    tempo : float
        Tempo in beats per minute.
    tonic : int
        Pitch class of the key, 0 for C.
    bars : int
        Number of bars.
    seed : tuple of int
        Seed of the composition.
    borrows_from : str, optional
        Genre from which a crossover song takes some properties.
    """

    genre: str
    style: Style
    tempo: float
    tonic: int
    bars: int
    seed: tuple[int, ...]
    borrows_from: str | None = None


def invent_artist(genre: str, number: int, seed: int) -> Artist:
    """Invent an artist.

    Parameters
    ----------
    genre : str
        A key of `songgenre.demo.genres.GENRES`.
    number : int
        Number of the artist within the genre; it determines the artist's first style.
    seed : int
        Seed of the corpus.

    Returns
    -------
    Artist
        The artist; the same for the same arguments.
    """
    rng = np.random.default_rng((seed, list(GENRES).index(genre), number))
    styles = GENRES[genre]
    first = styles[number % len(styles)]
    second = choose(tuple(style for style in styles if style is not first), rng)
    return Artist(genre, number, (_narrow(first, rng), _narrow(second, rng)))


def plan_song(artist: Artist, number: int, seed: int, crossover: float) -> SongPlan:
    """Plan a song of an artist.

    Parameters
    ----------
    artist : Artist
        The artist.
    number : int
        Number of the song within the genre.
    seed : int
        Seed of the corpus.
    crossover : float
        Probability that the song borrows from a neighbouring genre.

    Returns
    -------
    SongPlan
        The plan; the same for the same arguments.
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
    """Choose an element at random.

    Parameters
    ----------
    choices : tuple
        Elements.
    rng : np.random.Generator
        Random generator.

    Returns
    -------
    object
        One element.
    """
    return choices[rng.integers(len(choices))]


def sample(choices: tuple[Choice, ...], count: int, rng: np.random.Generator) -> tuple[Choice, ...]:
    """Choose elements without replacement.

    Parameters
    ----------
    choices : tuple
        Elements.
    count : int
        Largest number of elements to choose.
    rng : np.random.Generator
        Random generator.

    Returns
    -------
    tuple
        Up to `count` elements, in random order.
    """
    return tuple(choices[place] for place in rng.permutation(len(choices))[:count])


def _narrow(style: Style, rng: np.random.Generator) -> Style:
    """Narrow a style to the habits of an artist: a quarter of the tempo range, two of most choices, one mix."""
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
    """Take one or two of the drums, tempo, instruments and mix of another style."""
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
