"""Extract a recording from the schema.org markup of a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import lxml.etree
from extruct.jsonld import JsonLdExtractor
from extruct.w3cmicrodata import MicrodataExtractor

from songgenre.sources.base import MAX_TEXT_LENGTH

MAX_NAMES = 100
"""Largest number of artists or genres that are read."""
MAX_DEPTH = 8
"""Number of levels of nested items that are read."""


@dataclass(frozen=True)
class Recording:
    """A recording that a page describes.

    Parameters
    ----------
    audio_url : str
        Address of the audio; may be relative.
    title, artist, license : str or None
        Metadata; None if unknown.
    genres : tuple of str
        Genres in the markup.
    """

    audio_url: str
    title: str | None
    artist: str | None
    license: str | None
    genres: tuple[str, ...]


def parse_recording(document: lxml.etree._Element, url: str) -> Recording | None:
    """Find the recording that a page describes.

    Parameters
    ----------
    document : lxml element
        The parsed page.
    url : str
        Address of the page.

    Returns
    -------
    Recording or None
        The first `MusicRecording`_ with audio, otherwise the first `AudioObject`_, from JSON-LD, otherwise from
        microdata; None if there is none.

    .. _MusicRecording: https://schema.org/MusicRecording
    .. _AudioObject: https://schema.org/AudioObject
    """
    for items in (_json_ld(document), _microdata(document, url)):
        described = [item for top in items for item in _flatten(top)]
        audio_urls = [audio_url for item in described if (audio_url := _audio_url(item))]
        if not audio_urls:
            continue
        item = next((item for item in described if _is_a(item, "MusicRecording")), None)
        if item is None:
            item = next(item for item in described if _audio_url(item))
        return Recording(
            audio_url=_own_audio(item) or audio_urls[0],
            title=_name(item.get("name")),
            artist=_first(item, "byArtist", "creator", "author"),
            license=_name(item.get("license")),
            genres=tuple(islice(_names(item.get("genre")), MAX_NAMES)),
        )
    return None


def _json_ld(document: lxml.etree._Element) -> list[dict[str, Any]]:
    try:
        return [item for item in JsonLdExtractor().extract_items(document) if isinstance(item, dict)]
    except (ValueError, RecursionError):
        return []


def _microdata(document: lxml.etree._Element, url: str) -> list[dict[str, Any]]:
    try:
        items = MicrodataExtractor().extract_items(document, url)
    except (ValueError, RecursionError):
        return []
    return [_as_json_ld(item) for item in items]


def _as_json_ld(value: Any, depth: int = 0) -> Any:
    """Convert microdata to the form of JSON-LD.

    ``extruct.extract(uniform=True)`` leaves nested items without a type as they are, which would lose, for example, the
    name of such an artist.
    """
    if isinstance(value, list):
        return [_as_json_ld(each, depth) for each in value]
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        return value
    properties = {name: _as_json_ld(each, depth + 1) for name, each in value.get("properties", {}).items()}
    return {"@type": value.get("type"), **properties}


def _flatten(item: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield an item and all items that are nested in it."""
    if depth > MAX_DEPTH:
        return
    if isinstance(item, dict):
        if "@type" in item:
            yield item
        children: Any = item.values()
    else:
        children = item if isinstance(item, list) else ()
    for child in children:
        yield from _flatten(child, depth + 1)


def _is_a(item: dict[str, Any], name: str) -> bool:
    return any(type_.rpartition("/")[2] == name for type_ in _names(item.get("@type")))


def _audio_url(item: dict[str, Any]) -> str | None:
    return _name(item.get("contentUrl")) if _is_a(item, "AudioObject") else None


def _own_audio(item: dict[str, Any]) -> str | None:
    """Return the audio of a recording, which is an address or a nested item."""
    audio = item.get("audio")
    if isinstance(audio, str):
        return audio
    return next((audio_url for child in _flatten(item) if (audio_url := _audio_url(child))), None)


def _first(item: dict[str, Any], *properties: str) -> str | None:
    return next((name for each in properties if (name := ", ".join(islice(_names(item.get(each)), MAX_NAMES)))), None)


def _name(value: Any) -> str | None:
    return next(_names(value), None)


def _names(value: Any) -> Iterator[str]:
    """Yield the texts of a property, which may be a text, an item with a name, or a list of these."""
    if isinstance(value, str) and value.strip():
        yield value.strip()[: 10 * MAX_TEXT_LENGTH]
    elif isinstance(value, dict):
        yield from _names(value.get("name") or value.get("@value") or value.get("url") or value.get("@id"))
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)
