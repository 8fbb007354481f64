"""Crawler process: read listings, song pages and audio. It can be killed at any time and resumes.

The process reads its `CrawlConfig` as a line of JSON from standard input, and ends when standard input is closed, that
is when its parent process has ended. On standard output it writes a line of JSON for the number of pages, for each
finished page, and for an error that stops it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from scrapy import Request, Spider
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.exceptions import (
    CannotResolveHostError,
    CloseSpider,
    DownloadCancelledError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
)
from scrapy.http import HtmlResponse, Response, XmlResponse
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from songgenre.atomic import replacing
from songgenre.audio import SUFFIXES
from songgenre.sources import middlewares, pages, schema_org
from songgenre.sources.base import Track, track_id
from songgenre.sources.website import CrawlConfig

USER_AGENT = f"songgenre/{version('song-genre-classification')} (research on music genres; obeys robots.txt)"

MAX_PAGE_BYTES = 5_000_000
"""Largest page in bytes."""
MAX_ROBOTS_BYTES = 512_000
"""Largest robots.txt in bytes; RFC 9309 asks for no more. Requests of pages and audio have their own limits."""
MAX_PAGES = 10_000
"""Largest number of pages of a listing."""
LOCK_TIMEOUT_S = 20


@dataclass
class ListedTrack:
    """A song in the listings.

    Parameters
    ----------
    place : int
        Position of the song's page in the order of the listings.
    page : str
        Address of the song's page.
    genres : list of str
        Genres whose listings link to the page.
    number : int
        Position on the page, which may be that of an album.
    """

    place: int
    page: str
    genres: list[str] = field(default_factory=list)
    number: int = 0

    @property
    def order(self) -> tuple[int, int]:
        """Position in the order of the listings and of the pages."""
        return self.place, self.number


class CrawlError(Exception):
    """Nothing can be collected; the message is for the user."""


class SongSpider(Spider):
    """Read all listings, then the page and the audio of each song, in the order of the listings.

    Parameters
    ----------
    task : CrawlConfig
        What to crawl.
    """

    name = "songs"

    def __init__(self, task: CrawlConfig) -> None:
        super().__init__()
        self.task = task
        self.origin = _origin(next(iter(task.listing_urls.values()))[0])
        self.audio = Path(task.folder)
        self.journaled = _journal(task.journal)
        self.journal = task.journal.open("a", encoding="utf-8")
        self.journal.write("\n")  # ends the line that was being written when an earlier crawl was killed
        self.songs: dict[tuple[int, int], Track] = {}
        self.bytes: dict[tuple[int, int], int] = {}
        self.total_bytes = 0
        self.total = 0
        self.fatal_error: str | None = None
        self.parser = pages.Parser()
        self.read_listing = partial(
            pages.read_listing, song_url_pattern=task.song_url_pattern, next_page_pattern=task.next_page_pattern
        )

    async def start(self) -> AsyncIterator[Request]:
        """Request the page of every song that an earlier crawl has not finished.

        Yields
        ------
        scrapy.Request
            Request of a page.
        """
        try:
            listed = await self._read_listings()
        except CrawlError as error:
            self.fatal_error = str(error)
            return
        self.total = len(listed)
        say({"total": self.total})
        for song in listed:
            journaled = self.journaled.get(song.page, [])
            if journaled and all(track.reason or (self.audio / str(track.file)).is_file() for track in journaled):
                for number, track in enumerate(journaled):
                    self._done(replace(song, number=number), track)
            else:
                yield Request(
                    song.page,
                    callback=self.read_song,
                    errback=self.refuse,
                    dont_filter=True,
                    cb_kwargs={"listed": song},
                    meta={"download_maxsize": MAX_PAGE_BYTES},
                )

    async def _read_listings(self) -> list[ListedTrack]:
        songs: dict[str, ListedTrack] = {}
        for genre, urls in self.task.listing_urls.items():
            for page in await self._pages_of(genre, urls):
                song = songs.setdefault(page, ListedTrack(len(songs), page))
                song.genres.append(genre)
        return list(songs.values())

    async def _pages_of(self, genre: str, urls: list[str]) -> list[str]:
        """List the song pages that the listings of a genre link to, at most ``max_songs_per_genre``."""
        found: dict[str, None] = {}
        for first in urls:
            url: str | None = first
            read: set[str] = set()
            while url and len(read) < MAX_PAGES and len(found) < self.task.max_songs_per_genre:
                read.add(url)
                listing = await self._listing(url, genre, is_first=url == first)
                links = listing.songs if listing else []
                if url == first and not links:
                    raise CrawlError(
                        f"{url}: no link on this listing of {genre} matches {self.task.song_url_pattern}. "
                        "Check scraping.site.song_url_pattern in params.yaml."
                    )
                is_new = not found.keys() >= set(links)
                following = listing.following if listing and is_new else []
                url = next((page for page in following if page not in read), None)
                found |= dict.fromkeys(links)
        return list(found)[: self.task.max_songs_per_genre]

    async def _listing(self, url: str, genre: str, is_first: bool) -> pages.Listing | None:
        request = Request(url, meta={"download_maxsize": MAX_PAGE_BYTES}, dont_filter=True)
        try:
            response = await self.crawler.engine.download_async(request)
            if response.status == 200 and isinstance(response, (HtmlResponse, XmlResponse)):
                return await self.parser.parse(self.read_listing, response)
            why = "not an HTML page or a feed" if response.status == 200 else f"HTTP {response.status}"
        except Exception as error:
            why = _explain(error, request)[1]
        if is_first:
            raise CrawlError(f"{url}: the listing of {genre} cannot be read ({why}). Check scraping.site.listing_urls.")
        say({"note": f"{url}: cannot be read ({why}); the listing of {genre} ends before this page."})
        return None

    async def read_song(self, response: Response, listed: ListedTrack) -> AsyncIterator[Request]:
        """Read the markup of a page, and request the audio of its recordings.

        Parameters
        ----------
        response : scrapy.http.Response
            The page of a song or an album, or a feed.
        listed : ListedTrack
            The song in the listings.

        Yields
        ------
        scrapy.Request
            Request of each audio that the markup names.
        """
        recordings = []
        if isinstance(response, (HtmlResponse, XmlResponse)) and response.body:
            try:
                recordings = await self.parser.parse(pages.read_recordings, response)
            except Exception as error:  # whatever a page causes concerns one page
                self._refuse(listed, ("unreadable", f"the page cannot be read: {error}"))
                return
        if not recordings:
            missing = f"{response.url} has no schema.org MusicRecording or AudioObject with audio"
            self._refuse(listed, ("unreadable", missing))
            return
        on_page = [replace(listed, number=number) for number in range(len(recordings))]
        requests = [self._request(*each, response) for each in zip(on_page, recordings, strict=True)]
        if any(requests):
            for song, request in zip(on_page, requests, strict=True):
                track = request.cb_kwargs["song"] if request else self.songs[song.order]
                print(json.dumps(asdict(track)), file=self.journal)
            self.journal.flush()
        for request in filter(None, requests):
            yield request

    def _request(self, listed: ListedTrack, recording: schema_org.Recording, page: Response) -> Request | None:
        """Request the audio of a recording, unless its address is not valid or it is over the limit."""
        try:
            url = page.urljoin(recording.audio_url)
            song = self._song(listed, recording, url)
            request = Request(
                url,
                callback=self.keep_audio,
                errback=self.refuse,
                priority=1,
                dont_filter=True,
                cb_kwargs={"listed": listed, "song": song},
                meta={"download_maxsize": self.task.max_file_bytes},
            )
        except ValueError as error:
            self._refuse(listed, ("unreadable", f"the address of the audio is not valid: {error}"))
            return None
        if limit := self._limit_before(listed):
            self._refuse(listed, ("over_limit", limit), song)
            return None
        return request

    def _song(self, listed: ListedTrack, recording: schema_org.Recording, audio_url: str) -> Track:
        source_id = self._source_id(listed)
        suffix = PurePosixPath(urlsplit(audio_url).path).suffix.lower()
        return Track(
            source=self.task.name,
            source_id=source_id,
            file=track_id(self.task.name, source_id) + (suffix if suffix in SUFFIXES else ".audio"),
            genres=(),
            title=recording.title,
            artist=recording.artist,
            url=listed.page,
            license=recording.license,
            primary_genre=_first_of(recording.genres, self.task.listing_urls),
        )

    def keep_audio(self, response: Response, listed: ListedTrack, song: Track) -> None:
        """Write the audio of a song.

        Parameters
        ----------
        response : scrapy.http.Response
            The audio.
        listed : ListedTrack
            The song in the listings.
        song : Track
            Its metadata.

        Raises
        ------
        scrapy.exceptions.CloseSpider
            If the file cannot be written.
        """
        partial = self.audio / f".{song.file}.partial"
        try:
            partial.write_bytes(response.body)
            partial.replace(self.audio / str(song.file))
        except OSError as error:
            self.fatal_error = f"{self.audio}: the audio of {listed.page} cannot be written ({error})."
            raise CloseSpider("cannot write") from None
        self._done(listed, song)

    def refuse(self, failure: Failure) -> None:
        """Record why a page or audio could not be collected.

        Parameters
        ----------
        failure : twisted.python.failure.Failure
            Failure of the request.
        """
        request: Request = failure.request  # type: ignore[attr-defined]
        self._refuse(**request.cb_kwargs, why=_explain(failure.value, request))

    def _done(self, listed: ListedTrack, song: Track) -> None:
        self.songs[listed.order] = replace(song, genres=tuple(listed.genres))
        self.bytes[listed.order] = (self.audio / song.file).stat().st_size if song.file else 0
        self.total_bytes += self.bytes[listed.order]
        if listed.number == 0:
            say({"done": song.source_id})

    def _refuse(self, listed: ListedTrack, why: tuple[str, str], song: Track | None = None) -> None:
        song = song or Track(self.task.name, self._source_id(listed), None, (), url=listed.page)
        reason, detail = why
        self._done(listed, replace(song, file=None, reason=reason, detail=detail))

    def _limit_before(self, listed: ListedTrack) -> str | None:
        """Name the limit that the songs before this one already reach."""
        n_most = len(self.songs) + listed.number
        if self.total_bytes < self.task.max_total_bytes and n_most < self.task.max_songs_per_genre:
            return None
        earlier = [order for order in self.songs if order < listed.order]
        counts = Counter(genre for order in earlier if self.songs[order].file for genre in self.songs[order].genres)
        counts.update(listed.genres * listed.number)  # those before it on its page, which have just been requested
        return self._limit(listed.genres, counts, sum(self.bytes[order] for order in earlier))

    def _limit(self, genres: Iterable[str], counts: Counter[str], n_bytes: int) -> str | None:
        """Name the limit that songs reach of which there are so many of each genre, with so many bytes."""
        if n_bytes >= self.task.max_total_bytes:
            return f"comes after the first {self.task.max_total_bytes / 1e6:g} MB"
        if all(counts[genre] >= self.task.max_songs_per_genre for genre in genres):
            return f"comes after the first {self.task.max_songs_per_genre} songs of its genre"
        return None

    def _source_id(self, listed: ListedTrack) -> str:
        return listed.page.removeprefix(self.origin) + (f"#{listed.number + 1}" if listed.number else "")

    def collected(self) -> list[Track]:
        """List all songs in the order of the listings.

        Returns
        -------
        list of Track
            Songs beyond the limits of songs and bytes, and those that failed, have a reason and no audio.
        """
        songs: list[Track] = []
        counts: Counter[str] = Counter()
        n_bytes = 0
        for order, song in sorted(self.songs.items()):
            limit = self._limit(song.genres, counts, n_bytes) if song.file else None
            songs.append(replace(song, file=None, reason="over_limit", detail=limit) if limit else song)
            counts.update(song.genres if songs[-1].file else ())
            n_bytes += self.bytes[order]
        return songs


def _origin(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}"


def _first_of(genres: tuple[str, ...], listed: Iterable[str]) -> str | None:
    """Return the first genre of a page that is also a genre of the listings, in their spelling."""
    spelling = {genre.casefold(): genre for genre in listed}
    return next((spelling[genre.casefold()] for genre in genres if genre.casefold() in spelling), None)


def _explain(error: BaseException | None, request: Request) -> tuple[str, str]:
    """Return reason and detail of a failed request for the exclusion log."""
    largest = f"larger than {request.meta['download_maxsize'] / 1e6:g} MB; see scraping.crawl.max_file_mb"
    match error:
        case HttpError():
            return "unreadable", f"HTTP {error.response.status} at {error.response.url}"
        case DownloadCancelledError():
            return "unreadable", largest
        case IgnoreRequest() if "DOWNLOAD_MAXSIZE" in str(error):
            return "unreadable", f"decompressed {largest}"
        case ResponseDataLossError():
            return "truncated", "the connection ended before the announced length"
        case CannotResolveHostError():
            return "unreadable", f"the name of the host has no public address ({error})"
        case DownloadTimeoutError():
            return (
                "unreadable",
                f"no complete response within {request.meta['download_timeout']:g} s; see scraping.crawl.timeout_s",
            )
        case IgnoreRequest():
            return "unreadable", str(error) or "refused"
    return "unreadable", str(error) or type(error).__name__


def _journal(path: Path) -> dict[str, list[Track]]:
    """Read the songs of each page in the journal of an earlier crawl, without a line that is incomplete."""
    songs: dict[str, dict[str, Track]] = defaultdict(dict)
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            song = Track(**json.loads(line))
        except ValueError:
            continue
        songs[str(song.url)][song.source_id] = song
    return {page: list(on_page.values()) for page, on_page in songs.items()}


def say(message: dict[str, Any]) -> None:
    """Send a message to the parent process.

    Parameters
    ----------
    message : dict
        Content, written as a line of JSON.
    """
    print(json.dumps(message), flush=True)


def settings(task: CrawlConfig) -> dict[str, Any]:
    """Make the settings of Scrapy.

    Parameters
    ----------
    task : CrawlConfig
        What to crawl.

    Returns
    -------
    dict
        Settings by name.
    """
    return {
        "USER_AGENT": USER_AGENT,
        "ROBOTSTXT_OBEY": True,
        "SITE_HOSTS": [
            *{middlewares.netloc(url) for urls in task.listing_urls.values() for url in urls},
            *task.audio_hosts,
        ],
        "CONCURRENT_REQUESTS": task.concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": task.concurrency,
        "DOWNLOAD_DELAY": 0,
        "AUTOTHROTTLE_ENABLED": task.autothrottle,
        "AUTOTHROTTLE_START_DELAY": 1,
        "DOWNLOAD_TIMEOUT": task.timeout_s,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_MAXSIZE": MAX_ROBOTS_BYTES,
        "RETRY_TIMES": task.retries,
        "DNS_RESOLVER": middlewares.PublicResolver,
        "DOWNLOADER_MIDDLEWARES": {
            middlewares.AllowedHostsMiddleware: 50,
            middlewares.RobotsMiddleware: 100,
            "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
            middlewares.RetryAfterMiddleware: 550,
            "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
            middlewares.ProxyMiddleware: 750,
            "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": None,
        },
        "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
        "CONCURRENT_ITEMS": 1,
        "DOWNLOADER_STATS": False,
        "COOKIES_ENABLED": False,
        "METAREFRESH_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "URLLENGTH_LIMIT": 0,  # Scrapy drops longer addresses without a word, so that their songs had no outcome
        "LOG_LEVEL": "ERROR",
    }


def _exit_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Crawl as the configuration on standard input says."""
    task = CrawlConfig(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        with FileLock(Path(task.folder) / ".lock", timeout=LOCK_TIMEOUT_S):
            _crawl(task)
    except Timeout:
        say({"problem": f"{task.folder}: in use by another crawler. Wait until it has ended."})


def _crawl(task: CrawlConfig) -> None:
    middlewares.limit_headers()
    process = AsyncCrawlerProcess(settings(task))
    crawler = process.create_crawler(SongSpider)
    process.crawl(crawler, task=task)
    process.start()
    spider = crawler.spider
    assert isinstance(spider, SongSpider)
    spider.parser.close()
    if spider.fatal_error:
        say({"problem": spider.fatal_error})
        return
    if len({place for place, _ in spider.songs}) < spider.total:
        raise SystemExit(1)
    with replacing(task.songs) as partial:
        partial.write_text(json.dumps([asdict(song) for song in spider.collected()]), "utf-8")


if __name__ == "__main__":
    main()
