"""Genres: the tree of genres of a source."""

from __future__ import annotations

import pandera.pandas as pa

from songgenre.tables.columns import text

GENRES = pa.DataFrameSchema({"genre": text(unique=True), "parent": text(nullable=True)}, name="genres", strict=True)
