"""Requests per second and memory of the crawler, against a bare httpx loop of the same concurrency.

Both load the same listings, song pages and audio of a site on this machine, which runs in another process. The loop
neither parses the pages nor keeps a journal.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from songgenre.sources.website import CrawlConfig, Website

N_SONGS = 5000
SONGS_PER_PAGE = 50
AUDIO = bytes(range(256)) * 64
CONCURRENCY = 8


def body(path: str) -> bytes:
    if path == "/robots.txt":
        return b"User-agent: *\nDisallow:\n"
    if path.startswith("/audio/"):
        return path.encode() + AUDIO
    if path.startswith("/song/"):
        name = path.rpartition("/")[2]
        markup = {
            "@context": "https://schema.org",
            "@type": "MusicRecording",
            "name": f"Song {name}",
            "byArtist": {"@type": "MusicGroup", "name": "Somebody"},
            "audio": {"@type": "AudioObject", "contentUrl": f"/audio/{name}.mp3"},
        }
        return f'<html><script type="application/ld+json">{json.dumps(markup)}</script><h1>{name}</h1></html>'.encode()
    page = int(path.rpartition("=")[2])
    songs = range(page * SONGS_PER_PAGE, (page + 1) * SONGS_PER_PAGE)
    links = "".join(f'<a href="/song/{song}">{song}</a>' for song in songs)
    following = f'<a rel="next" href="/rock?page={page + 1}">next</a>' if songs[-1] + 1 < N_SONGS else ""
    return f"<html>{links}{following}</html>".encode()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while request := await reader.readline():
        while (await reader.readline()).strip():
            pass
        path = request.split()[1].decode()
        content = body(path)
        type_ = "audio/mpeg" if path.startswith("/audio/") else "text/html"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {type_}\r\nContent-Length: {len(content)}\r\n\r\n".encode())
        writer.write(content)
        await writer.drain()
    writer.close()


def serve(port: multiprocessing.Queue[int]) -> None:
    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def site() -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    port: multiprocessing.Queue[int] = context.Queue()
    server = context.Process(target=serve, args=(port,), daemon=True)
    server.start()
    yield f"http://127.0.0.1:{port.get()}"
    server.terminate()


async def bare_loop(url: str, folder: Path) -> int:
    """Load everything with httpx, and return the number of requests."""
    at_once = asyncio.Semaphore(CONCURRENCY)
    requests = 0

    async def load(client: httpx.AsyncClient, path: str) -> bytes:
        nonlocal requests
        response = await client.get(url + path)
        requests += 1
        return response.content

    async def song(client: httpx.AsyncClient, path: str) -> None:
        async with at_once:
            page = json.loads(re.search(rb"json\">(.*)</script>", await load(client, path)).group(1))
            audio = page["audio"]["contentUrl"]
            (folder / audio.rpartition("/")[2]).write_bytes(await load(client, audio))

    async with httpx.AsyncClient() as client:
        paths: list[str] = []
        for page in range(N_SONGS // SONGS_PER_PAGE):
            paths += re.findall(r"/song/\d+", (await load(client, f"/rock?page={page}")).decode())
        await asyncio.gather(*(song(client, path) for path in paths))
    return requests


class Memory(threading.Thread):
    """Resident memory of the crawler in MiB, sampled until it ends."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[float] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.1):
            for child in psutil.Process().children():
                if "songgenre.sources.spider" in child.cmdline():
                    self.samples.append(child.memory_info().rss / 2**20)


def crawl(url: str, folder: Path) -> Memory:
    task = CrawlConfig(
        name="bench",
        listing_urls={"rock": [f"{url}/rock?page=0"]},
        song_url_pattern="/song/",
        next_page_pattern="^$",
        audio_hosts=[],
        max_songs_per_genre=N_SONGS,
        max_file_bytes=1_000_000,
        max_total_bytes=10**10,
        concurrency=CONCURRENCY,
        autothrottle=False,
        timeout_s=30,
        retries=2,
        folder=str(folder / "kept"),
    )
    memory = Memory()
    memory.start()
    audio = folder / "audio"
    audio.mkdir()
    songs = Website(task).collect(audio)
    memory.ended.set()
    assert sum(song.file is not None for song in songs) == N_SONGS
    return memory


if __name__ == "__main__":
    with site() as url, TemporaryDirectory() as folder:
        started = time.perf_counter()
        requests = asyncio.run(bare_loop(url, Path(folder)))
        loop_s = time.perf_counter() - started

        started = time.perf_counter()
        memory = crawl(url, Path(folder))
        crawl_s = time.perf_counter() - started

    samples = memory.samples
    print(f"httpx loop: {requests} requests in {loop_s:.1f} s, {requests / loop_s:.0f} a second")
    print(f"crawler:    {requests} requests in {crawl_s:.1f} s, {requests / crawl_s:.0f} a second")
    print(f"crawler / httpx loop: {loop_s / crawl_s:.2f}")
    quarters = [max(samples[len(samples) * part // 4 : len(samples) * (part + 1) // 4]) for part in range(4)]
    print("memory of the crawler in MiB, by quarter of the time:", ", ".join(f"{peak:.0f}" for peak in quarters))
