"""The error that users read, and hints for errors of the operating system."""

from __future__ import annotations

import errno

HINT_RERUN = "Run the same command again to continue: completed work is kept, and partial files were removed."

HINT_DISK_FULL = f"The disk is full, or a file may not grow further: free some space, or raise the quota. {HINT_RERUN}"
HINT_READ_ONLY = f"Make the folder writable for you, or work in a clone that is. {HINT_RERUN}"
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
}
"""Hint for an error of the operating system, by its number."""


class UserError(Exception):
    """An error that the user can mend; its message names the object, the fact and a hint."""
