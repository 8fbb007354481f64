"""Which songs train, validate and test: by artist, so that no artist is on two sides."""

from __future__ import annotations

import hashlib

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
    """Put each artist into one split.

    A hash of the artist's name decides, so that songs added later do not move the earlier ones. Only where a genre
    would have no song in a split, the artist of the genre who comes closest to it is moved there.

    Parameters
    ----------
    tracks : pd.DataFrame
        With the columns ``artist_group`` and ``genre``.
    validation_fraction, test_fraction : float
        Expected share of the artists.
    seed : int

    Returns
    -------
    pd.Series [shape=(n_tracks,)]
        ``"train"``, ``"validation"`` or ``"test"``, with the index of `tracks`.
    """
    position = {artist: _position(artist, seed) for artist in sorted(tracks["artist_group"].unique())}
    bounds = {
        "test": (0.0, test_fraction),
        "validation": (test_fraction, test_fraction + validation_fraction),
        "train": (test_fraction + validation_fraction, 1.0),
    }
    split = {
        artist: next(name for name, (low, high) in bounds.items() if low <= at < high)
        for artist, at in position.items()
    }
    for _, artists in tracks.groupby("genre")["artist_group"]:
        _fill_empty_splits(sorted(artists.unique(), key=position.__getitem__), split, position, bounds)
    return tracks["artist_group"].map(split).astype("str")


def _fill_empty_splits(
    artists: list[str],
    split: dict[str, str],
    position: dict[str, float],
    bounds: dict[str, tuple[float, float]],
) -> None:
    for name, (low, high) in bounds.items():
        counts = pd.Series([split[artist] for artist in artists]).value_counts()
        spare = [artist for artist in artists if counts[split[artist]] > 1]
        if high > low and name not in counts and spare:
            nearest = min(spare, key=lambda artist: abs(position[artist] - (low + high) / 2))
            split[nearest] = name


def _position(artist: str, seed: int) -> float:
    digest = hashlib.sha256(f"{seed}:{artist}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
