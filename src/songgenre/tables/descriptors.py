"""Descriptors of each track."""

from __future__ import annotations

import pandera.pandas as pa

from songgenre.tables.columns import TRACK_ID

DESCRIPTORS = pa.DataFrameSchema(
    TRACK_ID | {"^(?!track_id$).+$": pa.Column(float, regex=True)},
    name="descriptors",
    strict=True,
)
