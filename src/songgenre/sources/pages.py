"""Pages of a site, parsed in a process of their own with limits of time and memory.

libxml2 takes time that grows with the square of the attributes of a tag, so a small page can keep a parser busy for
hours; a parser that runs too long is killed, and only its page is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, NoReturn, TypeVar

from scrapy.http import HtmlResponse, TextResponse, XmlResponse
from scrapy.linkextractors import LinkExtractor
from scrapy.utils.response import get_base_url

from songgenre.compute import IsolatedProcesses
from songgenre.sources.schema_org import Recording, parse_feed, parse_recordings

Result = TypeVar("Result")

LIMIT_S = 10.0
"""Longest time to parse a page."""
MAX_MEMORY_BYTES = 1 << 30
"""Largest memory of the parser."""


class Page(NamedTuple):
    """A page as it was received.

    Parameters
    ----------
    url : str
        Address.
    body : bytes
        Content, decompressed.
    content_type : bytes
        Value of the header ``Content-Type``, which may name the encoding.
    is_feed : bool
        Whether it is XML, such as an RSS feed.
    """

    url: str
    body: bytes
    content_type: bytes
    is_feed: bool

    def response(self) -> TextResponse:
        """Make a response that can be parsed.

        Returns
        -------
        scrapy.http.TextResponse
            The page.
        """
        kind = XmlResponse if self.is_feed else HtmlResponse
        return kind(self.url, headers={"Content-Type": self.content_type}, body=self.body)


class Listing(NamedTuple):
    """Links on a page that lists songs.

    Parameters
    ----------
    songs : list of str
        Addresses of the pages of songs; a feed names its songs itself.
    following : list of str
        Addresses of the next page of the listing.
    """

    songs: list[str]
    following: list[str]


class Parser:
    """A process that parses pages, one after the other."""

    def __init__(self) -> None:
        self._processes = IsolatedProcesses(1)

    async def parse(self, function: Callable[[Page], Result], response: TextResponse) -> Result:
        """Apply a function to a page.

        Parameters
        ----------
        function : callable
            Picklable function of a `Page`.
        response : scrapy.http.TextResponse
            The page, HTML or XML.

        Returns
        -------
        object
            Result of the function.

        Raises
        ------
        Exception
            Any error of the function; ValueError if it takes longer than `LIMIT_S` or crashes.
        """
        content_type = response.headers.get("Content-Type") or b""
        page = Page(response.url, response.body, content_type, isinstance(response, XmlResponse))
        return await asyncio.to_thread(self._processes.run, function, page, _refuse, LIMIT_S)

    def close(self) -> None:
        """End the process."""
        self._processes.close()


def _refuse(page: Page, what: str) -> NoReturn:
    raise ValueError(f"the parser of {page.url} {what}")


def read_recordings(page: Page) -> list[Recording]:
    """Find the recordings that a page or a feed describes.

    Parameters
    ----------
    page : Page
        Page of a song or an album, or a feed.

    Returns
    -------
    list of Recording
        See `songgenre.sources.schema_org`.
    """
    _limit_memory()
    response = page.response()
    document = response.selector.root
    return parse_feed(document) if page.is_feed else parse_recordings(document, get_base_url(response))


def read_listing(page: Page, song_url_pattern: str, next_page_pattern: str) -> Listing:
    """Find the links of a listing.

    Parameters
    ----------
    page : Page
        Page of the listing.
    song_url_pattern, next_page_pattern : str
        See `songgenre.sources.website.CrawlConfig`.

    Returns
    -------
    Listing
        The links.
    """
    _limit_memory()
    if page.is_feed:
        return Listing([page.url], [])
    response = page.response()
    marked = [response.urljoin(url) for url in response.css("[rel~=next]::attr(href)").getall()]
    return Listing(_links(response, song_url_pattern), marked or _links(response, next_page_pattern))


def _links(response: TextResponse, pattern: str) -> list[str]:
    return [link.url for link in LinkExtractor(allow=pattern, deny_extensions=[]).extract_links(response)]


def _limit_memory() -> None:
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))
