"""Inputs of a prediction: files, folders, web addresses and standard input, each as a local file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from songgenre.audio.tags import Tags, read_tags
from songgenre.errors import UserError
from songgenre.progress import echo
from songgenre.redaction import printable, redact
from songgenre.sources.files import find_songs

MEGABYTE = 1_000_000
MAX_BYTES = 200 * MEGABYTE
"""Largest song that is accepted from the web or from standard input."""
READ_TIMEOUT_S = 10.0
"""Longest time without data from a server."""
DOWNLOAD_TIMEOUT_S = 120.0
"""Longest time of a whole download."""
CHUNK = 1 << 16
STANDARD_INPUT = "-"


class AudioInput(NamedTuple):
    """An audio file to predict.

    Parameters
    ----------
    name : str
        Path, web address or ``-``, as the user gave it.
    path : Path
        The local file.
    tags : Tags
        Tags in the file; none until `with_tags` reads them.
    """

    name: str
    path: Path
    tags: Tags = Tags()

    @property
    def title(self) -> str:
        """The name, with a replacement character for each unprintable one."""
        return printable(self.name)

    @property
    def label(self) -> str:
        """The title, and the artist and title of the song in parentheses, if its tags name them."""
        known = ", ".join(filter(None, [self.tags.performer, self.tags.title]))
        return f"{self.title} ({printable(known)})" if known else self.title

    def with_tags(self) -> AudioInput:
        """Read the tags.

        Returns
        -------
        AudioInput
            The same song with its tags.
        """
        return self._replace(tags=read_tags(self.path))


def resolve(source: str, folder: Path) -> Iterator[AudioInput]:
    """Find the songs that a source names.

    Parameters
    ----------
    source : str
        A file; a folder, whose files are taken as `songgenre.sources.files.find_songs` finds them; an address that
        begins with ``http://`` or ``https://``; or ``-`` for standard input.
    folder : Path
        Existing folder for downloads and for standard input.

    Yields
    ------
    AudioInput
        A song; those of a folder come in the order of their paths.

    Raises
    ------
    UserError
        If the file does not exist, the folder contains no song, or the download fails.
    """
    if source == STANDARD_INPUT:
        if sys.stdin is None:
            raise UserError("the standard input: closed. Pipe a song into the command, or name a file.")
        path = folder / "standard input"
        if path.exists():
            raise UserError("-: named twice. The standard input can be read only once.")
        with path.open("wb") as file:
            while chunk := sys.stdin.buffer.read(CHUNK):
                _write(chunk, file, "the standard input")
        yield AudioInput(source, path)
    elif source.lower().startswith(("http://", "https://")):
        path = folder / f"{len(list(folder.iterdir()))}"
        download(source, path)
        yield AudioInput(redact(source), path)
    elif os.path.isdir(source):
        yield from _files_of(Path(source))
    elif os.path.exists(source):
        yield AudioInput(source, Path(source))
    else:
        raise UserError(f"{source or 'empty name'}: not found. Name an existing file or folder, or a web address.")


def download(url: str, path: Path) -> None:
    """Download a song, within `MAX_BYTES` and `DOWNLOAD_TIMEOUT_S`.

    Parameters
    ----------
    url : str
        Web address of the audio file.
    path : Path
        File to write.

    Raises
    ------
    UserError
        If a proxy is not usable, or the server cannot be reached, refuses, sends a page instead of audio, or sends too
        much or too slowly.
    """
    import httpx
    from anyio.from_thread import start_blocking_portal

    from songgenre.sources.download import check_proxies

    check_proxies()
    shown = redact(url)
    try:
        with start_blocking_portal() as portal:
            portal.call(_download, url, path)
    except TimeoutError:
        raise UserError(
            f"{shown}: the download takes longer than {DOWNLOAD_TIMEOUT_S:g} s. Download the file yourself."
        ) from None
    except httpx.TimeoutException:
        raise UserError(f"{shown}: the server sent nothing for {READ_TIMEOUT_S:g} s. Try again.") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ExceptionGroup) as error:
        reason = error.exceptions[0] if isinstance(error, ExceptionGroup) else error  # a group from a port above 65535
        raise UserError(f"{shown}: download failed ({reason or type(reason).__name__}). Check the address.") from None


async def _download(url: str, path: Path) -> None:
    import anyio

    with anyio.fail_after(DOWNLOAD_TIMEOUT_S):
        await _fetch(url, path)


async def _fetch(url: str, path: Path) -> None:
    import httpx

    from songgenre.sources.download import WITHOUT_PROXY

    shown = redact(url)
    async with (
        httpx.AsyncClient(
            timeout=READ_TIMEOUT_S, follow_redirects=True, max_redirects=5, mounts=WITHOUT_PROXY
        ) as client,
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
    ):
        if response.is_error:
            raise UserError(
                f"{shown}: the server answered {response.status_code} {response.reason_phrase}. Check the address."
            )
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind.startswith("text/") or kind == "application/xhtml+xml":
            raise UserError(f"{shown}: a page ({kind}), not a song. Give the address of the audio file itself.")
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and int(announced) > MAX_BYTES:
            raise _too_large(shown)
        with path.open("wb") as file:
            async for chunk in response.aiter_raw():
                _write(chunk, file, shown)


def _files_of(folder: Path) -> Iterator[AudioInput]:
    found = find_songs(folder)
    if others := found.describe_others():
        echo(f"{folder}: {others}")
    if not found.songs:
        raise UserError(f"{folder}: contains no song. Name a folder of songs.")
    yield from (AudioInput(str(path), path) for path in found.songs)


def _write(chunk: bytes, file: BinaryIO, what: str) -> None:
    if file.tell() + len(chunk) > MAX_BYTES:
        raise _too_large(what)
    file.write(chunk)


def _too_large(what: str) -> UserError:
    return UserError(f"{what}: larger than {MAX_BYTES // MEGABYTE} MB. Convert the song to mp3, or cut it.")
