"""Download large files from the web, with resumption and a check of the SHA-1."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from songgenre.errors import UserError
from songgenre.progress import echo, progress_bar
from songgenre.redaction import redact

MEGABYTE = 1_000_000
FIRST_WAIT_S = 1.0
"""Wait before the first retry, in s; it doubles with each further retry."""
MAX_WAIT_S = 120.0
"""Longest wait before a retry, in s, also if the server asks for more."""
WITHOUT_PROXY: dict[str, None] = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
"""Mounts of `httpx` for this machine, for which no proxy is asked."""
RETRY_STATUSES = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class _TransientError(Exception):
    """A failure that a retry may mend, with the wait in s if the server asks for one."""

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        super().__init__(what)
        self.wait_s = wait_s


def fetch(url: str, path: Path, sha1: str, timeout_s: float, retries: int) -> None:
    """Download a file, unless it is already complete.

    The received part is kept beside `path` under the same name with the suffix ``.part``. After an interruption of any
    kind, the next request or the next call downloads only the rest.

    Parameters
    ----------
    url : str
        Address of the file.
    path : Path
        File to write; its folder is created if necessary.
    sha1 : str
        Expected SHA-1 in hexadecimal digits.
    timeout_s : float
        Longest silence of the server, in s.
    retries : int
        Number of consecutive requests that may fail before a megabyte has arrived.

    Raises
    ------
    UserError
        If a proxy is not usable; if the server refuses or redirects the request, does not announce the size, or stops
        responding; if the SHA-1 differs; or if the file cannot be written.

    References
    ----------
    RFC 9110, HTTP Semantics, sections 10.2.3 (Retry-After) and 14 (Range Requests).
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if path.is_file() and sha1_of(path) == sha1:
            return
        check_proxies()
        path.parent.mkdir(parents=True, exist_ok=True)
        with httpx.Client(timeout=timeout_s, headers={"Accept-Encoding": "identity"}, mounts=WITHOUT_PROXY) as client:
            _complete(client, url, part, sha1, retries)
        got = sha1_of(part)
        if got != sha1:
            part.unlink()
            raise UserError(
                f"{url}: the SHA-1 is {got} instead of {sha1}; the download was deleted. Run the command again. If it "
                "fails again, the server offers another file: check scraping.fma.url in params.yaml."
            )
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"{part}: cannot be written ({error}). Free some space or change the permissions, and run the command "
            "again; the download resumes where it stopped."
        ) from None


def check_proxies() -> None:
    """Check the proxies that environment variables such as ``HTTPS_PROXY`` name.

    Raises
    ------
    UserError
        If one is not the address of an HTTP proxy.
    """
    for kind, url in getproxies().items():
        if kind in ("http", "https", "all") and not _is_http_proxy(url):
            raise UserError(
                f"{kind.upper()}_PROXY={redact(url)}: not the address of an HTTP proxy; no other kind is supported. "
                f"Set it to http://HOST:PORT, or run `unset {kind}_proxy {kind.upper()}_PROXY`."
            )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a host.

    Parameters
    ----------
    host : str
        Address or name.

    Returns
    -------
    bool
        True for ``localhost`` and loopback addresses.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_http_proxy(url: str) -> bool:
    try:
        address = urlsplit(url if "://" in url else f"http://{url}")
        return address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        return False


def sha1_of(path: Path) -> str:
    """Compute the SHA-1 of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        Hexadecimal digits.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()


def _complete(client: httpx.Client, url: str, part: Path, sha1: str, retries: int) -> None:
    furthest = _size(part)
    failures = 0
    while True:
        try:
            return _resume(client, url, part, sha1)
        except _TransientError as error:
            failures = 1 if _size(part) >= furthest + MEGABYTE else failures + 1
            furthest = max(furthest, _size(part))
            if failures > retries:
                raise UserError(
                    f"{url}: the download failed after {retries} retries ({error}). {part} keeps the "
                    f"{_size(part) / MEGABYTE:g} MB that arrived; run the command again later to resume."
                ) from None
            wait_s = FIRST_WAIT_S * 2 ** (failures - 1) if error.wait_s is None else error.wait_s
            wait_s = min(wait_s, MAX_WAIT_S)
            echo(f"{url}: {error}; trying again in {wait_s:g} s")
            time.sleep(wait_s)


def _resume(client: httpx.Client, url: str, part: Path, sha1: str) -> None:
    """Request the missing part of a file, and append it."""
    have = _size(part)
    try:
        with client.stream("GET", url, headers={"Range": f"bytes={have}-"} if have else {}) as response:
            if not have or response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return _receive(response, part, have)
    except httpx.TransportError as error:
        raise _TransientError(str(error) or type(error).__name__) from None
    except httpx.InvalidURL as error:
        raise UserError(f"{url}: not a web address ({error}). Check scraping.fma.url in params.yaml.") from None
    if sha1_of(part) != sha1:
        part.unlink()
        _resume(client, url, part, sha1)


def _receive(response: httpx.Response, part: Path, have: int) -> None:
    _check_status(response)
    resumes = response.status_code == HTTPStatus.PARTIAL_CONTENT
    total = _announced_size(response, have)
    missing = total // MEGABYTE - (have // MEGABYTE if resumes else 0)
    with part.open("ab" if resumes else "wb") as file:
        for _ in progress_bar(_megabytes(response, file, total), f"{part.stem}, MB", total=missing):
            pass
    if _size(part) < total:
        raise _TransientError(f"only {_size(part)} of {total} bytes arrived")


def _megabytes(response: httpx.Response, file: BinaryIO, total: int) -> Iterator[int]:
    """Write a body, up to the announced size; yield at each megabyte."""
    for chunk in response.iter_raw():
        before = file.tell()
        file.write(chunk[: total - before])
        yield from range(before // MEGABYTE, file.tell() // MEGABYTE)
        if file.tell() >= total:
            return


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status in RETRY_STATUSES or response.is_server_error:
        asked_s = parse_retry_after(response.headers.get("Retry-After", ""))
        raise _TransientError(f"HTTP {status} {response.reason_phrase}", asked_s)
    if response.is_redirect:
        target = response.headers.get("Location", "an unnamed address")
        raise UserError(
            f"{response.url}: the file has moved to {target}. If you trust that address, change scraping.fma.url in "
            "params.yaml."
        )
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise UserError(
            f"{response.url}: HTTP {status} {response.reason_phrase}. Check scraping.fma.url in params.yaml."
        )


def _announced_size(response: httpx.Response, have: int) -> int:
    """Read the size of the complete file in bytes from the response."""
    if response.status_code == HTTPStatus.OK:
        announced = response.headers.get("Content-Length", "no size")
        match = re.fullmatch(r"(\d+)", announced)
    else:
        announced = response.headers.get("Content-Range", "no range")
        match = re.fullmatch(rf"bytes {have}-\d+/(\d+)", announced)
    if match is None:
        raise UserError(
            f"{response.url}: the server announced {announced}, not the range from byte {have} and the total size. "
            "Download the file by hand, and set scraping.folder in params.yaml to its folder."
        )
    return int(match[1])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def parse_retry_after(header: str) -> float | None:
    """Parse the header ``Retry-After``: seconds or a date (RFC 9110, section 10.2.3).

    Parameters
    ----------
    header : str
        Value of the header; empty if there is none.

    Returns
    -------
    float or None
        Seconds from now; None without a valid header.
    """
    try:
        return Retry().parse_retry_after(header)
    except InvalidHeader:
        return None
