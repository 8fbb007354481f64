"""Files with a JSON object on each line, to which a process appends until it is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from songgenre.atomic import replacing

Record = Mapping[str, Any]


class Line(NamedTuple):
    """A line of a file.

    Parameters
    ----------
    offset : int
        Number of bytes before the line.
    record : dict or None
        The object; None if the line is torn or is not an object.
    """

    offset: int
    record: dict[str, Any] | None


class JsonLines:
    """A file with a JSON object on each line. It need not exist.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Line]:
        """Read the lines, from the first to the last."""
        offset = 0
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            for line in file:
                yield Line(offset, _parse(line))
                offset += len(line)

    def read(self, offset: int) -> dict[str, Any]:
        """Read a line.

        Parameters
        ----------
        offset : int
            Number of bytes before the line.

        Returns
        -------
        dict
            The object.
        """
        with self.path.open("rb") as file:
            file.seek(offset)
            record: dict[str, Any] = json.loads(file.readline())
            return record

    def append(self, record: Record) -> int:
        """Append an object, and wait until it is on the disk.

        Parameters
        ----------
        record : mapping
            The object.

        Returns
        -------
        int
            Number of bytes before its line.
        """
        with self.path.open("a+b") as file:
            end = file.seek(0, os.SEEK_END)
            is_torn = end > 0 and not _ends_line(file.fileno(), end)
            file.write(b"\n" * is_torn + _line(record))
            file.flush()
            os.fsync(file.fileno())
        return end + is_torn

    def rewrite(self, records: Iterator[Record]) -> None:
        """Replace all lines at once.

        Parameters
        ----------
        records : iterator of mapping
            The objects.
        """
        with replacing(self.path) as partial, partial.open("wb") as file:
            file.writelines(map(_line, records))


def _line(record: Record) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _parse(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _ends_line(descriptor: int, end: int) -> bool:
    return os.pread(descriptor, 1, end - 1) == b"\n"
