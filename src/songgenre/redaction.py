"""Removal of secrets from output and files, and of what would control a terminal."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

MASK = "***"

MIN_SECRET_LENGTH = 8
"""Shorter values of environment variables are not redacted, since they may be ordinary words."""

_PASSWORD = re.compile(
    r"""(https?://)[^/\s?#"'<>]+@|([a-z][a-z0-9+.-]{0,30}://)[^/\s?#"'<>:@]*:[^/\s?#"'<>]*@""", re.IGNORECASE
)
_PARAMETER = re.compile(
    r"""([?&;#](?:[\w-]*(?:token|secret|password|passwd|signature|credential|(?:api|access)[-_]?key(?:[-_]?id)?)"""
    r"""|key|sig|auth)=)[^&\s"'<>]+""",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|ACCESS_KEY|API_?KEY|_KEY$", re.IGNORECASE)


def printable(text: str) -> str:
    """Replace what would control a terminal.

    Parameters
    ----------
    text : str
        Text from outside, such as the name of a file or the answer of a server.

    Returns
    -------
    str
        The text with a replacement character for each unprintable one.
    """
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def redact(text: str) -> str:
    """Replace each secret in a text by three asterisks.

    Parameters
    ----------
    text : str
        Text that may contain secrets.

    Returns
    -------
    str
        Text without user names and passwords in addresses, without values of address parameters whose name is that of
        a secret, such as ``token``, and without values of such environment variables.
    """
    for secret in _environment_secrets():
        text = text.replace(secret, MASK)
    text = _PASSWORD.sub(lambda found: f"{found[1] or found[2]}{MASK}@", text)
    return _PARAMETER.sub(rf"\1{MASK}", text)


def _environment_secrets() -> list[str]:
    """List the values of secret environment variables, the longest first, since one may contain another."""
    secrets = {
        value for name, value in os.environ.items() if _VARIABLE.search(name) and len(value) >= MIN_SECRET_LENGTH
    }
    return sorted(secrets | {quote(secret, safe="") for secret in secrets}, key=len, reverse=True)
