"""A site on which nearly everything is wrong: the crawl goes on, and for each song there is the reason."""

import gzip
import os
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from songgenre.errors import UserError
from songgenre.sources.base import Track, track_id
from songgenre.sources.catalogue import tabulate
from songgenre.sources.middlewares import MAX_HEADER_BYTES
from songgenre.sources.spider import MAX_PAGE_BYTES
from songgenre.sources.website import CrawlConfig, Website
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import write_table

pytestmark = pytest.mark.integration

LARGEST = 200_000
RETRIES = 1
STALLED_S = 2.0
ENDLESS_BYTES = Counter[str]()


class Crawled(NamedTuple):
    songs: dict[str, Track]
    site: Any
    elsewhere: Any
    root: Path

    def content(self, name: str) -> bytes:
        return (self.root / "audio" / str(self.songs[name].file)).read_bytes()

    def waits(self, path: str) -> list[float]:
        times = [asked for asked_path, asked, _ in self.site.asked if asked_path == path]
        return [later - earlier for earlier, later in pairwise(times)]


def redirect(location: str) -> Callable[[Any], None]:
    return lambda handler: handler.send(b"", 302, Location=location)


def announce(handler: Any, length: int, **headers: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "audio/mpeg")
    handler.send_header("Content-Length", str(length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def cut_off(handler: Any) -> None:
    announce(handler, 5000)
    handler.wfile.write(b"half")
    handler.close_connection = True


def goes_on_and_on(handler: Any) -> None:
    announce(handler, 4)
    handler.wfile.write(b"song" + b"more" * 1000)
    handler.close_connection = True


def endless(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(10_000):
        handler.wfile.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        ENDLESS_BYTES[handler.path] += 0x1000


def endless_headers(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    handler.close_connection = True
    for _ in range(10_000):
        handler.wfile.write(b"X-More: " + b"x" * 0x1000 + b"\r\n")
        ENDLESS_BYTES[handler.path] += 0x1000


def bomb(handler: Any) -> None:
    handler.send(gzip.compress(bytes(20_000_000)), type_="audio/mpeg", Content_Encoding="gzip")


def stall(handler: Any) -> None:
    handler.site.closing.wait(600)


def stall_half_way(handler: Any) -> None:
    announce(handler, 5000)
    handler.wfile.write(b"half")
    handler.wfile.flush()
    handler.site.closing.wait(600)
    handler.close_connection = True


def reset(handler: Any) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    os.close(handler.connection.detach())


def first(answer: Callable[[Any], None], then: bytes) -> Callable[[Any], None]:
    asked = Counter[str]()

    def answer_in_turn(handler: Any) -> None:
        asked[handler.path] += 1
        if asked[handler.path] == 1:
            answer(handler)
        else:
            handler.send(then)

    return answer_in_turn


def deep(levels: int) -> str:
    return '<script type="application/ld+json">' + '{"a":' * levels + "1" + "}" * levels + "</script>"


def lay_traps(site: Any, elsewhere: Any) -> None:
    def song(name: str, answer: Callable[[Any], None]) -> None:
        site.song(name)
        site.answers[f"/audio/{name}.mp3"] = answer

    site.page("/robots.txt", "User-agent: *\nDisallow: /private/\n", type_="text/plain")
    for name in ("good", "last", "empty", "text"):
        site.song(name, content={"empty": b"", "text": b"<html>Gone</html>"}.get(name, b"la la"))
    elsewhere.file("/audio.mp3", b"secret")
    site.song("gone")
    site.song("forbidden", "/private/forbidden.mp3")
    song("redirected elsewhere", redirect(f"{elsewhere.url}/audio.mp3"))
    song("redirected to metadata", redirect("http://169.254.169.254/latest/meta-data/"))
    song("redirected to a file", redirect("file:///etc/passwd"))
    song("redirected round", redirect("/audio/redirected round.mp3"))
    song("moved", redirect("/audio/good.mp3"))
    site.song("audio elsewhere", f"{elsewhere.url}/audio.mp3")
    site.song("audio in a file", "file:///etc/passwd")
    site.song("audio nowhere", "http://[")
    site.song("long address", f"/audio/{'x' * 4000}.mp3")
    song("too large", lambda handler: announce(handler, 10**12))
    song("endless", endless)
    song("bomb", bomb)
    song("cut off", cut_off)
    song("goes on", goes_on_and_on)
    song("resets", reset)
    song("resets once", first(reset, b"well"))
    song("fails", lambda handler: handler.send(b"", 500))
    song("busy once", first(lambda handler: handler.send(b"", 429, Retry_After="1"), b"well"))
    song("busy for an hour", lambda handler: handler.send(b"", 503, Retry_After="3600"))
    site.page("/song/no markup", "<h1>A song</h1>")
    site.page("/song/broken markup", '<script type="application/ld+json">{"@type": "MusicRec</script>')
    site.page("/song/deep markup", deep(20_000))
    site.page(
        "/song/markup of numbers", '<script type="application/ld+json">[1, null, {"@type": 7, "audio": [[]]}]</script>'
    )
    site.page("/song/no page", "\x00\x01\x02", type_="application/octet-stream")
    site.answers["/song/endless page"] = endless
    for charset in ("hex", "zlib", "idna"):
        page = "<h1>A song</h1>"
        site.page(f"/song/in {charset}", page, type_=f"text/html; charset={charset}")
    site.page("/song/in rot13", '<head><meta charset="rot13"></head>')
    site.answers["/song/endless headers"] = endless_headers
    site.song("many artists", content=b"la", byArtist=["x" * 600] * 5000, genre=["rock"] * 5000)
    site.song("climbs", "/audio/../../../climbs.mp3", b"la")
    site.answers["/climbs.mp3"] = lambda handler: handler.send(b"la")
    site.song("odd ending", "/audio/odd.exe?x=.mp3", b"la")
    site.song("control characters", content=b"la", name="Na\x00me\r\n\x1b[31m\u202e", byArtist="\ud800")
    site.song("long name", content=b"la", name="x" * 100_000)
    site.song("wrong type", content=b"la")
    site.file("/audio/wrong type.mp3", b"la", type_="text/html; charset=utf-7")
    for name in list(site.answers):
        site.answers[name.replace(" ", "%20")] = site.answers[name]
    names = [name.removeprefix("/song/") for name in site.answers if name.startswith("/song/") and " " not in name]
    site.listing("/rock", *names)


@pytest.fixture(scope="module")
def crawled(
    tmp_path_factory: pytest.TempPathFactory,
    open_site: Callable[[], AbstractContextManager[Any]],
    task: Callable[..., CrawlConfig],
) -> Iterator[Crawled]:
    root = tmp_path_factory.mktemp("hostile")
    (root / "audio").mkdir()
    with open_site() as site, open_site() as elsewhere:
        lay_traps(site, elsewhere)
        to_crawl = task(site, root / "kept", max_file_bytes=LARGEST, retries=RETRIES, concurrency=16)
        songs = Website(to_crawl).collect(root / "audio")
        named = {song.source_id.rpartition("/")[2].replace("%20", " "): song for song in songs}
        yield Crawled(named, site, elsewhere, root)


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("gone", "unreadable", "HTTP 404"),
        ("forbidden", "unreadable", r"robots\.txt"),
        ("redirected elsewhere", "unreadable", r"/audio\.mp3.*host"),
        ("redirected to metadata", "unreadable", r"169\.254\.169\.254.*host"),
        ("redirected to a file", "unreadable", "HTTP 302"),
        ("redirected round", "unreadable", "redirect"),
        ("audio elsewhere", "unreadable", r"/audio\.mp3.*host"),
        ("audio in a file", "unreadable", "file:///etc/passwd"),
        ("audio nowhere", "unreadable", "address|URL"),
        ("long address", "unreadable", "HTTP 404"),
        ("too large", "unreadable", r"0\.2 MB"),
        ("endless", "unreadable", r"0\.2 MB"),
        ("bomb", "unreadable", r"0\.2 MB"),
        ("cut off", "truncated", "connection"),
        ("fails", "unreadable", "HTTP 500"),
        ("busy for an hour", "unreadable", "HTTP 503"),
        ("no markup", "unreadable", r"schema\.org"),
        ("broken markup", "unreadable", r"schema\.org"),
        ("deep markup", "unreadable", r"schema\.org"),
        ("markup of numbers", "unreadable", r"schema\.org"),
        ("no page", "unreadable", r"schema\.org"),
        ("endless page", "unreadable", "5 MB"),
        ("endless headers", "unreadable", "headers"),
        ("in hex", "unreadable", "hex"),
        ("in zlib", "unreadable", "zlib"),
        ("in idna", "unreadable", "idna"),
        ("in rot13", "unreadable", "rot"),
    ],
)
def test_song_that_cannot_be_had_is_refused_with_the_reason(
    crawled: Crawled, name: str, reason: str, detail: str
) -> None:
    song = crawled.songs[name]
    assert (song.reason, song.file) == (reason, None)
    assert re.search(detail, str(song.detail))


def test_song_that_stalls_is_given_up_after_the_retries(
    site: Any, task: Callable[..., CrawlConfig], tmp_path: Path, audio: Path
) -> None:
    site.song("good", content=b"la la")
    for name, answer in (("stalls", stall), ("stalls_half_way", stall_half_way)):
        site.song(name)
        site.answers[f"/audio/{name}.mp3"] = answer
    site.listing("/rock", "good", "stalls", "stalls_half_way")
    to_crawl = task(site, tmp_path / "kept", retries=RETRIES, timeout_s=STALLED_S)
    good, *stalled = Website(to_crawl).collect(audio)
    assert good.reason is None
    for song in stalled:
        assert (song.reason, song.file) == ("unreadable", None)
        assert f"{STALLED_S:g} s" in str(song.detail)
        assert site.counts()[f"/audio/{song.source_id.rpartition('/')[2]}.mp3"] == 1 + RETRIES


def test_reset_connection_is_refused(crawled: Crawled) -> None:
    assert crawled.songs["resets"].reason == "unreadable"
    assert crawled.songs["resets"].detail


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("good", b"la la"),
        ("last", b"la la"),
        ("empty", b""),
        ("text", b"<html>Gone</html>"),
        ("moved", b"la la"),
        ("goes on", b"song"),
        ("resets once", b"well"),
        ("busy once", b"well"),
        ("climbs", b"la"),
        ("odd ending", b"la"),
        ("control characters", b"la"),
        ("long name", b"la"),
        ("wrong type", b"la"),
        ("many artists", b"la"),
    ],
)
def test_whatever_comes_as_audio_is_kept_for_the_next_stage_to_judge(
    crawled: Crawled, name: str, content: bytes
) -> None:
    assert crawled.songs[name].reason is None
    assert crawled.content(name) == content


def test_files_have_names_of_our_own(crawled: Crawled) -> None:
    for name, song in crawled.songs.items():
        if song.file:
            assert song.file == track_id("shop", song.source_id) + (".audio" if name == "odd ending" else ".mp3")


def test_nothing_is_written_elsewhere(crawled: Crawled) -> None:
    assert {path.name for path in crawled.root.iterdir()} == {"audio", "kept"}
    assert {path.name for path in (crawled.root / "audio").iterdir()} == {
        song.file for song in crawled.songs.values() if song.file
    }


def test_no_other_host_is_asked_for_anything(crawled: Crawled) -> None:
    assert crawled.elsewhere.asked == []
    assert not any(path.startswith("/private") for path in crawled.site.counts())


def test_endless_body_is_not_waited_for(crawled: Crawled) -> None:
    in_the_sockets = 20_000_000
    assert LARGEST < ENDLESS_BYTES["/audio/endless.mp3"] < LARGEST + in_the_sockets
    assert ENDLESS_BYTES["/song/endless%20headers"] < (1 + RETRIES) * (MAX_HEADER_BYTES + in_the_sockets)
    assert MAX_PAGE_BYTES < ENDLESS_BYTES["/song/endless%20page"] < MAX_PAGE_BYTES + in_the_sockets


def test_failed_requests_are_repeated_as_often_as_allowed(crawled: Crawled) -> None:
    counts = crawled.site.counts()
    for name in ("fails", "cut%20off"):
        assert counts[f"/audio/{name}.mp3"] == 1 + RETRIES
    assert 1 + RETRIES <= counts["/audio/resets.mp3"] <= 2 * (1 + RETRIES)  # Twisted repeats each of them once
    for name in ("gone", "too%20large", "busy%20for%20an%20hour"):
        assert counts[f"/audio/{name}.mp3"] == 1


def test_repeated_requests_wait_as_long_as_asked(crawled: Crawled) -> None:
    assert min(crawled.waits("/audio/busy%20once.mp3")) >= 1
    assert min(crawled.waits("/audio/fails.mp3")) >= 1


def test_catalogue_takes_it_all(crawled: Crawled) -> None:
    table = tabulate(crawled.songs.values(), crawled.root / "audio").set_index("source_id")
    write_table(table.reset_index()[list(CATALOGUE.columns)], CATALOGUE, crawled.root / "kept" / "x.parquet")
    strange = table.loc["/song/control%20characters"]
    assert strange["title"].isprintable() or "\u202e" in strange["title"]
    assert not set("\x00\x1b\r\n") & set(strange["title"])
    assert len(table.loc["/song/long%20name", "title"]) == 500
    assert len(table.loc["/song/many%20artists", "artist"]) <= 500
    assert (crawled.root / "kept" / "songs.json").stat().st_size < 500_000
    assert len(table) == len(crawled.songs)


def crawl(site: Any, task: Callable[..., CrawlConfig], folder: Path, audio: Path) -> list[Track]:
    site.song("good", content=b"la la")
    return Website(task(site, folder / "kept", retries=0)).collect(audio)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda handler: handler.send(b"", 503), "503"),
        (redirect("http://127.0.0.9:9/robots.txt"), "hosts"),
        (lambda handler: handler.send(gzip.compress(b"Disallow: /x\n" * 1_000_000), Content_Encoding="gzip"), "large"),
    ],
)
def test_site_whose_robots_txt_cannot_be_read_is_not_crawled(
    site: Any, task: Callable[..., CrawlConfig], tmp_path: Path, audio: Path, answer: Callable[[Any], None], why: str
) -> None:
    site.answers["/robots.txt"] = answer
    site.listing("/rock", "good")
    with pytest.raises(UserError, match=rf"robots\.txt.*{why}"):
        crawl(site, task, tmp_path, audio)
    assert set(site.counts()) == {"/robots.txt"}


def test_listing_that_cannot_be_parsed_is_named(
    site: Any, task: Callable[..., CrawlConfig], tmp_path: Path, audio: Path
) -> None:
    site.page("/rock", '<a href="/song/good">Good</a>', type_="text/html; charset=hex")
    with pytest.raises(UserError, match=r"/rock.*hex"):
        crawl(site, task, tmp_path, audio)


@pytest.mark.slow
def test_page_that_keeps_the_parser_busy_costs_only_itself(
    site: Any, task: Callable[..., CrawlConfig], tmp_path: Path, audio: Path
) -> None:
    site.page("/song/busy", f"<a {' '.join(f'a{number}=1' for number in range(400_000))}>")
    site.listing("/rock", "busy", "good")
    busy, good = crawl(site, task, tmp_path, audio)
    assert (busy.reason, good.reason) == ("unreadable", None)
    assert "parser" in str(busy.detail)
