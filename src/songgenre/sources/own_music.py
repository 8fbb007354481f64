"""The user's folder of music as an input of the pipeline: named in ``params.yaml``, watched by a fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.params import Scraping, write_section
from songgenre.paths import Project
from songgenre.sources.files import find_songs


def set_folder(project: Project, folder: Path) -> None:
    """Make a folder of music the source of the pipeline, in ``params.yaml``; comments stay.

    Parameters
    ----------
    project : Project
        The project.
    folder : Path
        Folder of music.

    Raises
    ------
    UserError
        If it is not a folder, is in the project, where stages would remove it, or has a name that is not Unicode.
    """
    folder = Path(os.path.realpath(os.path.expanduser(folder)))
    if not os.path.isdir(folder):
        what = "a file, not a folder" if os.path.exists(folder) else "no such folder, or not accessible"
        raise UserError(f"{folder}: {what}. Name your folder of music.")
    check_place(project, folder)
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise UserError(f"{str(folder)!r}: the name is not Unicode, as params.yaml is. Rename the folder.") from None
    write_section(project.params, "scraping", {"source": "folder", "folder": str(folder)})


def check_place(project: Project, folder: Path) -> None:
    """Refuse a folder that stages would empty.

    Parameters
    ----------
    project : Project
        The project.
    folder : Path
        Folder of music.

    Raises
    ------
    UserError
        If the folder is in ``data``, ``models``, ``reports`` or ``scratch`` of the project, or contains the project.
    """
    folder = folder.resolve()
    written = (project.raw.parent, project.root / "models", project.reports, project.scratch)
    if project.root.is_relative_to(folder) or any(folder.is_relative_to(place.resolve()) for place in written):
        raise UserError(
            f"{folder}: in or above the folders of this project, whose files the stages replace. Move your music to "
            "another place."
        )


def check_source(project: Project, scraping: Scraping) -> None:
    """Refuse a ``scraping.folder`` that stages would empty, whatever the source, and outputs that lie behind a link.

    Parameters
    ----------
    project : Project
        The project.
    scraping : Scraping
        Section of ``params.yaml``.

    Raises
    ------
    UserError
        See `check_place`; or if ``data/raw/audio`` or ``data/pretrained`` leads to another place.
    """
    for output in (project.audio, project.pretrained):
        place = output.resolve()
        if place != project.root.resolve() / output.relative_to(project.root):
            raise UserError(
                f"{output}: leads through a link to {place}, whose files the stages would replace. Remove the link; "
                "scraping.folder in params.yaml names a folder of music."
            )
    if scraping.folder:
        check_place(project, project.root / os.path.expanduser(scraping.folder))


def update_fingerprint(project: Project, scraping: Scraping) -> None:
    """Write the fingerprint of the user's folder, on which the stage ``scraping`` depends, if the folder has changed.

    Only names, sizes and times are read, so that this takes seconds also for many songs.

    Parameters
    ----------
    project : Project
        The project.
    scraping : Scraping
        Section of ``params.yaml``; a source other than ``folder`` has an empty fingerprint.

    Raises
    ------
    UserError
        If the folder is one that stages would empty, or cannot be read.
    """
    check_source(project, scraping)
    content = {}
    if scraping.source == "folder":
        folder = project.root / os.path.expanduser(scraping.folder)
        content = _fingerprint(folder) if os.path.isdir(folder) else {}
    text = json.dumps(content) + "\n"
    if not project.fingerprint.is_file() or project.fingerprint.read_text() != text:
        with replacing(project.fingerprint) as partial:
            partial.write_text(text)


def _fingerprint(folder: Path) -> dict[str, int | str]:
    files = list(_watched(folder))
    sha256 = hashlib.sha256()
    for path in files:
        line = f"{path.relative_to(folder)}\0{_size_and_time(path)}\n"
        sha256.update(line.encode(errors="surrogateescape"))
    return {"files": len(files), "sha256": sha256.hexdigest()}


def _size_and_time(path: Path) -> str:
    """Read size and time of a file, or of a link that leads nowhere; empty for what is not accessible."""
    for follow in (True, False):
        with suppress(OSError):
            state = path.stat(follow_symlinks=follow)
            return f"{state.st_size}\0{state.st_mtime_ns}"
    return ""


def _watched(folder: Path) -> Iterator[Path]:
    """Yield the songs, and the tables and lists beside the genre folders."""
    yield from find_songs(folder).songs
    yield from sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in (".csv", ".txt"))
