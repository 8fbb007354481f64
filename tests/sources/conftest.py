"""Real web sites on 127.0.0.1, well-behaved and hostile."""

import ctypes
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from songgenre.sources.website import CrawlConfig

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answer as the site says, and note what was asked."""

    protocol_version = "HTTP/1.1"
    site: "Site"

    def do_GET(self) -> None:
        site = self.site
        with site.lock:
            site.asked.append((self.path, time.monotonic(), dict(self.headers)))
            site.waiting += 1
            site.most_waiting = max(site.most_waiting, site.waiting)
        site.hold(self.path)
        with site.lock:
            site.waiting -= 1
        with suppress(ConnectionError):
            site.answers.get(self.path, gone)(self)

    def send(self, body: bytes, status: int = 200, type_: str = "text/html", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Site:
    """A site whose answers a test lays down, path by path.

    A test may hold requests back before they are answered; answers that never come wait for the closing of the site.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, float, dict[str, str]]] = []
        self.waiting = self.most_waiting = 0
        self.lock = threading.Lock()
        self.hold: Callable[[str], object] = lambda path: None
        self.closing = threading.Event()
        handler = type("SiteHandler", (Handler,), {"site": self})
        self.server = Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def counts(self) -> Counter[str]:
        return Counter(path for path, _, _ in self.asked)

    def page(self, path: str, text: str, **options: Any) -> None:
        self.answers[path] = lambda handler: handler.send(text.encode(), **options)

    def file(self, path: str, content: bytes, **options: Any) -> None:
        self.answers[path] = lambda handler: handler.send(content, **{"type_": "audio/mpeg"} | options)

    def listing(self, path: str, *songs: str, next_page: str | None = None) -> None:
        links = "".join(f'<a href="/song/{song}">{song}</a>\n' for song in songs)
        following = f'<a rel="next" href="{next_page}">more</a>' if next_page else ""
        self.page(path, f"<html><body>{links}{following}</body></html>")

    def song(self, name: str, /, audio: str | None = None, content: bytes | None = None, **properties: Any) -> None:
        """A song page with JSON-LD, and, if there is content, its audio."""
        audio = audio if audio is not None else f"/audio/{name}.mp3"
        recording = {"name": name, "audio": {"@type": "AudioObject", "contentUrl": audio}} | properties
        self.page(f"/song/{name}", song_page({"@context": "https://schema.org", "@type": "MusicRecording"} | recording))
        if content is not None:
            self.file(audio, content)


def gone(handler: Handler) -> None:
    handler.send(b"<p>There is nothing here.</p>", 404)


def song_page(markup: Any) -> str:
    return f'<html><head><script type="application/ld+json">{json.dumps(markup)}</script></head><body></body></html>'


@contextmanager
def opened_site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.closing.set()
        site.server.shutdown()
        site.server.server_close()


@pytest.fixture(scope="session")
def open_site() -> Callable[[], AbstractContextManager[Site]]:
    return opened_site


@pytest.fixture
def site() -> Iterator[Site]:
    with opened_site() as site:
        yield site


@pytest.fixture
def heeding_permissions() -> Iterator[None]:
    """Take from this thread what lets root read files whatever their permissions."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    before = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, before) == 0
    without = (ctypes.c_uint32 * 6)(*before)
    without[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    assert libc.capset(header, without) == 0
    yield
    assert libc.capset(header, before) == 0


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    folder = tmp_path / "audio"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def task() -> Callable[..., CrawlConfig]:
    """To crawl a site without mercy, unless said otherwise."""

    def make(site: Site, folder: Path, **options: Any) -> CrawlConfig:
        usual = {
            "name": "shop",
            "listing_urls": {"rock": [f"{site.url}/rock"]},
            "song_url_pattern": "/song/",
            "next_page_pattern": r"[?]page=\d+$",
            "audio_hosts": [],
            "max_songs_per_genre": 100,
            "max_file_bytes": 200_000,
            "max_total_bytes": 10_000_000,
            "concurrency": 8,
            "autothrottle": False,
            "timeout_s": 60.0,
            "retries": 1,
            "folder": str(folder),
        }
        return CrawlConfig(**usual | options)

    return make
