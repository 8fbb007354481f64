"""Silence for libraries whose C code writes notes to the standard error of the process and has no switch for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suppress_native_stderr() -> Iterator[None]:
    """Send what C code writes to the standard error nowhere; Python's exceptions pass as ever.

    The mp3 decoder notes every odd frame, and TensorFlow which processor it found. What cannot be decoded is still an
    error or a shorter signal.
    """
    sys.stderr.flush()
    before = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
