"""The error that users read, and hints for errors of the operating system."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches

HINT_RERUN = "Run the same command again to continue: completed work is kept, and partial files were removed."

HINT_DISK_FULL = f"The disk is full, or a file may not grow further: free some space, or raise the quota. {HINT_RERUN}"
HINT_READ_ONLY = f"Make the folder writable for you, or work in a clone that is. {HINT_RERUN}"
HINT_EXTRAS = (
    "This command belongs to the pipeline: run `make setup` in a clone, or install the extras "
    "[pipeline,scrape,demo,cluster]."
)
HINT_OWNER = (
    "It belongs to another user, so git does not read it: run `git config --global --add safe.directory FOLDER`."
)
HINT_NAME = "Use a shorter name."
HINT_MEMORY = (
    "The system has probably stopped a process because memory ran out: close other programs, or use fewer songs or "
    f"smaller models. {HINT_RERUN}"
)

ERRNO_HINTS = {
    errno.ENOSPC: HINT_DISK_FULL,
    errno.EDQUOT: HINT_DISK_FULL,
    errno.EFBIG: HINT_DISK_FULL,
    errno.EROFS: HINT_READ_ONLY,
    errno.EACCES: HINT_READ_ONLY,
    errno.EPERM: HINT_READ_ONLY,
    errno.ENOMEM: HINT_MEMORY,
    errno.ENAMETOOLONG: HINT_NAME,
}
"""Hint for an error of the operating system, by its number."""


class UserError(Exception):
    """An error that the user can mend; its message names the object, the fact and a hint."""


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Suggest the nearest of some names.

    Parameters
    ----------
    name : str
        A name that does not exist.
    choices : iterable of str
        Names that exist.

    Returns
    -------
    str
        A question with a space before it; empty if no name is near.

    Examples
    --------
    >>> did_you_mean("clasical", ["classical", "rock"])
    " Did you mean 'classical'?"
    """
    by_folded = {choice.casefold(): choice for choice in choices}
    nearest = get_close_matches(name.casefold(), by_folded, n=1)
    return f" Did you mean {by_folded[nearest[0]]!r}?" if nearest else ""
