"""Columns and values that several tables share."""

from __future__ import annotations

import unicodedata
from typing import Any

import pandas as pd
import pandera.pandas as pa

SPLITS = ["train", "validation", "test"]

REASONS = [
    "unreadable",
    "truncated",
    "empty",
    "silent",
    "too_short",
    "not_audio",
    "duplicate",
    "ambiguous_genre",
    "missing_genre",
    "rare_genre",
    "over_limit",
]
"""Reasons for exclusion. ``over_limit``: beyond a limit of the crawl or of the balancing of genres."""

FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


def text(**options: Any) -> pa.Column:
    """Make a column of text.

    Parameters
    ----------
    **options : Any
        Options of `pandera.pandas.Column`.

    Returns
    -------
    pandera.pandas.Column
        Column of strings.
    """
    return pa.Column(str, **options)


def fold_name(name: str) -> str:
    """Make names equal that differ only in case, spacing or Unicode form.

    Parameters
    ----------
    name : str
        Name of an artist.

    Returns
    -------
    str
        Folded name.

    Examples
    --------
    >>> fold_name("The  LAST Jackal")
    'the last jackal'
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def count_artists(songs: pd.DataFrame) -> int:
    """Count the artists of songs; spellings that `fold_name` makes equal are one artist, no name is no artist.

    Parameters
    ----------
    songs : pd.DataFrame
        Songs with the column ``artist``.

    Returns
    -------
    int
        Number of artists.
    """
    return int(songs["artist"].dropna().map(fold_name).nunique())


TRACK_ID = {"track_id": text(unique=True)}
