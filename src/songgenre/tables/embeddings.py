"""Embedding of each track."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa

from songgenre.tables.columns import TRACK_ID


def _are_finite_numbers(embeddings: pd.DataFrame) -> bool:
    return bool(np.isfinite(embeddings.drop(columns="track_id").to_numpy(np.float32)).all())


EMBEDDINGS = pa.DataFrameSchema(
    TRACK_ID,
    checks=pa.Check(_are_finite_numbers, name="a finite number in every column but the first"),
    name="embeddings",
)
