"""The one error that is meant to be read by a person, and what to do about those of the system."""

from __future__ import annotations

import errno

AGAIN = "Then run the same command again: what is finished is kept, and nothing half written is."

FULL = f"The disk is full, or a file may not grow further: free some space, or raise the quota. {AGAIN}"
CLOSED = f"Make the folder writable for you, or work in a clone that is. {AGAIN}"
MEMORY = (
    "The system has most likely ended a process for want of memory: close other programs, or use fewer songs or "
    f"smaller models. {AGAIN}"
)

REMEDIES = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: CLOSED,
    errno.EACCES: CLOSED,
    errno.EPERM: CLOSED,
    errno.ENOMEM: MEMORY,
}
"""What to do about an error of the system, by its number."""


class UserError(Exception):
    """Something the user can mend: says what was expected, what came, where, and what to do."""
