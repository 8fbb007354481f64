"""Songs in a folder and below it, as the source ``folder`` and ``songgenre predict`` find them."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from songgenre.errors import UserError

LITTER = frozenset(
    {
        "$recycle.bin", "#recycle", "@eadir", "__macosx", "desktop.ini", "ehthumbs.db", "icon\r", "lost+found",
        "system volume information", "thumbs.db",
    }
)  # fmt: skip
"""Files and folders that systems leave behind, in lower case; so are all whose names begin with a dot."""

NOT_AUDIO = frozenset(
    {
        ".bmp", ".gif", ".heic", ".ico", ".jpeg", ".jpg", ".png", ".svg", ".tif", ".tiff", ".webp",
        ".asx", ".cue", ".m3u", ".m3u8", ".pls", ".wpl", ".xspf",
        ".css", ".csv", ".doc", ".docx", ".htm", ".html", ".json", ".lrc", ".md", ".nfo", ".pdf", ".rtf", ".tsv",
        ".txt", ".xml", ".yaml", ".yml",
        ".feather", ".h5", ".hdf5", ".jsonl", ".ndjson", ".npy", ".npz", ".ods", ".parquet", ".pickle", ".pkl",
        ".songgenre", ".sqlite", ".sqlite3", ".toml", ".torrent", ".xls", ".xlsx",
        ".accurip", ".db", ".ffp", ".ini", ".lnk", ".log", ".md5", ".sfv", ".sha1", ".sha256", ".url",
    }
)  # fmt: skip
"""Endings of the pictures, playlists, texts and data that lie beside songs."""


class FoundFiles(NamedTuple):
    """Files of a folder.

    Parameters
    ----------
    songs : list of Path
        Files that may be songs, whatever their endings, in the order of their paths.
    others : Counter
        Number of files with each ending of `NOT_AUDIO`.
    """

    songs: list[Path]
    others: Counter[str]

    def describe_others(self) -> str:
        """Count the files that are left out because of their endings.

        Returns
        -------
        str
            Such as ``pictures, playlists, texts and data are left out: 3 (.jpg 2, .txt 1)``; empty if there is none.
        """
        if not self.others:
            return ""
        counts = ", ".join(f"{ending} {number}" for ending, number in sorted(self.others.items()))
        return f"pictures, playlists, texts and data are left out: {self.others.total()} ({counts})"


def find_songs(folder: Path, on_error: Callable[[str], None] | None = None) -> FoundFiles:
    """Find the songs in a folder, at any depth.

    Links to folders are followed, but each folder is read only once, under its own path if it has one in `folder`, and
    a link to a folder that contains `folder` is not followed. Hidden files and those in `LITTER` are left out.

    Parameters
    ----------
    folder : Path
        Existing folder.
    on_error : callable, optional
        Called with the message of a folder that cannot be read, which is then left out.

    Returns
    -------
    FoundFiles
        Songs and the number of other files.

    Raises
    ------
    UserError
        If a folder cannot be read and there is no `on_error`.
    """
    home = folder.resolve()
    files: list[Path] = []
    read: set[tuple[int, int]] = set()
    folders, links = deque([folder]), deque[Path]()
    while folders or links:
        where = (folders or links).popleft()
        if os.path.islink(where) and where != folder and home.is_relative_to(where.resolve()):
            continue
        try:
            identity, entries = _read(where)
        except UserError as error:
            if on_error is None:
                raise
            on_error(str(error))
            continue
        if identity in read:
            continue
        read.add(identity)
        for entry in entries:
            path = where / entry.name
            if entry.is_symlink() and os.path.isdir(path):
                links.append(path)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(path)
            else:
                files.append(path)
    return FoundFiles(
        sorted(path for path in files if path.suffix.lower() not in NOT_AUDIO),
        Counter(suffix for path in files if (suffix := path.suffix.lower()) in NOT_AUDIO),
    )


def _read(folder: Path) -> tuple[tuple[int, int], list[os.DirEntry[str]]]:
    """Return what identifies a folder, and its visible entries in the order of their names."""
    try:
        state = folder.stat()
        with os.scandir(folder) as entries:
            visible = sorted(filter(_is_visible, entries), key=lambda entry: entry.name)
        return (state.st_dev, state.st_ino), visible
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}). Check the folder and its permissions.") from None


def _is_visible(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.name.lower() not in LITTER
