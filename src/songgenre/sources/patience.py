"""How long a server asks to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str) -> float | None:
    """Read the header ``Retry-After``: seconds or a date, as in RFC 9110, section 10.2.3.

    Parameters
    ----------
    header : str
        Empty if there is none.

    Returns
    -------
    float or None
        Seconds from now; None if the header asks for nothing.
    """
    asked = header.strip()
    if asked.isdecimal():
        return float(asked)
    try:
        date = parsedate_to_datetime(asked)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
