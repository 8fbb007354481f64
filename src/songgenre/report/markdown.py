"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Format a table: its header, then a line per row.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of iterable
        Cells of each row; every cell is formatted with `str`, and its ``|`` are escaped.

    Returns
    -------
    str
        Markdown.
    """
    lines = [header, ["---"] * len(header), *([str(cell).replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
