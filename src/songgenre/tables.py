"""The tables that pass between the stages: their schemas, and how they are read and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.errors
import pandera.pandas as pa
import pyarrow

from songgenre.errors import UserError
from songgenre.paths import replacing

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
    "surplus",
]
"""Why a song is not used. Surplus: more than was asked for, by a limit or by balancing the genres."""

FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


def _is_list_of_names(genres: Any) -> bool:
    return all(isinstance(genre, str) and genre for genre in genres)


def _differ(names: pd.Series) -> bool:
    return not names.dropna().duplicated().any()


def _has_audio_or_a_reason(catalogue: pd.DataFrame) -> pd.Series:
    audio = [catalogue[column].notna() for column in ("audio_path", "sha256")]
    why_not = [catalogue[column].isna() for column in ("reason", "detail")]
    return (audio[0] == audio[1]) & (audio[0] == why_not[0]) & (audio[0] == why_not[1])


def _are_finite_numbers(embeddings: pd.DataFrame) -> bool:
    return bool(np.isfinite(embeddings.drop(columns="track_id").to_numpy(np.float32)).all())


def _text(**options: Any) -> pa.Column:
    return pa.Column(str, **options)


_track_id = {"track_id": _text(unique=True)}

CATALOGUE = pa.DataFrameSchema(
    _track_id
    | {
        "source": _text(),
        "collection": _text(),
        "source_id": _text(),
        "title": _text(nullable=True),
        "artist": _text(nullable=True),
        "genres": pa.Column(object, pa.Check(_is_list_of_names, element_wise=True)),
        "primary_genre": _text(nullable=True),
        "split": _text(nullable=True, checks=pa.Check.isin(SPLITS)),
        "audio_path": _text(nullable=True, checks=[pa.Check.str_matches(FILE_NAME), pa.Check(_differ)]),
        "url": _text(nullable=True),
        "licence": _text(nullable=True),
        "sha256": _text(nullable=True, checks=pa.Check.str_matches("^[0-9a-f]{64}$")),
        "bytes": pa.Column(int, pa.Check.ge(0)),
        "reason": _text(nullable=True, checks=pa.Check.isin(REASONS)),
        "detail": _text(nullable=True),
    },
    checks=pa.Check(_has_audio_or_a_reason, name="audio or a reason why there is none"),
    name="catalogue",
    strict=True,
)

TRACKS = pa.DataFrameSchema(
    _track_id
    | {
        "audio_path": _text(unique=True, checks=pa.Check.str_matches(FILE_NAME)),
        "sha256": _text(checks=pa.Check.str_matches("^[0-9a-f]{64}$")),
        "genre": _text(),
        "title": _text(nullable=True),
        "artist": _text(nullable=True),
        "artist_group": _text(),
        "collection": _text(),
        "duration_s": pa.Column(float, pa.Check.gt(0)),
        "sample_rate": pa.Column(int, pa.Check.gt(0)),
        "channels": pa.Column(int, pa.Check.gt(0)),
        "clip_start_s": pa.Column(float, pa.Check.ge(0)),
        "clip_duration_s": pa.Column(float, pa.Check.gt(0)),
        "split": _text(checks=pa.Check.isin(SPLITS)),
    },
    name="tracks",
    strict=True,
)

EXCLUDED = pa.DataFrameSchema(
    _track_id | {"reason": _text(checks=pa.Check.isin(REASONS)), "detail": _text()},
    name="excluded",
    strict=True,
)

DESCRIPTORS = pa.DataFrameSchema(
    _track_id | {"^(?!track_id$).+$": pa.Column(float, regex=True)},
    name="descriptors",
    strict=True,
)

MEL_INDEX = pa.DataFrameSchema(
    _track_id
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

EMBEDDINGS = pa.DataFrameSchema(
    _track_id,
    checks=pa.Check(_are_finite_numbers, name="a finite number in every column but the first"),
    name="embeddings",
)

_predictions = {
    "track_id": _text(),
    "model": _text(),
    "genre": _text(),
    "predicted": _text(),
    "^p_.+$": pa.Column(float, pa.Check.in_range(0, 1), regex=True),
}

PREDICTIONS = pa.DataFrameSchema(_predictions, name="predictions", unique=["track_id", "model"], strict=True)

NESTED = pa.DataFrameSchema(
    _predictions | {"repeat": pa.Column(int, pa.Check.ge(0))},
    name="nested predictions",
    unique=["track_id", "model", "repeat"],
    strict=True,
)


def check(table: pd.DataFrame, schema: pa.DataFrameSchema, where: object) -> pd.DataFrame:
    """Check a table against its schema.

    Raises
    ------
    UserError
        Naming every column that is missing, not expected, or holds what it must not.
    """
    try:
        return schema.validate(table, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases[["column", "check", "failure_case"]].head(10)
        raise UserError(f"{where} is not a valid {schema.name} table:\n{cases.to_string(index=False)}") from None


def write(table: pd.DataFrame, schema: pa.DataFrameSchema, path: Path) -> None:
    """Check a table and write it as Parquet, whole or not at all.

    Raises
    ------
    UserError
        If it does not fit the schema.
    """
    table = check(table.reset_index(drop=True), schema, path)
    with replacing(path) as partial:
        table.to_parquet(partial)


def read(schema: pa.DataFrameSchema, path: Path) -> pd.DataFrame:
    """Read a table that an earlier stage wrote, and check it.

    Raises
    ------
    UserError
        If it is missing, damaged or does not fit the schema.
    """
    if not path.is_file():
        raise UserError(
            f"Expected the {schema.name} table at {path}, but it is not there. "
            "Run `dvc repro`, or the notebook that writes it, first."
        )
    try:
        table = pd.read_parquet(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(
            f"Expected a Parquet file at {path}, but it cannot be read: {error}. "
            "Delete it and run `dvc repro`, or the notebook that writes it."
        ) from None
    return check(table, schema, path)
