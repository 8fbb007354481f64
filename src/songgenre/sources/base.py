"""What every source is, and gives: songs, whose audio it has put into one folder."""

from __future__ import annotations

import hashlib
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAX_TEXT_LENGTH = 500
"""Characters of a title, a name or an address; what a page holds beyond is cut off."""


@dataclass(frozen=True)
class SourceInfo:
    """What to know, and to respect, of a source.

    Parameters
    ----------
    name, description, homepage : str
    citation : str
        The work to cite, in words; empty if there is none.
    license : str
        Under which the music, or its description, is given.
    terms : str
        What its user has to heed.
    checksums : mapping of str to str, optional
        The published SHA-1 of each file that it offers.
    """

    name: str
    description: str
    homepage: str
    citation: str
    license: str
    terms: str
    checksums: Mapping[str, str] = field(default_factory=dict)

    def markdown(self) -> str:
        """All that is known, as a paragraph and a list."""
        fields = {"Licence": self.license, "Terms": self.terms, "To cite": self.citation}
        lines = [f"- {name}: {text}" for name, text in fields.items() if text]
        return "\n".join([f"**{self.name}** ({self.homepage}): {self.description}", "", *lines])


@dataclass(frozen=True)
class Track:
    """A song that a source offered.

    Parameters
    ----------
    source : str
        Name of the source, for example ``"folder"``.
    source_id : str
        What the source calls the song; unique within the source.
    file : str or None
        Name of its audio in the folder of collected audio; None where that could not be had.
    genres : tuple of str
        All the genres under which the source files it; may be empty.
    title, artist, url, license : str, optional
        None where the source does not say.
    collection : str, optional
        The part of the source it belongs to; the source itself by default.
    primary_genre : str, optional
        The one of several genres that the source calls the main one.
    split : str, optional
        ``"train"``, ``"validation"`` or ``"test"`` where the source comes with a split of its own.
    reason, detail : str, optional
        Why there is no audio (one of `songgenre.tables.columns.REASONS`), in short and in full.
    """

    source: str
    source_id: str
    file: str | None
    genres: tuple[str, ...]
    title: str | None = None
    artist: str | None = None
    url: str | None = None
    license: str | None = None
    collection: str | None = None
    primary_genre: str | None = None
    split: str | None = None
    reason: str | None = None
    detail: str | None = None

    @property
    def track_id(self) -> str:
        """Name of the song within the project."""
        return track_id(self.source, self.source_id)


class Source(ABC):
    """Where music comes from."""

    @property
    @abstractmethod
    def about(self) -> SourceInfo:
        """What to know of it."""

    @abstractmethod
    def collect(self, audio: Path) -> list[Track]:
        """Put the audio of its songs into an existing folder, and say what is known of each."""

    def cleanup(self) -> None:  # noqa: B027
        """Remove what was kept for the case that `collect` is ended before its time, if anything was."""


def track_id(source: str, source_id: str) -> str:
    """Name of a song within the project: short, safe in file names, the same on every machine."""
    return f"{source}-{hashlib.sha256(source_id.encode(errors='surrogateescape')).hexdigest()[:12]}"


def sanitize_text(text: str | None) -> str | None:
    """Make a text that came from outside fit for a table and a page.

    Control characters and line breaks become spaces, halves of surrogate pairs the replacement character, and what
    is longer than `MAX_TEXT_LENGTH` is cut. None if nothing is left.
    """
    if text is None:
        return None
    categories = {"Cc": " ", "Zl": " ", "Zp": " ", "Cs": "\ufffd"}
    shown = "".join(categories.get(unicodedata.category(letter), letter) for letter in text[: 4 * MAX_TEXT_LENGTH])
    return " ".join(shown.split())[:MAX_TEXT_LENGTH] or None
