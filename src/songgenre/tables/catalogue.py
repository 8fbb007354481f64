"""Catalogue: every song that a source lists."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.pandas as pa

from songgenre.tables.columns import FILE_NAME, REASONS, SPLITS, TRACK_ID, text


def _is_list_of_names(genres: Any) -> bool:
    return all(isinstance(genre, str) and genre for genre in genres)


def _differ(names: pd.Series) -> bool:
    return not names.dropna().duplicated().any()


def _has_audio_or_a_reason(catalogue: pd.DataFrame) -> pd.Series:
    audio = [catalogue[column].notna() for column in ("audio_path", "sha256")]
    why_not = [catalogue[column].isna() for column in ("reason", "detail")]
    return (audio[0] == audio[1]) & (audio[0] == why_not[0]) & (audio[0] == why_not[1])


CATALOGUE = pa.DataFrameSchema(
    TRACK_ID
    | {
        "source": text(),
        "collection": text(),
        "source_id": text(),
        "title": text(nullable=True),
        "artist": text(nullable=True),
        "year": text(nullable=True),
        "genres": pa.Column(object, pa.Check(_is_list_of_names, element_wise=True)),
        "primary_genre": text(nullable=True),
        "split": text(nullable=True, checks=pa.Check.isin(SPLITS)),
        "audio_path": text(nullable=True, checks=[pa.Check.str_matches(FILE_NAME), pa.Check(_differ)]),
        "url": text(nullable=True),
        "license": text(nullable=True),
        "sha256": text(nullable=True, checks=pa.Check.str_matches("^[0-9a-f]{64}$")),
        "bytes": pa.Column(int, pa.Check.ge(0)),
        "reason": text(nullable=True, checks=pa.Check.isin(REASONS)),
        "detail": text(nullable=True),
    },
    checks=pa.Check(_has_audio_or_a_reason, name="audio or a reason for its absence"),
    name="catalogue",
    strict=True,
)
