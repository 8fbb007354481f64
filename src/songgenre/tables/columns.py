"""Columns and values that several tables share."""

from __future__ import annotations

from typing import Any

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


TRACK_ID = {"track_id": text(unique=True)}
