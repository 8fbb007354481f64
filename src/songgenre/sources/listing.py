"""Read the ``tracks.csv`` of a folder of music, as spreadsheets and editors save it."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from songgenre.errors import UserError
from songgenre.progress import echo

NAME = "tracks.csv"
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
EXCEL_SEPARATOR = re.compile(r"\Asep=.\r?\n")
"""First line that names the separator; Excel reads it and does not show it."""
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Row(NamedTuple):
    """A row of ``tracks.csv``.

    Parameters
    ----------
    number : int
        Number of the row as in a spreadsheet: that of the names of the columns is 1.
    values : dict of str to str
        Text of each named column, in lower case; a column that the row lacks is empty.
    """

    number: int
    values: dict[str, str]


def find_listing(folder: Path) -> Path | None:
    """Find the ``tracks.csv`` of a folder, whatever the case of its name.

    Parameters
    ----------
    folder : Path
        Folder of music.

    Returns
    -------
    Path or None
        The file; None if there is none.
    """
    try:
        if (folder / NAME).is_file():
            return folder / NAME
        return next((path for path in sorted(folder.iterdir()) if path.name.lower() == NAME and path.is_file()), None)
    except OSError:
        return None


def read_listing(listing: Path, required: Sequence[str] = ("file", "genre")) -> list[Row]:
    """Read the rows of a ``tracks.csv``.

    Commas, semicolons or tabs separate the values; the text is UTF-8, UTF-16 with a byte order mark, or Windows-1252.
    Empty rows are skipped, and spaces around values are removed.

    Parameters
    ----------
    listing : Path
        The file.
    required : sequence of str
        Columns that must be there.

    Returns
    -------
    list of Row
        One per song.

    Raises
    ------
    UserError
        If the file cannot be read, a column is missing or repeated, a row has more values than there are columns or a
        quotation mark that is never closed, or there are no rows.
    """
    rows = _rows(listing, _text(listing))
    _, header = next(rows, (1, []))
    columns = [name.strip().lower() for name in header]
    _check_columns(listing, header, columns, required)
    songs = []
    for number, values in rows:
        if any(values[len(columns) :]):
            raise UserError(
                f"{listing}: row {number} has {len(values)} values for {len(columns)} columns: "
                f"{' | '.join(values)!r}. Put a value that contains the separator between quotation marks."
            )
        values += [""] * (len(columns) - len(values))
        songs.append(Row(number, {name: value for name, value in zip(columns, values, strict=False) if name}))
    if not songs:
        raise UserError(f"{listing}: has no rows. Add one row per song.")
    return songs


def _text(listing: Path) -> str:
    try:
        content = listing.read_bytes()
        for mark, encoding in BYTE_ORDER_MARKS.items():
            if content.startswith(mark):
                return content.decode(encoding)
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            text = content.decode("cp1252")
            echo(f"{listing}: not UTF-8, so it is read as Windows-1252; save it as UTF-8 if names look wrong")
            return text
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{listing}: cannot be read ({error}). Save it again, in UTF-8.") from None


def _rows(listing: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the values of each row that is not empty."""
    text = EXCEL_SEPARATOR.sub("", text)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    number = 0
    try:
        for number, values in enumerate(reader, start=1):
            stripped = [value.strip() for value in values]
            if any(stripped):
                yield number, stripped
    except csv.Error as error:
        raise UserError(
            f"{listing}: row {number + 1} cannot be read ({error}). Close each quotation mark, and double those within "
            "a value."
        ) from None


def _check_columns(listing: Path, header: list[str], columns: list[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in columns]
    if missing:
        raise UserError(
            f"{listing}: row 1: the column {' and '.join(missing)} is missing; the table has "
            f"{', '.join(filter(None, header)) or 'no columns'}. Add it or rename a column."
        )
    repeated = [name for number, name in enumerate(columns) if name and name in columns[:number]]
    if repeated:
        raise UserError(f"{listing}: row 1: the column {repeated[0]} is there twice. Rename or remove one of them.")
