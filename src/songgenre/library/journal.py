"""Journal of a library: what is known of each song, so that a later run predicts only new and changed ones."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from songgenre.audio import open_bytes
from songgenre.audio.tags import Tags
from songgenre.errors import UserError
from songgenre.library.jsonlines import JsonLines, Record

FORMAT = 1
JOURNAL, UNDO_LOG, LOCK = "journal.jsonl", "undo.jsonl", "lock"


class Stamp(NamedTuple):
    """State of a file; a file with the same stamp counts as unchanged.

    Parameters
    ----------
    size : int
        Bytes.
    mtime_ns : int
        Time of the last change in nanoseconds.
    """

    size: int
    mtime_ns: int


class Version(NamedTuple):
    """States of the file and of the model on which a prediction depends.

    Parameters
    ----------
    stamp : Stamp or None
        State of the file; None if it cannot be read.
    model_hash : str
        Hash of the model.
    """

    stamp: Stamp | None
    model_hash: str


class _Prediction(BaseModel):
    """Fields of a song with a prediction, besides its file and version."""

    model_config = ConfigDict(strict=True)

    genre: str
    probabilities: dict[str, float] = Field(min_length=1)
    unsure: bool
    outside: float | None
    is_outside: bool
    model: str
    tags: dict[str, float]
    file_tags: Tags


class _Entry(NamedTuple):
    version: Version
    offset: int


class Journal:
    """Journal of a library, of which the memory holds only the place of each song.

    Parameters
    ----------
    lines : JsonLines
        The file: a header, then a line for each song.
    """

    def __init__(self, lines: JsonLines) -> None:
        self._lines = lines
        self._entries = _index(lines)

    def is_current(self, file: str, version: Version) -> bool:
        """Tell whether a song was predicted in its present state by the present model.

        Parameters
        ----------
        file : str
            Path of the song in the library.
        version : Version
            Present state and model.

        Returns
        -------
        bool
            True if nothing has changed.
        """
        return file in self._entries and self._entries[file].version == version

    def stamp(self, file: str) -> Stamp | None:
        """Return the state in which a song was predicted.

        Parameters
        ----------
        file : str
            Path of the song in the library.

        Returns
        -------
        Stamp or None
            The state; None if it could not be read, or if the journal does not know the song.
        """
        return self._entries[file].version.stamp if file in self._entries else None

    def append(self, file: str, version: Version, answer: Record) -> None:
        """Append a song.

        Parameters
        ----------
        file : str
            Path of the song in the library.
        version : Version
            What the answer depends on.
        answer : mapping
            The prediction, see `songgenre.predict.formatting.as_record`, or the ``reason`` why there is none.
        """
        size, mtime_ns = version.stamp or (None, None)
        facts = {"file": file, "size": size, "mtime_ns": mtime_ns, "model_hash": version.model_hash}
        self._entries[file] = _Entry(version, self._lines.append({**facts, **answer, "file": file}))

    def retag(self, file: str, stamp: Stamp, genres: Sequence[str]) -> None:
        """Record that this program changed the genres in the tags of a file, so that its prediction stays valid.

        Parameters
        ----------
        file : str
            Path of a song that the journal knows.
        stamp : Stamp
            New state of the file.
        genres : sequence of str
            New genres.
        """
        answer = self.read(file)
        if "file_tags" in answer:
            answer["file_tags"]["genre"] = ";".join(genres) or None
        self.append(file, self._entries[file].version._replace(stamp=stamp), answer)

    def read(self, file: str) -> dict[str, Any]:
        """Read what is known of a song.

        Parameters
        ----------
        file : str
            Path of a song that the journal knows.

        Returns
        -------
        dict
            The prediction, or the ``reason`` why there is none; both with ``file``.
        """
        record = self._lines.read(self._entries[file].offset)
        return {name: value for name, value in record.items() if name not in ("size", "mtime_ns", "model_hash")}


def state_folder(library: Path) -> Path:
    """Name the folder in the user's state for the journal of a library.

    Parameters
    ----------
    library : Path
        Folder of music.

    Returns
    -------
    Path
        The folder, which need not exist.
    """
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return home / "songgenre" / hashlib.sha256(os.fsencode(library.resolve())).hexdigest()[:12]


@contextmanager
def open_journal(folder: Path, library: Path) -> Iterator[Journal]:
    """Open the journal of a library, for one process at a time.

    Parameters
    ----------
    folder : Path
        Folder of the journal; it is created if it is missing.
    library : Path
        Folder of music.

    Yields
    ------
    Journal
        The journal.

    Raises
    ------
    UserError
        If the folder cannot be created, another process uses it, or its journal is of another library or no file.
    """
    check_state(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be created ({error.strerror}). Name another folder with --journal."
        ) from None
    with _lock(folder / LOCK):
        lines = JsonLines(folder / JOURNAL)
        _check_header(lines, {"songgenre_journal": FORMAT, "library": str(library.resolve())})
        _compact(lines)
        yield Journal(lines)


def check_state(folder: Path) -> None:
    """Check that the journal, the undo log and the lock are regular files if they exist.

    Parameters
    ----------
    folder : Path
        Folder of the journal; it need not exist.

    Raises
    ------
    UserError
        If one of them is a folder, a pipe, a device or a link that leads nowhere.
    """
    for path in (folder / JOURNAL, folder / UNDO_LOG, folder / LOCK):
        if os.path.lexists(path) and not path.is_file():
            raise UserError(f"{path}: not a regular file. Remove it, or name another folder with --journal.")


def read_stamp(path: Path) -> Stamp:
    """Read the state of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Stamp
        Its state.

    Raises
    ------
    OSError
        If the file is missing, is not a regular file or is not readable.
    """
    with open_bytes(path) as file:
        state = os.fstat(file.fileno())
    return Stamp(state.st_size, state.st_mtime_ns)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{path.parent}: another `songgenre tag` uses this journal. Wait until it ends.") from None
        yield


def _check_header(lines: JsonLines, header: Record) -> None:
    first = next(iter(lines), None)
    if first is None:
        lines.rewrite(iter([header]))
    elif first.record is None or first.record.get("songgenre_journal") != FORMAT:
        raise UserError(f"{lines.path}: not a journal of this version. Name another folder with --journal.")
    elif first.record != header:
        library = first.record.get("library")
        raise UserError(f"{lines.path}: the journal of another library, {library}. Name another folder with --journal.")


def _compact(lines: JsonLines) -> None:
    """Remove torn lines and those that a later line of the same song replaces."""
    needed = {0, *(entry.offset for entry in _index(lines).values())}
    if any(line.offset not in needed for line in lines):
        lines.rewrite(line.record for line in lines if line.record and line.offset in needed)


def _index(lines: JsonLines) -> dict[str, _Entry]:
    """Find the last line of each song; one that is damaged is missing, so that its song is predicted again."""
    entries = {}
    for offset, record in lines:
        if record and isinstance(file := record.get("file"), str) and _is_answer(record):
            entries[file] = _Entry(_version(record), offset)
    return entries


def _is_answer(record: Record) -> bool:
    if "reason" in record:
        return isinstance(record["reason"], str)
    try:
        _Prediction.model_validate(record)
    except ValidationError:
        return False
    return True


def _version(record: Record) -> Version:
    size, mtime_ns = record.get("size"), record.get("mtime_ns")
    stamp = Stamp(size, mtime_ns) if isinstance(size, int) and isinstance(mtime_ns, int) else None
    return Version(stamp, str(record.get("model_hash")))
