"""Read and write the tables that pass between the stages, checked against their schemas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pandera.errors
import pandera.pandas as pa
import pyarrow

from songgenre.atomic import replacing
from songgenre.errors import UserError


def check_table(table: pd.DataFrame, schema: pa.DataFrameSchema, where: object) -> pd.DataFrame:
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


def write_table(table: pd.DataFrame, schema: pa.DataFrameSchema, path: Path) -> None:
    """Check a table and write it as Parquet, whole or not at all.

    Raises
    ------
    UserError
        If it does not fit the schema.
    """
    table = check_table(table.reset_index(drop=True), schema, path)
    with replacing(path) as partial:
        table.to_parquet(partial)


def read_table(schema: pa.DataFrameSchema, path: Path) -> pd.DataFrame:
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
    return check_table(table, schema, path)
