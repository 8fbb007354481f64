"""The one error that is meant to be read by a person, and what to do about those of the system."""

from __future__ import annotations

import errno

HINT_RERUN = "Then run the same command again: what is finished is kept, and nothing half written is."

HINT_DISK_FULL = f"The disk is full, or a file may not grow further: free some space, or raise the quota. {HINT_RERUN}"
HINT_READ_ONLY = f"Make the folder writable for you, or work in a clone that is. {HINT_RERUN}"
HINT_MEMORY = (
    "The system has most likely ended a process for want of memory: close other programs, or use fewer songs or "
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
"""What to do about an error of the system, by its number."""


class UserError(Exception):
    """Something the user can mend: says what was expected, what came, where, and what to do."""
