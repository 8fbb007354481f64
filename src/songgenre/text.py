"""Texts from outside: tags of files and pages of sites."""

from __future__ import annotations

import unicodedata

MAX_TEXT_LENGTH = 500
"""Longest title, name or address, in characters; the rest is cut off."""


def sanitize_text(text: str | None) -> str | None:
    """Clean a text from outside for tables and pages.

    Parameters
    ----------
    text : str or None
        Any text.

    Returns
    -------
    str or None
        The text with spaces in place of control characters and line breaks, and replacement characters in place of
        halves of surrogate pairs, cut at `MAX_TEXT_LENGTH`; None if nothing is left.
    """
    if text is None:
        return None
    categories = {"Cc": " ", "Zl": " ", "Zp": " ", "Cs": "\ufffd"}
    shown = "".join(categories.get(unicodedata.category(letter), letter) for letter in text[: 4 * MAX_TEXT_LENGTH])
    return " ".join(shown.split())[:MAX_TEXT_LENGTH] or None
