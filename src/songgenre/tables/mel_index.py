"""Position of the mel image of each track in ``mel.npy``."""

from __future__ import annotations

import pandera.pandas as pa

from songgenre.tables.columns import TRACK_ID

MEL_INDEX = pa.DataFrameSchema(
    TRACK_ID
    | {
        "row": pa.Column(int, pa.Check.ge(0), unique=True),
        "sample_rate": pa.Column(int),
        "hop_length": pa.Column(int),
        "db_max": pa.Column(float),
        "db_range": pa.Column(float),
    },
    name="mel_index",
    strict=True,
)
