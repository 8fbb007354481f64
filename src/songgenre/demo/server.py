"""Record shop: a web site on this machine that offers the demo corpus.

The site has listings of several pages, song pages with schema.org markup, audio with range requests, and a robots.txt.
It also has the faults of real sites: a missing song, a song with status 429, a slow one, one that has moved, and an
HTML page with the name of an mp3 file.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import Future
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from socket import socket
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler

from songgenre.compute import workers
from songgenre.demo.corpus import Recording, record
from songgenre.demo.genres import GENRES
from songgenre.errors import UserError
from songgenre.runtime.temporary import temporary_folder

HOST = "127.0.0.1"
SONGS_PER_PAGE = 20
LICENCE = "https://creativecommons.org/publicdomain/zero/1.0/"

BUSY, SLOW, MOVED = 11, 22, 33
"""Positions in the corpus of the song with status 429, of the slow one, and of the one that has moved."""
RETRY_AFTER_S = 1
SLOW_S = 2.0

ROBOTS = "User-agent: *\nDisallow: /basket\n"


class Shop:
    """Songs of the shop and their files.

    Parameters
    ----------
    recordings : list of Recording
        Songs of the shop.
    folder : Path
        Folder in which the file of a song is composed at its first request.
    """

    def __init__(self, recordings: list[Recording], folder: Path) -> None:
        self.recordings = {recording.file: recording for recording in recordings}
        self.folder = folder
        self.templates = Environment(
            loader=PackageLoader("songgenre.demo"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        files = list(self.recordings)
        self.busy, self.slow, self.moved = (files[place % len(files)] for place in (BUSY, SLOW, MOVED))
        self.composing: dict[str, Future[None]] = {}

    async def compose(self, file: str) -> None:
        """Compose the file of a song, unless it exists.

        Parameters
        ----------
        file : str
            Name of the file.

        Raises
        ------
        HTTPError
            If the process that composes it was ended, as when the shop closes.
        """
        if (self.folder / file).is_file():
            return
        if file not in self.composing:
            submitted = workers().submit(record, self.recordings[file], self.folder)
            self.composing[file] = asyncio.wrap_future(submitted)
        try:
            await self.composing[file]
        except BrokenProcessPool:
            self.composing.pop(file, None)
            raise HTTPError(503) from None

    def render(self, template: str, **content: Any) -> str:
        """Render a page of the shop.

        Parameters
        ----------
        template : str
            Name of the template.
        **content : Any
            Variables of the template.

        Returns
        -------
        str
            HTML.
        """
        return self.templates.get_template(template).render(genres=list(GENRES), **content)

    def render_song(self, file: str, address: str) -> str:
        """Render the page of a song, with schema.org markup.

        Parameters
        ----------
        file : str
            Name of the file of the song.
        address : str
            Address of the shop, for the address of the audio.

        Returns
        -------
        str
            HTML.
        """
        recording = self.recordings[file]
        markup = {
            "@context": "https://schema.org",
            "@type": "MusicRecording",
            "name": recording.title,
            "genre": list(recording.genres),
            "license": LICENCE,
            "audio": {"@type": "AudioObject", "contentUrl": f"{address}/audio/{file}", "encodingFormat": "audio/mpeg"},
        }
        if recording.artist:
            markup["byArtist"] = {"@type": "MusicGroup", "name": recording.artist}
        return self.render("song.html", recording=_format_song(recording), markup=markup)

    def application(self) -> Application:
        """Make the web application.

        Returns
        -------
        tornado.web.Application
            Pages, audio and robots.txt.
        """
        shop = {"shop": self}
        return Application(
            [
                (r"/", FrontPage, shop),
                (r"/genre/([a-z-]+)", GenrePage, shop),
                (r"/song/([a-z-]+-\d+)", SongPage, shop),
                (r"/audio/moved/(.+)", AudioFile, {"path": str(self.folder), "moved": True} | shop),
                (r"/audio/(.+)", AudioFile, {"path": str(self.folder), "moved": False} | shop),
                (r"/robots\.txt", RobotsPage),
            ],
            log_function=lambda handler: None,
        )


class Page(RequestHandler):
    """A page of the shop."""

    def initialize(self, shop: Shop) -> None:
        """Store the shop.

        Parameters
        ----------
        shop : Shop
            The shop.
        """
        self.shop = shop


class FrontPage(Page):
    """Front page."""

    def get(self) -> None:  # noqa: D102
        self.finish(self.shop.render("front.html", songs=len(self.shop.recordings)))


class GenrePage(Page):
    """Listing of the songs of a genre."""

    def get(self, genre: str) -> Future[None] | None:  # noqa: D102
        asked = self.get_query_argument("page", "1")
        page = int(asked) if asked.isdecimal() else 0
        listed = [recording for recording in self.shop.recordings.values() if genre in recording.genres]
        pages = ceil(len(listed) / SONGS_PER_PAGE)
        if not 1 <= page <= pages:
            self.send_error(404)
            return None
        shown = listed[(page - 1) * SONGS_PER_PAGE : page * SONGS_PER_PAGE]
        return self.finish(
            self.shop.render(
                "genre.html",
                genre=genre,
                page=page,
                pages=pages,
                recordings=[_format_song(recording) for recording in shown],
                previous=f"/genre/{genre}?page={page - 1}" if page > 1 else None,
                next=f"/genre/{genre}?page={page + 1}" if page < pages else None,
            )
        )


class SongPage(Page):
    """Page of a song."""

    def get(self, name: str) -> Future[None] | None:  # noqa: D102
        file = f"{name}.mp3"
        if file not in self.shop.recordings:
            self.send_error(404)
            return None
        return self.finish(self.shop.render_song(file, f"{self.request.protocol}://{self.request.host}"))


class AudioFile(StaticFileHandler):
    """File of a song, complete or a range."""

    def initialize(self, path: str, shop: Shop, moved: bool) -> None:  # type: ignore[override]
        """Store the shop.

        Parameters
        ----------
        path : str
            Folder of the files.
        shop : Shop
            The shop.
        moved : bool
            Whether the address is the one to which a song has moved.
        """
        super().initialize(path)
        self.shop, self.is_moved = shop, moved

    async def get(self, path: str, include_body: bool = True) -> None:  # noqa: D102
        shop = self.shop
        recording = shop.recordings.get(path)
        if recording is None or recording.fault == "missing":
            self.send_error(404)
            return
        if path == shop.moved and not self.is_moved:
            self.redirect(f"/audio/moved/{path}")
            return
        if path == shop.busy:
            shop.busy = ""
            self.set_status(429)
            self.set_header("Retry-After", str(RETRY_AFTER_S))
            return
        if path == shop.slow:
            await asyncio.sleep(SLOW_S)
        await shop.compose(path)
        await super().get(path, include_body)


class RobotsPage(RequestHandler):
    """Rules for crawlers."""

    def get(self) -> None:  # noqa: D102
        self.set_header("Content-Type", "text/plain")
        self.finish(ROBOTS)


@contextmanager
def running_server(recordings: list[Recording], folder: Path) -> Iterator[str]:
    """Run the shop in a thread until the context ends.

    Parameters
    ----------
    recordings : list of Recording
        Songs of the shop.
    folder : Path
        Existing folder for their files.

    Yields
    ------
    str
        Address of the front page, without the slash at the end.
    """
    sockets = bind_sockets(0, HOST)
    loop = asyncio.new_event_loop()
    closing = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(recordings, folder, sockets, closing),))
    thread.start()
    try:
        yield _address(sockets)
    finally:
        loop.call_soon_threadsafe(closing.set)
        thread.join()
        loop.close()


def serve(recordings: list[Recording], port: int, announce: Callable[[str], None]) -> None:
    """Run the shop until it is interrupted.

    Parameters
    ----------
    recordings : list of Recording
        Songs of the shop.
    port : int
        Port; 0 for any free one.
    announce : callable
        Function that receives the address of the front page when the shop is running.

    Raises
    ------
    UserError
        If the port is in use.
    """
    try:
        sockets = bind_sockets(port, HOST)
    except OSError as error:
        raise UserError(
            f"{HOST}:{port}: the port is not available ({error.strerror}). Use --port with another one."
        ) from None
    announce(_address(sockets))
    with temporary_folder() as folder, suppress(KeyboardInterrupt):
        asyncio.run(_serve(recordings, folder, sockets, asyncio.Event()))


async def _serve(recordings: list[Recording], folder: Path, sockets: list[socket], closing: asyncio.Event) -> None:
    server = HTTPServer(Shop(recordings, folder).application())
    server.add_sockets(sockets)
    await closing.wait()
    server.stop()
    await server.close_all_connections()


def _address(sockets: list[socket]) -> str:
    return f"http://{HOST}:{sockets[0].getsockname()[1]}"


def _format_song(recording: Recording) -> dict[str, Any]:
    return {
        "title": recording.title,
        "artist": recording.artist,
        "genres": recording.genres,
        "page": f"/song/{recording.file.removesuffix('.mp3')}",
        "audio": f"/audio/{recording.file}",
    }
