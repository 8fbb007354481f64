"""Tables of pandas, as readers expect them: without row numbers, ids last, and numbers of one format."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bs4 import Tag

MISSING = "\N{EN DASH}"
"""Sign in place of a missing number."""
MAX_DECIMALS = 3
LARGE = 100
"""Columns with numbers from here on have one decimal, other columns at most `MAX_DECIMALS`."""
HUGE = 1e15
"""Numbers from here on keep their exponent."""

_NUMBER = re.compile(r"[+-]?(\d[\d,]*\.?\d*(e[+-]?\d+)?|inf)\s*%?|nan|nat|none|<na>", re.IGNORECASE)
_MISSING = re.compile(r"nan|nat|none|<na>", re.IGNORECASE)
_DECIMAL = re.compile(r"[+-]?\d+\.\d+(e[+-]?\d+)?", re.IGNORECASE)
_ID = re.compile(r"id|\w+[_ ]id|sha-?256|hash", re.IGNORECASE)


def tidy(table: Tag) -> None:
    """Remove row numbers and empty header rows, move ids to the end, round, and mark the columns of numbers.

    Parameters
    ----------
    table : Tag
        Element ``table``, which is changed.
    """
    _merge_header(table)
    if _is_regular(table):
        _remove_row_numbers(table)
        _move_ids(table)
    _format_numbers(table)


def visible_text(tag: Tag) -> str:
    """Return the text of an element, with single spaces.

    Parameters
    ----------
    tag : Tag
        Any element.

    Returns
    -------
    str
        The text.
    """
    return " ".join(tag.get_text().split())


def _cells(row: Tag) -> list[Tag]:
    return row.find_all(["th", "td"], recursive=False)


def _head_rows(table: Tag) -> list[Tag]:
    return table.select("thead > tr")


def _body_rows(table: Tag) -> list[Tag]:
    return table.select("tbody > tr")


def _merge_header(table: Tag) -> None:
    """Write the names of the index, for which pandas adds a second header row, into the first."""
    rows = _head_rows(table)
    if len(rows) != 2:
        return
    first, second = map(_cells, rows)
    pairs = list(zip(first[1:], second[1:], strict=False))
    if len(first) != len(second) or any(visible_text(above) and visible_text(below) for above, below in pairs):
        return
    for above, below in pairs:
        above.string = visible_text(above) or visible_text(below)
    columns, index = visible_text(first[0]), visible_text(second[0])
    first[0].string = f"{index} ↓ {columns} →" if columns and index else columns or index
    rows[1].decompose()


def _is_regular(table: Tag) -> bool:
    """Tell whether the table has one header row, and a cell in each row and column."""
    rows = [*_head_rows(table), *_body_rows(table)]
    widths = {len(_cells(row)) for row in rows}
    spans = table.select("[colspan], [rowspan]")
    return len(_head_rows(table)) == 1 and len(rows) > 1 and len(widths) == 1 and min(widths) > 0 and not spans


def _remove_row_numbers(table: Tag) -> None:
    corner, *_ = _cells(_head_rows(table)[0])
    labels = [_cells(row)[0] for row in _body_rows(table)]
    is_index = not visible_text(corner) and all(label.name == "th" for label in labels)
    if is_index and all(visible_text(label).isdecimal() for label in labels) and len(_cells(_body_rows(table)[0])) > 1:
        for cell in (corner, *labels):
            cell.decompose()


def _move_ids(table: Tag) -> None:
    elements = [*_head_rows(table), *_body_rows(table)]
    rows = [_cells(row) for row in elements]
    ids = [
        column
        for column, cell in enumerate(rows[0])
        if _ID.fullmatch(visible_text(cell)) and rows[1][column].name == "td"
    ]
    for element, row in zip(elements, rows, strict=True):
        for column in ids:
            row[column]["class"] = "id"
            element.append(row[column].extract())


def _format_numbers(table: Tag) -> None:
    """Format and mark the columns of numbers; columns are counted from the right, because row labels may span rows."""
    rows = [row("td") for row in table("tr")]
    width = max(map(len, rows), default=0)
    for column in range(1, width + 1):
        cells = [row[-column] for row in rows if len(row) >= column]
        if all(_NUMBER.fullmatch(visible_text(cell)) for cell in cells):
            _mark_missing(cells)
            _round(cells)
            heads = [row("th")[-column] for row in table("tr") if not row("td") and len(row("th")) >= column]
            for cell in (*cells, *heads):
                cell["class"] = "number"


def _mark_missing(cells: Sequence[Tag]) -> None:
    """Replace missing numbers; pandas shows integers beside them with a decimal, which is removed."""
    missing = [cell for cell in cells if _MISSING.fullmatch(visible_text(cell))]
    others = [cell for cell in cells if not _MISSING.fullmatch(visible_text(cell))]
    if missing and all(visible_text(cell).endswith(".0") for cell in others):
        for cell in others:
            cell.string = visible_text(cell).removesuffix(".0")
    for cell in missing:
        cell.string = MISSING


def _round(cells: Sequence[Tag]) -> None:
    """Round a column to `MAX_DECIMALS`, or to one decimal if it has large numbers; no number becomes zero."""
    decimals = [cell for cell in cells if _DECIMAL.fullmatch(visible_text(cell))]
    is_large = any(abs(float(visible_text(cell))) >= LARGE for cell in decimals)
    digits = 1 if is_large else MAX_DECIMALS
    for cell in decimals:
        number = float(visible_text(cell))
        if len(visible_text(cell).partition(".")[2]) > digits and abs(number) < HUGE:
            rounded = f"{number:.{digits}f}"
            cell.string = rounded if float(rounded) or not number else f"{number:.0e}"
