"""Predictions of models for tracks."""

from __future__ import annotations

import pandera.pandas as pa

from songgenre.tables.columns import text

_predictions = {
    "track_id": text(),
    "model": text(),
    "genre": text(),
    "predicted": text(),
    "^p_.+$": pa.Column(float, pa.Check.in_range(0, 1), regex=True),
}

PREDICTIONS = pa.DataFrameSchema(_predictions, name="predictions", unique=["track_id", "model"], strict=True)

NESTED = pa.DataFrameSchema(
    _predictions | {"repeat": pa.Column(int, pa.Check.ge(0))},
    name="nested predictions",
    unique=["track_id", "model", "repeat"],
    strict=True,
)
