"""Tracks: the songs that are used."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa

from songgenre.tables.columns import FILE_NAME, SPLITS, TRACK_ID, text

TRACKS = pa.DataFrameSchema(
    TRACK_ID
    | {
        "audio_path": text(unique=True, checks=pa.Check.str_matches(FILE_NAME)),
        "sha256": text(checks=pa.Check.str_matches("^[0-9a-f]{64}$")),
        "genre": text(),
        "title": text(nullable=True),
        "artist": text(nullable=True),
        "artist_group": text(),
        "collection": text(),
        "duration_s": pa.Column(float, pa.Check.gt(0)),
        "sample_rate": pa.Column(int, pa.Check.gt(0)),
        "channels": pa.Column(int, pa.Check.gt(0)),
        "clip_start_s": pa.Column(float, pa.Check.ge(0)),
        "clip_duration_s": pa.Column(float, pa.Check.gt(0)),
        "split": text(checks=pa.Check.isin(SPLITS)),
    },
    name="tracks",
    strict=True,
)


def training_size(tracks: pd.DataFrame) -> tuple[int, int]:
    """Count the songs on which the scikit-learn models are trained, and the genres.

    Parameters
    ----------
    tracks : pd.DataFrame
        `TRACKS`.

    Returns
    -------
    n_songs, n_genres : int
        Number of songs that are not test songs, and of genres of all songs.
    """
    return int((tracks["split"] != "test").sum()), tracks["genre"].nunique()
