"""Read and write the tables that the stages exchange, checked against their schemas."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd
import pandera.errors
import pandera.pandas as pa
import pyarrow

from songgenre.atomic import replacing
from songgenre.errors import UserError


def check_table(table: pd.DataFrame, schema: pa.DataFrameSchema, where: object) -> pd.DataFrame:
    """Check a table against its schema.

    Parameters
    ----------
    table : pd.DataFrame
        The table.
    schema : pandera.pandas.DataFrameSchema
        Columns and values that it must have.
    where : object
        File of the table, for the error message.

    Returns
    -------
    pd.DataFrame
        The table.

    Raises
    ------
    UserError
        If a column is missing, unexpected or has an invalid value.
    """
    try:
        return schema.validate(table, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases[["column", "check", "failure_case"]].head(10)
        raise UserError(
            f"{where}: not a valid {schema.name} table. Delete it and run `dvc repro`.\n{cases.to_string(index=False)}"
        ) from None


def write_table(table: pd.DataFrame, schema: pa.DataFrameSchema, path: Path) -> None:
    """Check a table and write it as a Parquet file, completely or not at all.

    Parameters
    ----------
    table : pd.DataFrame
        The table.
    schema : pandera.pandas.DataFrameSchema
        Columns and values that it must have.
    path : Path
        File to write.

    Raises
    ------
    UserError
        If the table does not match the schema.
    """
    table = check_table(table.reset_index(drop=True), schema, path)
    with replacing(path) as partial:
        table.to_parquet(partial)


def read_table(schema: pa.DataFrameSchema, path: Path, track_ids: Collection[str] | None = None) -> pd.DataFrame:
    """Read a table that an earlier stage wrote, and check it.

    Parameters
    ----------
    schema : pandera.pandas.DataFrameSchema
        Columns and values that the table must have.
    path : Path
        Parquet file, or a folder of such files, ``part-*``, which are read in the order of their names.
    track_ids : collection of str, optional
        Songs to read; all by default. The order of the rows is that of the file.

    Returns
    -------
    pd.DataFrame
        The table.

    Raises
    ------
    UserError
        If the file is missing or damaged, or the table does not match the schema.
    """
    if not path.exists():
        raise UserError(f"{path}: not found. Run `dvc repro`, which writes the table {schema.name}, first.")
    try:
        if path.is_dir():
            table = pd.concat([_read_rows(part, track_ids) for part in sorted(path.glob("part-*"))], ignore_index=True)
        else:
            table = _read_rows(path, track_ids)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: not a readable Parquet file ({error}). Delete it and run `dvc repro`.") from None
    return check_table(table, schema, path)


def _read_rows(path: Path, track_ids: Collection[str] | None) -> pd.DataFrame:
    table = pd.read_parquet(path)
    return table if track_ids is None else table[table["track_id"].isin(track_ids)].reset_index(drop=True)
