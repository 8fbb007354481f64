"""What to judge: files, folders, addresses and the standard input, each as a file on this machine."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from songgenre.audio import SUFFIXES
from songgenre.errors import UserError

MEGABYTE = 1_000_000
MAX_BYTES = 200 * MEGABYTE
"""Of a song from the web or the standard input."""
READ_TIMEOUT_S = 10.0
"""How long a server may stay silent."""
DOWNLOAD_TIMEOUT_S = 120.0
"""How long a download may take in all."""
CHUNK = 1 << 16
STANDARD_INPUT = "-"


class AudioInput(NamedTuple):
    """A file to judge.

    Parameters
    ----------
    name : str
        What the user calls it: a path, an address, or ``-``.
    path : Path
        Where it lies.
    """

    name: str
    path: Path

    @property
    def title(self) -> str:
        """The name, with a replacement for every character that would not print."""
        return "".join(letter if letter.isprintable() else "\ufffd" for letter in self.name)


def resolve(source: str, folder: Path) -> Iterator[AudioInput]:
    """The songs that a source names.

    Parameters
    ----------
    source : str
        A file; a folder, of which all audio files at any depth are taken, those whose names begin with a dot left out;
        an address that begins with ``http://`` or ``https://``; or ``-`` for the standard input.
    folder : Path
        Existing folder for what has to be written down first.

    Yields
    ------
    AudioInput

    Raises
    ------
    UserError
        If there is no such file, the folder holds no audio, or the address cannot be had.
    """
    if source == STANDARD_INPUT:
        path = folder / "standard input"
        with path.open("wb") as file:
            _copy(iter(lambda: sys.stdin.buffer.read(CHUNK), b""), file, "the standard input")
        yield AudioInput(source, path)
    elif source.lower().startswith(("http://", "https://")):
        path = folder / f"{len(list(folder.iterdir()))}"
        download(source, path)
        yield AudioInput(source, path)
    elif Path(source).is_dir():
        yield from _audio_files(Path(source))
    elif Path(source).exists():
        yield AudioInput(source, Path(source))
    else:
        raise UserError(f"Expected a file, a folder or a web address, but there is no {source}.")


def download(url: str, path: Path) -> None:
    """Download a song that is no larger, and takes no longer, than is sensible.

    Parameters
    ----------
    url : str
    path : Path
        Where to put it.

    Raises
    ------
    UserError
        If the server cannot be reached, refuses, sends a page instead of audio, or sends too much or too slowly.
    """
    import httpx

    deadline = time.monotonic() + DOWNLOAD_TIMEOUT_S
    try:
        with (
            httpx.Client(timeout=READ_TIMEOUT_S, follow_redirects=True, max_redirects=5) as client,
            client.stream("GET", url) as response,
            path.open("wb") as file,
        ):
            if response.is_error:
                raise UserError(
                    f"Expected a song at {url}, but the server answered {response.status_code} "
                    f"{response.reason_phrase}. Check the address."
                )
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind.startswith("text/") or kind == "application/xhtml+xml":
                raise UserError(
                    f"Expected a song at {url}, but it is a page ({kind}). Give the address of the audio file itself."
                )
            announced = response.headers.get("Content-Length", "")
            if announced.isdecimal() and int(announced) > MAX_BYTES:
                raise _too_large(url)
            _copy(_until(deadline, response.iter_bytes(CHUNK), url), file, url)
    except httpx.TimeoutException:
        raise UserError(
            f"Expected a song at {url}, but its server was silent for {READ_TIMEOUT_S:g} s. Try again."
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UserError(f"Expected a song at {url}, but it cannot be had: {error or type(error).__name__}.") from None


def _audio_files(folder: Path) -> Iterator[AudioInput]:
    from songgenre.audio import UNSUPPORTED_SUFFIXES

    paths = []
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [Path(where, name) for name in files if not name.startswith(".")]
    songs = sorted(path for path in paths if path.suffix.lower() in SUFFIXES | UNSUPPORTED_SUFFIXES)
    if not songs:
        raise UserError(
            f"Expected audio in {folder}, but no file in it has one of the endings {', '.join(sorted(SUFFIXES))}."
        )
    yield from (AudioInput(str(path), path) for path in songs)


def _until(deadline: float, chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise UserError(
                f"Expected {url} to come within {DOWNLOAD_TIMEOUT_S:g} s, but it takes longer. Fetch it by hand."
            )
        yield chunk


def _copy(chunks: Iterator[bytes], file: BinaryIO, what: str) -> None:
    for chunk in chunks:
        if file.tell() + len(chunk) > MAX_BYTES:
            raise _too_large(what)
        file.write(chunk)


def _too_large(what: str) -> UserError:
    return UserError(f"Expected at most {MAX_BYTES // MEGABYTE} MB from {what}, but it is larger. Is it a song?")
