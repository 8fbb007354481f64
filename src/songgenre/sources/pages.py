"""Pages of a site, parsed in a process of their own with limits of time and memory.

libxml2 takes time that grows with the square of the attributes of a tag, so a small page can keep a parser busy for
hours; a parser that runs too long is killed, and only its page is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, NoReturn, TypeVar

from scrapy.http import HtmlResponse
from scrapy.linkextractors import LinkExtractor

from songgenre.compute import IsolatedProcesses
from songgenre.sources.schema_org import Recording, parse_recording

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
    """

    url: str
    body: bytes
    content_type: bytes

    def response(self) -> HtmlResponse:
        """Make a response that can be parsed.

        Returns
        -------
        scrapy.http.HtmlResponse
            The page.
        """
        return HtmlResponse(self.url, headers={"Content-Type": self.content_type}, body=self.body)


class Listing(NamedTuple):
    """Links on a page that lists songs.

    Parameters
    ----------
    songs : list of str
        Addresses of the pages of songs.
    following : list of str
        Addresses of the next page of the listing.
    """

    songs: list[str]
    following: list[str]


class Parser:
    """A process that parses pages, one after the other."""

    def __init__(self) -> None:
        self._processes = IsolatedProcesses(1)

    async def parse(self, function: Callable[[Page], Result], response: HtmlResponse) -> Result:
        """Apply a function to a page.

        Parameters
        ----------
        function : callable
            Picklable function of a `Page`.
        response : scrapy.http.HtmlResponse
            The page.

        Returns
        -------
        object
            Result of the function.

        Raises
        ------
        Exception
            Any error of the function; ValueError if it takes longer than `LIMIT_S` or crashes.
        """
        page = Page(response.url, response.body, response.headers.get("Content-Type") or b"")
        return await asyncio.to_thread(self._processes.run, function, page, _refuse, LIMIT_S)

    def close(self) -> None:
        """End the process."""
        self._processes.close()


def _refuse(page: Page, what: str) -> NoReturn:
    raise ValueError(f"the parser of {page.url} {what}")


def read_recording(page: Page) -> Recording | None:
    """Find the recording that a page describes.

    Parameters
    ----------
    page : Page
        Page of a song.

    Returns
    -------
    Recording or None
        See `songgenre.sources.schema_org.parse_recording`.
    """
    _limit_memory()
    return parse_recording(page.response().selector.root, page.url)


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
    response = page.response()
    marked = [response.urljoin(url) for url in response.css("[rel~=next]::attr(href)").getall()]
    return Listing(_links(response, song_url_pattern), marked or _links(response, next_page_pattern))


def _links(response: HtmlResponse, pattern: str) -> list[str]:
    return [link.url for link in LinkExtractor(allow=pattern, deny_extensions=[]).extract_links(response)]


def _limit_memory() -> None:
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))
