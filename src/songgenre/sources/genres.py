"""Spellings of genres: which are the same, and which are nearly the same."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from songgenre.sources.base import Track

NEAR = 0.85
"""Similarity (Ratcliff and Obershelp) from which two names may be the same word with a typing error."""
DOT_OF_FOLDED_I = "\u0307"
"""Combining dot above, which `str.casefold` leaves of the Turkish capital ``İ``."""


def genre_key(name: str) -> str:
    """Reduce the name of a genre to what its spellings have in common.

    Parameters
    ----------
    name : str
        Name of a genre.

    Returns
    -------
    str
        The name without case, spaces and punctuation; vowel signs, as in Hindi and Thai, stay.

    Examples
    --------
    >>> genre_key("Hip-Hop") == genre_key("hip hop") == genre_key("HIPHOP")
    True
    """
    folded = unicodedata.normalize("NFKC", name).casefold().replace(DOT_OF_FOLDED_I, "")
    key = "".join(letter for letter in folded if unicodedata.category(letter)[0] in "LMN")
    return key if any(map(str.isalnum, key)) else folded.strip()


def merge_spellings(songs: Sequence[Track], names: Mapping[str, str]) -> tuple[list[Track], dict[str, list[str]]]:
    """Give genres that differ only in case, spaces and punctuation one name.

    Parameters
    ----------
    songs : sequence of Track
        Songs of a source.
    names : mapping of str to str
        ``scraping.genre_names``: for spellings, the name to use.

    Returns
    -------
    songs : list of Track
        The songs with one spelling of each genre: that of `names`, or else the most common one, if
        possible not in capitals.
    merged : dict of str to list of str
        For each name in the result, the other spellings that became it.
    """
    table = {genre_key(spelling): name for spelling, name in names.items()}
    counts = Counter(genre for song in songs for genre in _all_genres(song))
    groups: dict[str, list[str]] = defaultdict(list)
    chosen: dict[str, str] = {}
    for spelling in sorted(counts, key=lambda spelling: (-counts[spelling], spelling.isupper(), spelling)):
        name = table.get(genre_key(spelling))
        key = genre_key(name or spelling)
        groups[key].append(spelling)
        chosen[key] = name or chosen.get(key, spelling)
    new = {spelling: chosen[key] for key, group in groups.items() for spelling in group}
    merged: dict[str, list[str]] = defaultdict(list)
    for spelling in sorted(new):
        if spelling != new[spelling]:
            merged[new[spelling]].append(spelling)
    return [_rename(song, new) for song in songs], dict(merged)


def describe_merges(merged: Mapping[str, Sequence[str]]) -> str:
    """Say which spellings of genres were merged.

    Parameters
    ----------
    merged : mapping of str to sequence of str
        See `merge_spellings`.

    Returns
    -------
    str
        One line; empty if nothing was merged.
    """
    parts = (f"{', '.join(map(repr, spellings))} count as {name!r}" for name, spellings in sorted(merged.items()))
    return f"spellings of genres: {'; '.join(parts)}" if merged else ""


def near_names(genres: Iterable[str]) -> list[tuple[str, str]]:
    """Find genres whose names are nearly the same, perhaps by a typing error.

    Names with other numbers, such as ``80s pop`` and ``90s pop``, are different.

    Parameters
    ----------
    genres : iterable of str
        Names of genres.

    Returns
    -------
    list of (str, str)
        Pairs of names.

    Examples
    --------
    >>> near_names(["clasical", "classical", "rock"])
    [('clasical', 'classical')]
    """
    return sorted(_near_pairs(sorted(set(genres))))


def _near_pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs; two upper bounds of the similarity, which are computed first, refuse most of them quickly."""
    keys = [genre_key(name) for name in names]
    numbers = [re.findall(r"\d+", key) for key in keys]
    matcher = SequenceMatcher()
    ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    for at, other in enumerate(names):
        matcher.set_seq2(keys[at])
        for one, key, numbers_of_one in zip(names[:at], keys, numbers, strict=False):
            matcher.set_seq1(key)
            if numbers_of_one == numbers[at] and all(ratio() >= NEAR for ratio in ratios):
                yield one, other


def _all_genres(song: Track) -> set[str]:
    return {*song.genres, *filter(None, [song.primary_genre])}


def _rename(song: Track, new: Mapping[str, str]) -> Track:
    genres = tuple(dict.fromkeys(new[genre] for genre in song.genres))
    return replace(song, genres=genres, primary_genre=song.primary_genre and new[song.primary_genre])
