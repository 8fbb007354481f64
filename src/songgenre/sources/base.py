"""Base class of the sources, and the tracks that they return."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SourceInfo:
    """Description of a source and of its terms.

    Parameters
    ----------
    name : str
        Short name, as in the column ``source`` of the catalogue.
    description : str
        One sentence.
    homepage : str
        Web address.
    citation : str
        Work to cite; empty if there is none.
    license : str
        Licence of the music, and of its metadata.
    terms : str
        What users must respect.
    checksums : mapping of str to str, optional
        Published SHA-1 of each file that the source offers.
    """

    name: str
    description: str
    homepage: str
    citation: str
    license: str
    terms: str
    checksums: Mapping[str, str] = field(default_factory=dict)

    def markdown(self) -> str:
        """Format the description as Markdown.

        Returns
        -------
        str
            A paragraph and a list.
        """
        fields = {"Licence": self.license, "Terms": self.terms, "To cite": self.citation}
        lines = [f"- {name}: {text}" for name, text in fields.items() if text]
        return "\n".join([f"**{self.name}** ({self.homepage}): {self.description}", "", *lines])


@dataclass(frozen=True)
class Track:
    """A song that a source lists.

    Parameters
    ----------
    source : str
        Name of the source, for example ``"folder"``.
    source_id : str
        Identifier of the song within the source.
    file : str or None
        Name of its audio in the folder of collected audio; None if it could not be collected.
    genres : tuple of str
        All genres under which the source lists the song; may be empty.
    title, artist, year, url, license : str, optional
        Metadata; None if unknown.
    collection : str, optional
        Part of the source to which the song belongs; the source itself by default.
    primary_genre : str, optional
        The one of several genres that the source marks as primary.
    split : {"train", "validation", "test"}, optional
        Official split, if the source has one.
    reason : str, optional
        Why there is no audio, one of `songgenre.tables.columns.REASONS`.
    detail : str, optional
        The same in a sentence.
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
    year: str | None = None

    @property
    def track_id(self) -> str:
        """Identifier of the song within the project."""
        return track_id(self.source, self.source_id)


class Source(ABC):
    """A source of music."""

    @property
    @abstractmethod
    def about(self) -> SourceInfo:
        """Description of the source and of its terms."""

    @abstractmethod
    def collect(self, audio: Path) -> list[Track]:
        """Put the audio of all songs into a folder.

        Parameters
        ----------
        audio : Path
            Existing folder.

        Returns
        -------
        list of Track
            All songs that the source lists; those without audio have a reason.
        """

    def genre_parents(self) -> dict[str, str | None]:
        """Return the tree of the source's genres.

        Returns
        -------
        dict
            From each genre to its parent, or to None if it has none; empty if the source has no tree.
        """
        return {}

    def page(self, source_id: str) -> str | None:
        """Return the page from which the metadata of a song was read.

        Parameters
        ----------
        source_id : str
            Identifier of the song within the source.

        Returns
        -------
        str or None
            HTML; None if the source has no pages or does not keep them.
        """
        return None

    def cleanup(self) -> None:  # noqa: B027
        """Remove the files with which an interrupted `collect` could be resumed."""


def track_id(source: str, source_id: str) -> str:
    """Make the identifier of a song within the project.

    Parameters
    ----------
    source : str
        Name of the source.
    source_id : str
        Identifier of the song within the source.

    Returns
    -------
    str
        Short, safe in file names, and the same on every machine.

    Examples
    --------
    >>> track_id("folder", "rock/song.mp3")
    'folder-810ed437bfd9'
    """
    return f"{source}-{hashlib.sha256(source_id.encode(errors='surrogateescape')).hexdigest()[:12]}"
