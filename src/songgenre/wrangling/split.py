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


def split_by_artist(tracks: pd.DataFrame, validation_fraction: float, test_fraction: float, seed: int) -> pd.Series:
    """Put each artist into one split, with about the same share of each genre's songs in each split.

    The artists of a genre stand in a row, ordered by a hash of their names, and the row is cut at the fractions. So
    songs that are added later move none but the artists next to a cut.

    Parameters
    ----------
    tracks : pd.DataFrame
        With the columns ``artist_group`` and ``genre``.
    validation_fraction, test_fraction : float
        Share of the songs of each genre.
    seed : int
        Goes into the hash.

    Returns
    -------
    pd.Series [shape=(n_tracks,)]
        ``"train"``, ``"validation"`` or ``"test"``, with the index of `tracks`. A genre with two artists or more has
        songs to train and to test; one with three or more to validate as well.
    """
    songs = tracks.groupby(["artist_group", "genre"]).size().rename("songs").reset_index()
    # An artist of several genres stands in the row of the one with most of their songs.
    main = songs.sort_values(["songs", "genre"], ascending=[False, True]).drop_duplicates("artist_group")
    main = main.assign(position=[_position(artist, seed) for artist in main["artist_group"]])
    split: dict[str, str] = {}
    for _, row in main.sort_values("position").groupby("genre"):
        split |= dict(zip(row["artist_group"], _cut(row["songs"], validation_fraction, test_fraction), strict=True))
    return tracks["artist_group"].map(split).astype("str")


def _cut(songs: pd.Series, validation_fraction: float, test_fraction: float) -> list[str]:
    """The split of each artist in a row, given the number of their songs."""
    middle = (songs.cumsum() - songs / 2) / songs.sum()
    in_test, in_validation = middle < test_fraction, middle < test_fraction + validation_fraction
    split = np.select([in_test, in_validation], ["test", "validation"], "train")
    if len(split) >= 2:
        split[0], split[-1] = "test", "train"
    if len(split) >= 3 and validation_fraction > 0 and "validation" not in split:
        after_test = int(np.argmax(split != "test"))
        split[min(after_test, len(split) - 2)] = "validation"
    return split.tolist()


def _position(artist: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{artist}".encode()).digest()[:8], "big")
