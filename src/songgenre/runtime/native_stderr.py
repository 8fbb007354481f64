"""Suppression of messages that C libraries write to standard error and that no option turns off."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def suppress_native_stderr() -> Iterator[None]:
    """Discard the messages that C code writes to standard error; Python exceptions still propagate.

    The mp3 decoder reports each irregular frame, and TensorFlow reports the processor. Audio that cannot be decoded
    still raises an error or gives a shorter signal.

    Yields
    ------
    None
        Messages are discarded inside the context.
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
