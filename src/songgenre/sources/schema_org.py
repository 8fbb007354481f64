"""Extract recordings from a page: schema.org as JSON-LD, microdata or RDFa, and Open Graph; or from an RSS feed."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import lxml.etree
from extruct.jsonld import JsonLdExtractor
from extruct.w3cmicrodata import MicrodataExtractor

from songgenre.text import MAX_TEXT_LENGTH

MAX_RECORDINGS = 1_000
"""Largest number of recordings that are read from a page."""
MAX_NAMES = 100
"""Largest number of artists or genres that are read."""
MAX_DEPTH = 8
"""Number of levels of nested items that are read."""

RECORDINGS = ("MusicRecording", "PodcastEpisode", "RadioEpisode")
COLLECTIONS = ("MusicAlbum", "MusicPlaylist", "MusicRelease", "PodcastSeries", "RadioSeries", "ItemList")
AUDIO_OBJECTS = ("AudioObject", "MediaObject")
AUDIO_PROPERTIES = ("audio", "associatedMedia", "encoding")

JSON_LD = re.compile(r"\s*application/ld\+json\s*(;|$)", re.IGNORECASE)
"""Type of a script, whatever its case and parameters."""
OPENING = re.compile(r"(\s|\ufeff|//|/\*|\*/|<!\[CDATA\[|<!--)*")
"""Comments and CDATA that hide a script from old browsers and XML parsers, and a byte order mark."""
CLOSING = " \t\r\n;/*->"
"""Characters that close these, but for the brackets."""
ENTITY = re.compile(r"&#?\w+;")
"""A character of HTML in a text; without its semicolon it may be a parameter of an address."""


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


class _Item(NamedTuple):
    """A typed item of the markup, and the album, playlist or series that lists it, if any."""

    properties: dict[str, Any]
    collection: dict[str, Any] | None


def parse_recordings(document: lxml.etree._Element, url: str) -> list[Recording]:
    """Find the recordings that a page describes.

    Parameters
    ----------
    document : lxml element
        The parsed page.
    url : str
        Address of the page.

    Returns
    -------
    list of Recording
        The page's `MusicRecording`_ or episode; otherwise those that its albums, playlists or series list; otherwise
        its first `AudioObject`_. JSON-LD is read before microdata, RDFa and Open Graph. Empty if no audio is named.

    .. _MusicRecording: https://schema.org/MusicRecording
    .. _AudioObject: https://schema.org/AudioObject
    """
    for read in (_json_ld, _microdata, _rdfa):
        items = [item for top in read(document, url) for item in _flatten(_without_vocabulary(top))]
        if recordings := _recordings(items):
            return recordings
    return _open_graph(document)


def parse_feed(feed: lxml.etree._Element) -> list[Recording]:
    """Find the recordings that are enclosed in an RSS feed.

    Parameters
    ----------
    feed : lxml element
        The parsed feed.

    Returns
    -------
    list of Recording
        The items with audio, in their order.
    """
    return list(islice(_enclosed(feed), MAX_RECORDINGS))


def _enclosed(feed: lxml.etree._Element) -> Iterator[Recording]:
    for item in feed.iterfind(".//item"):
        enclosures = [each for each in item.iterfind("enclosure") if each.get("type", "audio/").startswith("audio/")]
        audio_url = _name([each.get("url") for each in enclosures])
        if audio_url is None:
            continue
        artist, genres = (
            _texts(item, name) or _texts(item.getparent(), name) for name in ("author|creator", "category")
        )
        yield Recording(audio_url, _name(_texts(item, "title")), _name(artist), None, tuple(genres[:MAX_NAMES]))


def _texts(element: lxml.etree._Element, names: str) -> list[str]:
    """Read the children of an element of a feed, whatever their namespaces; iTunes names categories in attributes."""
    children = [
        child for child in element.iterchildren("{*}*") if lxml.etree.QName(child).localname in names.split("|")
    ]
    return [text for child in children if (text := (child.text or child.get("text") or "").strip())]


def _json_ld(document: lxml.etree._Element, url: str) -> Iterator[Any]:
    """Read the JSON-LD blocks of a page; one that cannot be read does not affect the others."""
    for script in document.iter("script"):
        if not JSON_LD.match(script.get("type") or ""):
            continue
        text = _unwrap(script.text or "")
        for spelling in (text, html.unescape(text)):
            block = lxml.etree.Element("script", type="application/ld+json")
            block.text = spelling
            try:
                items = JsonLdExtractor().extract_items(block)
            except (ValueError, RecursionError):
                continue
            yield from items
            break


def _unwrap(script: str) -> str:
    """Remove comments and CDATA around the content of a script."""
    opening = OPENING.match(script)
    assert opening
    content = script[opening.end() :].rstrip(CLOSING)
    return content.removesuffix("]]").rstrip(CLOSING) if "CDATA" in opening[0] else content


def _microdata(document: lxml.etree._Element, url: str) -> list[Any]:
    for audio in document.iter("audio"):
        source = audio.find("source[@src]")
        if "src" not in audio.attrib and source is not None:
            audio.set("src", source.get("src"))
    try:
        return [_as_json_ld(item) for item in MicrodataExtractor().extract_items(document, url)]
    except (ValueError, RecursionError):
        return []


def _rdfa(document: lxml.etree._Element, url: str) -> list[Any]:
    """Read RDFa Lite, which is microdata with attributes of other names."""
    document = deepcopy(document)
    for element in document.iter("*"):
        for microdata, rdfa in (("itemtype", "typeof"), ("itemprop", "property"), ("itemid", "resource")):
            element.attrib.pop(microdata, None)
            if rdfa in element.attrib:
                element.set(microdata, element.get(rdfa))
        element.attrib.pop("itemscope", None)
        if "itemtype" in element.attrib:
            element.set("itemscope", "")
    return _microdata(document, url)


def _open_graph(document: lxml.etree._Element) -> list[Recording]:
    properties: dict[str, str] = {}
    for meta in document.iter("meta"):
        properties.setdefault(meta.get("property") or meta.get("name") or "", meta.get("content") or "")
    audio_url = _name([properties.get(f"og:audio{suffix}") for suffix in (":secure_url", ":url", "")])
    if audio_url is None:
        return []
    artist = _name([properties.get(name) for name in ("music:musician_description", "og:audio:artist")])
    title = _name([properties.get(name) for name in ("og:audio:title", "og:title")])
    return [Recording(audio_url, title, artist, None, ())]


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
    keywords = {f"@{name}": value[name] for name in ("type", "id") if name in value}
    return keywords | properties


def _without_vocabulary(value: Any, depth: int = 0) -> Any:
    """Shorten the names of all properties."""
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_without_vocabulary(each, depth + 1) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name if name.startswith("@") else _local(name): _without_vocabulary(each, depth + 1)
        for name, each in value.items()
    }


def _flatten(value: Any, collection: dict[str, Any] | None = None, depth: int = 0) -> Iterator[_Item]:
    """Yield an item and all items that are nested in it."""
    if depth > MAX_DEPTH:
        return
    children: Any = value if isinstance(value, list) else ()
    if isinstance(value, dict):
        if "@type" in value:
            yield _Item(value, collection)
        if _is_a(value, *COLLECTIONS):
            collection = (collection or {}) | value
        children = value.values()
    for child in children:
        yield from _flatten(child, collection, depth + 1)


def _local(name: str) -> str:
    """Remove the vocabulary from a name, such as ``schema:name`` or ``https://schema.org/name``."""
    return re.split("[/#:]", name)[-1]


def _is_a(item: dict[str, Any], *types: str) -> bool:
    return any(_local(type_) in types for type_ in _names(item.get("@type")))


def _recordings(items: list[_Item]) -> list[Recording]:
    """List the recordings that items of a page describe."""
    by_id = {item.properties["@id"]: item.properties for item in items if isinstance(item.properties.get("@id"), str)}
    described = [item for item in items if _is_a(item.properties, *RECORDINGS)]
    alone = [item for item in described if item.collection is None]
    if not alone:
        listed: dict[str, _Item] = {}
        for item in described:
            if audio_url := _own_audio(item.properties, by_id):
                listed.setdefault(audio_url, item)
        if listed:
            return [_recording(item, url, by_id) for url, item in islice(listed.items(), MAX_RECORDINGS)]
    for item in alone:
        if audio_url := _own_audio(item.properties, by_id):
            return [_recording(item, audio_url, by_id)]
    for item in items:
        if audio_url := _audio_url(item.properties):
            return [_recording(alone[0] if alone else item, audio_url, by_id)]
    return []


def _recording(item: _Item, audio_url: str, by_id: dict[str, dict[str, Any]]) -> Recording:
    """Describe a recording; what it does not tell is that of its album, playlist or series."""
    own, shared = item.properties, item.collection or {}
    return Recording(
        audio_url,
        title=_name(own.get("name")),
        artist=_artist(own, by_id) or _artist(shared, by_id),
        license=_name(own.get("license")) or _name(shared.get("license")),
        genres=tuple(islice(_names(own.get("genre") or shared.get("genre")), MAX_NAMES)),
    )


def _own_audio(item: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> str | None:
    """Return the audio of a recording: an address, an item, or a list of these."""
    for name in AUDIO_PROPERTIES:
        for audio in _referenced(item.get(name), by_id):
            if audio_url := _name(audio) if isinstance(audio, str) else _audio_url({"@type": "AudioObject"} | audio):
                return audio_url
    return None


def _audio_url(item: dict[str, Any]) -> str | None:
    if not _is_a(item, *AUDIO_OBJECTS):
        return None
    return _name([item.get(name) for name in ("contentUrl", "url", "embedUrl")])


def _artist(item: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> str | None:
    for name in ("byArtist", "creator", "author"):
        if names := list(islice(_names(_referenced(item.get(name), by_id)), MAX_NAMES)):
            return ", ".join(names)
    return None


def _referenced(value: Any, by_id: dict[str, dict[str, Any]]) -> list[Any]:
    """List the values of a property, with the items to which they refer by ``@id``."""
    values = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, (str, dict))]
    return [by_id.get(str(each.get("@id")), each) if isinstance(each, dict) else each for each in values]


def _name(value: Any) -> str | None:
    return next(_names(value), None)


def _names(value: Any) -> Iterator[str]:
    """Yield the texts of a property, which may be a text, an item with a name, or a list of these."""
    if isinstance(value, str) and value.strip():
        yield ENTITY.sub(lambda entity: html.unescape(entity[0]), value.strip()[: 10 * MAX_TEXT_LENGTH])
    elif isinstance(value, dict):
        yield from _names(value.get("name") or value.get("@value") or value.get("url") or value.get("@id"))
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)
