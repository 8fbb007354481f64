"""Split songs into training, validation and test songs by artist."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from songgenre.tables.columns import fold_name


def artist_group(artist: str | None, track_id: str) -> str:
    """Name the group of songs that must be in the same split.

    Parameters
    ----------
    artist : str or None
        Name of the artist.
    track_id : str
        Identifier of the song.

    Returns
    -------
    str
        Name of the artist, independent of case, spacing and Unicode form; a group of its own for a song without
        an artist.

    Examples
    --------
    >>> artist_group("The  LAST Jackal", "folder-1")
    'the last jackal'
    >>> artist_group(None, "folder-2")
    'unknown artist of folder-2'
    """
    if not isinstance(artist, str) or not artist.strip():
        return f"unknown artist of {track_id}"
    return fold_name(artist)


def split_tracks(
    tracks: pd.DataFrame,
    catalogue: pd.DataFrame,
    rule: str,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> pd.Series:
    """Assign each song to a split: the official one of its source, or one by artist.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS` without the column ``split``.
    catalogue : pd.DataFrame
        `songgenre.tables.catalogue.CATALOGUE`, with the official splits.
    rule : {"official", "artist"}
        With ``"official"``, a collection keeps its official split if every one of its songs in `tracks` has one, even
        if an artist is in several splits (see `artists_in_multiple_splits`); the songs of other collections are split
        by artist, independently of those. With ``"artist"``, all songs are split by artist.
    validation_fraction, test_fraction : float
        Shares of the songs of each genre, see `split_by_artist`.
    seed : int
        Seed of the split by artist.

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
    """Assign each artist to one split, with about the same share of each genre's songs in each split.

    A hash of the seed and the artist's name gives a number from 0 to 1. Artists with a number below the test fraction
    are for testing, those below the sum of both fractions for validation, all others for training. Songs, artists and
    genres that are added later therefore do not move an artist.

    With few artists, this rule may give a split less than half or more than one and a half times its share of a genre.
    The artists of such a genre are sorted by their numbers instead and divided at the fractions. Songs that are added
    later may then move the artists next to a boundary, or the whole genre when the first rule starts or stops to apply
    to it.

    Parameters
    ----------
    tracks : pd.DataFrame
        One row per song, with the columns ``artist_group`` and ``genre``.
    validation_fraction, test_fraction : float
        Shares of the songs of each genre.
    seed : int
        Seed of the hash.

    Returns
    -------
    pd.Series [shape=(n_tracks,)]
        ``"train"``, ``"validation"`` or ``"test"``, with the index of `tracks`. A genre with two or more artists has
        training and test songs; a genre with three or more also has validation songs.

    Examples
    --------
    >>> songs = pd.DataFrame({"artist_group": ["ada", "ada", "ben", "cy", "dot"], "genre": "rock"})
    >>> split = split_by_artist(songs, validation_fraction=0.2, test_fraction=0.2, seed=0)
    >>> split.groupby(songs["artist_group"]).nunique().tolist()  # each artist is in one split
    [1, 1, 1, 1]
    >>> sorted(split.unique())
    ['test', 'train', 'validation']
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
    """List the artist groups with songs in more than one split.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.

    Returns
    -------
    list of str
        Names of the groups, sorted; empty unless an official split contains such artists.
    """
    splits = tracks.groupby("artist_group")["split"].nunique()
    return sorted(splits[splits > 1].index)


def hash_to_unit_interval(name: str, seed: int) -> float:
    """Map a name to a pseudo-random number.

    Parameters
    ----------
    name : str
        Any text.
    seed : int
        Seed of the hash.

    Returns
    -------
    float
        From 0 to below 1; the same for the same arguments on every machine.
    """
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
    """Divide artists, given the numbers of their songs, at the fractions."""
    middle = (songs.cumsum() - songs / 2) / songs.sum()
    split = _below(middle, validation_fraction, test_fraction)
    if len(split) >= 2:
        split[0], split[-1] = "test", "train"
    if len(split) >= 3 and validation_fraction > 0 and "validation" not in split:
        after_test = int(np.argmax(split != "test"))
        split[min(after_test, len(split) - 2)] = "validation"
    return split
