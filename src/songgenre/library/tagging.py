"""Genres in the tags of the songs of a library, with a log from which the old ones are restored."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from songgenre.errors import UserError
from songgenre.library.genre_tag import read_genres, write_genres
from songgenre.library.journal import Journal, Stamp, read_stamp
from songgenre.library.jsonlines import JsonLines, Record

FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""Errors that every further song would meet."""


class Change(NamedTuple):
    """Change of the genres in the tags of a file.

    Parameters
    ----------
    file : str
        Path of the song in the library.
    before, after : list of str
        Old and new genres.
    """

    file: str
    before: list[str]
    after: list[str]


class Tagger:
    """Changes the genres in the tags of a library.

    Parameters
    ----------
    library : Path
        Folder of music.
    journal : Journal
        Journal of the library, in which the predictions of changed files stay valid.
    undo_log : JsonLines
        File to which each change is appended before it is made.
    report : callable
        Called with each change, after it is made.
    fail : callable
        Called with the reason of each change that is not made.
    dry_run : bool
        Whether to report the changes without making them.
    """

    def __init__(
        self,
        library: Path,
        journal: Journal,
        undo_log: JsonLines,
        report: Callable[[Change], None],
        fail: Callable[[str], None],
        dry_run: bool,
    ) -> None:
        self._library = library
        self._journal = journal
        self._undo_log = undo_log
        self._report = report
        self._fail = fail
        self._dry_run = dry_run

    def write(self, file: str, genre: str) -> None:
        """Write the genre of a song, unless its tags name this genre alone.

        Parameters
        ----------
        file : str
            Path of the song in the library.
        genre : str
            The genre.
        """
        path = self._library / file
        if path.resolve() != self._library.resolve() / file:
            self._fail(f"{path}: a link, so its genre is not written. Tag the folder that contains the file itself.")
            return
        with self._failures(path):
            if read_stamp(path) != self._journal.stamp(file):
                raise UserError(
                    f"{path}: changed since it was predicted, so its genre is not written. Run the command again."
                )
            before = read_genres(path)
            if [name.casefold() for name in before] != [genre.casefold()]:
                self._make(Change(file, before, [genre]), self._undo_log.append)

    def undo(self) -> None:
        """Restore the old genres, and remove the restored changes from the log."""
        left = [change for change in _chain(self._undo_log) if not self._restore(change)]
        if not self._dry_run:
            self._undo_log.rewrite(change._asdict() for change in left)

    def _restore(self, change: Change) -> bool:
        """Undo a change; tell whether the old genres are there."""
        path = self._library / change.file
        with self._failures(path):
            present = read_genres(path)
            if present not in (change.before, change.after):
                raise UserError(f"{path}: its genre was changed since, so {_names(change.before)} is not restored.")
            if present != change.before:
                self._make(Change(change.file, present, change.before))
            return True
        return False

    def _make(self, change: Change, log: Callable[[Record], object] = lambda change: None) -> None:
        path = self._library / change.file
        is_predicted = read_stamp(path) == self._journal.stamp(change.file)

        def record(stamp: Stamp) -> None:
            log(change._asdict())
            if is_predicted:
                self._journal.retag(change.file, stamp, change.after)

        if not self._dry_run:
            write_genres(path, change.after, record)
        self._report(change)

    @contextmanager
    def _failures(self, path: Path) -> Iterator[None]:
        """Report an error of one song, and let pass one that every other song would meet."""
        try:
            yield
        except UserError as error:
            self._fail(str(error))
        except OSError as error:
            if error.errno in FATAL:
                raise
            self._fail(f"{path}: its genre is not written ({error.strerror}). Check the file and its permissions.")


def describe(change: Change) -> str:
    """Format a change.

    Parameters
    ----------
    change : Change
        The change.

    Returns
    -------
    str
        Such as ``Pop -> rock``.
    """
    return f"{_names(change.before)} -> {_names(change.after)}"


def _names(genres: Sequence[str]) -> str:
    return "; ".join(genres) or "no genre"


def _chain(undo_log: JsonLines) -> list[Change]:
    """Join the changes of each file; one that does not begin where the one before ended begins anew.

    A torn line is of a change that was not made.
    """
    changes: dict[str, Change] = {}
    for number, (_, record) in enumerate(undo_log, start=1):
        if record is None:
            continue
        if not _is_change(record):
            raise UserError(
                f"{undo_log.path}: line {number} is damaged, so no genre is restored. Remove the line to restore the "
                "others."
            )
        change = Change(**record)
        earlier = changes.get(change.file)
        joins = earlier is not None and earlier.after == change.before
        changes[change.file] = change._replace(before=earlier.before) if earlier and joins else change
    return list(changes.values())


def _is_change(record: Record) -> bool:
    """Tell whether a line names a file in the library and two lists of genres."""
    file, before, after = map(record.get, Change._fields)
    return (
        record.keys() == set(Change._fields)
        and isinstance(file, str)
        and "\0" not in file
        and not Path(file).is_absolute()
        and ".." not in Path(file).parts
        and all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in (before, after))
    )
