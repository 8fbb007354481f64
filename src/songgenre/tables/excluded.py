"""Exclusion log: songs that are not used, with the reason."""

from __future__ import annotations

import pandera.pandas as pa

from songgenre.tables.columns import REASONS, TRACK_ID, text

EXCLUDED = pa.DataFrameSchema(
    TRACK_ID | {"reason": text(checks=pa.Check.isin(REASONS)), "detail": text()},
    name="excluded",
    strict=True,
)
