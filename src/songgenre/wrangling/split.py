"""Which songs train, validate and test: by artist, so that no artist is on two sides."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd


def artist_group(artist: str | None, track_id: str) -> str:
    """The songs that must stay together.

    Parameters
    ----------
    artist : str or None
    track_id : str

    Returns
    -------
    str
        The artist's name, whatever its case and spacing; a group of its own for a song without an artist.
    """
    if not isinstance(artist, str) or not artist.strip():
        return f"unknown artist of {track_id}"
    return " ".join(artist.casefold().split())


def split_tracks(
    tracks: pd.DataFrame,
    catalogue: pd.DataFrame,
    rule: str,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> pd.Series:
    """Put each song into one split: the one its source comes with, or ours.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, still without the split.
    catalogue : pd.DataFrame
        `songgenre.tables.catalogue.CATALOGUE`, which holds the splits of the sources.
    rule : str
        ``"official"``: a collection of which every song in `tracks` has a split keeps it, also where it has an artist
        on two sides (see `artists_in_multiple_splits`); the songs of the others are split by artist, without a look at
        those. ``"artist"``: all songs are split by artist.
    validation_fraction, test_fraction, seed
        Of the split by artist; see `split_by_artist`.

    Returns
    -------
    pd.Series [shape=(n_tracks,)]
        ``"train"``, ``"validation"`` or ``"test"``, with the index of `tracks`.
    """
    official = tracks["track_id"].map(catalogue.set_index("track_id")["split"])
    keeps = official.notna().groupby(tracks["collection"]).transform("all") & (rule == "official")
    ours = split_by_artist(tracks[~keeps], validation_fraction, test_fraction, seed)
    return official.where(keeps, ours).astype("str").rename("split")


def split_by_artist(tracks: pd.DataFrame, validation_fraction: float, test_fraction: float, seed: int) -> pd.Series:
    """Put each artist into one split, with about the same share of each genre's songs in each split.

    The seed and the artist's name make a number from 0 to 1, the same at any time, and the number makes the split: to
    test below the test fraction, to validate below both fractions together, else to train. So with many artists songs,
    artists and genres that are added later move no artist.

    With few artists the shares may come out far from what was asked. A genre of which a split would get less than half
    or more than one and a half of its share is split otherwise: its artists stand in a row, in the order of those
    numbers, and the row is cut at the fractions. There, songs that are added later may move the artists next to a cut;
    and all of a genre, when it is then large enough to be split by the numbers alone, or no longer is.

    Parameters
    ----------
    tracks : pd.DataFrame
        With the columns ``artist_group`` and ``genre``.
    validation_fraction, test_fraction : float
        Share of the songs of each genre.
    seed : int
        Another seed, another split.

    Returns
    -------
    pd.Series [shape=(n_tracks,)]
        ``"train"``, ``"validation"`` or ``"test"``, with the index of `tracks`. A genre with two artists or more has
        songs to train and to test; one with three or more to validate as well.
    """
    songs = tracks.groupby(["artist_group", "genre"]).size().rename("songs").reset_index()
    # An artist of several genres counts for the one with most of their songs.
    main = songs.sort_values(["songs", "genre"], ascending=[False, True]).drop_duplicates("artist_group")
    main = main.assign(position=[hash_to_unit_interval(artist, seed) for artist in main["artist_group"]])
    split: dict[str, str] = {}
    for _, artists in main.sort_values("position").groupby("genre"):
        by_position = _below(artists["position"], validation_fraction, test_fraction)
        fair = _is_fair(by_position, artists["songs"], validation_fraction, test_fraction)
        chosen = by_position if fair else _cut(artists["songs"], validation_fraction, test_fraction)
        split |= dict(zip(artists["artist_group"], chosen.tolist(), strict=True))
    return tracks["artist_group"].map(split).astype("str")


def artists_in_multiple_splits(tracks: pd.DataFrame) -> list[str]:
    """The artist groups with songs in more than one split: none, unless a source's own split has them.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    """
    splits = tracks.groupby("artist_group")["split"].nunique()
    return sorted(splits[splits > 1].index)


def hash_to_unit_interval(name: str, seed: int) -> float:
    """A number from 0 to below 1, as if drawn at random, that depends on nothing but the name and the seed."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def _below(positions: pd.Series, validation_fraction: float, test_fraction: float) -> np.ndarray:
    in_test, in_validation = positions < test_fraction, positions < test_fraction + validation_fraction
    return np.select([in_test, in_validation], ["test", "validation"], "train")


def _is_fair(split: np.ndarray, songs: pd.Series, validation_fraction: float, test_fraction: float) -> bool:
    """Whether each split has between half and one and a half of its share of the songs."""
    fractions = {
        "train": 1 - validation_fraction - test_fraction,
        "validation": validation_fraction,
        "test": test_fraction,
    }
    shares = {name: songs[split == name].sum() / songs.sum() for name in fractions}
    return all(0.5 * fraction <= shares[name] <= 1.5 * fraction for name, fraction in fractions.items())


def _cut(songs: pd.Series, validation_fraction: float, test_fraction: float) -> np.ndarray:
    """The split of each artist in a row, given the number of their songs."""
    middle = (songs.cumsum() - songs / 2) / songs.sum()
    split = _below(middle, validation_fraction, test_fraction)
    if len(split) >= 2:
        split[0], split[-1] = "test", "train"
    if len(split) >= 3 and validation_fraction > 0 and "validation" not in split:
        after_test = int(np.argmax(split != "test"))
        split[min(after_test, len(split) - 2)] = "validation"
    return split
