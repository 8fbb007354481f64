"""Tracks: the songs that are used."""

from __future__ import annotations

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
