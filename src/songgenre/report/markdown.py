"""Texts and tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MARKUP = re.compile(r"[\\`*<>\[\]&|~$#]|(?<!\w)_|_(?!\w)|://")
"""Characters that may be markup in the middle of a line; an underscore within a word is not."""


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
        Cells of each row; every cell is formatted with `str` and escaped.

    Returns
    -------
    str
        Markdown.
    """
    lines = [list(map(escape, header)), ["---"] * len(header), *([escape(str(cell)) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
