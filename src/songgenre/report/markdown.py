"""Texts and tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MARKUP = re.compile(r"[\\`*<>\[\]&|~$#]|(?<!\w)_|_(?!\w)|://")
"""Characters that may be markup in the middle of a line; an underscore within a word is not."""


ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(/[A-Za-z0-9./-]*)?")
"""Addresses in which nothing can be markup."""


def escape(text: str) -> str:
    r"""Format a text so that Markdown shows it as it is, in one line.

    Parameters
    ----------
    text : str
        Any text, such as the name of a genre.

    Returns
    -------
    str
        Markdown.

    Examples
    --------
    >>> print(escape("R&B | *live* in_a_word"))
    R\&B \| \*live\* in_a_word
    """
    return MARKUP.sub(lambda found: rf"\{found[0]}", " ".join(text.split()))


def table(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Format a table: its header, then a line per row.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of iterable
        Cells of each row; every cell is formatted with `str` and escaped, unless it is an `ADDRESS`.

    Returns
    -------
    str
        Markdown.
    """
    lines = [list(map(escape, header)), ["---"] * len(header), *(map(_format_cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _format_cell(cell: object) -> str:
    text = str(cell)
    return text if ADDRESS.fullmatch(text) else escape(text)
