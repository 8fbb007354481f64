"""The record shop, visited as a browser and as a crawler do."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from lxml import html
from protego import Protego

from songgenre.demo import server
from songgenre.demo.corpus import EXTRAS, Recording, plan_corpus
from songgenre.demo.genres import GENRES
from songgenre.demo.server import BUSY, MOVED, RETRY_AFTER_S, SLOW, running_server, serve
from songgenre.errors import UserError
from songgenre.sources import schema_org

pytestmark = pytest.mark.integration

SONGS = 20
RECORDINGS = plan_corpus(SONGS, 4, seed=7)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        running_server(RECORDINGS, tmp_path_factory.mktemp("stock")) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def address(shop: httpx.Client) -> str:
    return str(shop.base_url).rstrip("/")


def place(recording: Recording) -> int:
    return RECORDINGS.index(recording)


def faulty(fault: str) -> Recording:
    return next(recording for recording in RECORDINGS if recording.fault == fault)


@pytest.mark.parametrize("genre", GENRES)
def test_listings_lead_to_every_song_of_the_genre(shop: httpx.Client, genre: str) -> None:
    listed, url = [], f"/genre/{genre}"
    while url:
        page = html.fromstring(shop.get(url).text)
        listed += page.xpath("//li/a/@href")
        [url] = page.xpath("//link[@rel='next']/@href") or [""]
    expected = [recording for recording in RECORDINGS if genre in recording.genres]
    assert listed == [f"/song/{recording.file.removesuffix('.mp3')}" for recording in expected]
    assert len(listed) > SONGS


def test_song_page_tells_in_markup_what_it_shows(shop: httpx.Client) -> None:
    recording = next(each for each in RECORDINGS if len(each.genres) == 2 and each.artist)
    response = shop.get(f"/song/{recording.file.removesuffix('.mp3')}")
    document = html.fromstring(response.text)
    [found] = schema_org.parse_recordings(document, str(response.url))
    assert (found.title, found.artist, found.genres) == (recording.title, recording.artist, recording.genres)
    assert found.audio_url == f"{address(shop)}/audio/{recording.file}"
    assert recording.title in document.xpath("string(//h1)")


def test_audio_is_served_whole_or_in_part(shop: httpx.Client) -> None:
    url = f"/audio/{RECORDINGS[0].file}"
    whole = shop.get(url)
    assert whole.headers["Content-Type"] == "audio/mpeg"
    assert len(whole.content) == int(whole.headers["Content-Length"]) > 100_000
    part = shop.get(url, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, whole.content[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(whole.content)}"
    assert shop.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416


def test_song_that_is_gone(shop: httpx.Client) -> None:
    missing = faulty("missing").file
    assert shop.get(f"/song/{missing.removesuffix('.mp3')}").status_code == 200
    assert shop.get(f"/audio/{missing}").status_code == 404


def test_busy_song_answers_the_second_time(shop: httpx.Client) -> None:
    url = f"/audio/{RECORDINGS[BUSY].file}"
    refused = shop.get(url)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(RETRY_AFTER_S))
    assert shop.get(url).status_code == 200


def test_slow_song_takes_its_time(shop: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SLOW_S", 0.2)
    started = time.monotonic()
    assert shop.get(f"/audio/{RECORDINGS[SLOW].file}").status_code == 200
    assert time.monotonic() - started >= 0.2


def test_moved_song_leads_to_its_new_place(shop: httpx.Client) -> None:
    url = f"/audio/{RECORDINGS[MOVED].file}"
    moved = shop.get(url)
    assert (moved.status_code, moved.headers["Location"]) == (302, f"/audio/moved/{RECORDINGS[MOVED].file}")
    assert len(shop.get(url, follow_redirects=True).content) > 100_000


def test_html_under_the_name_of_an_mp3(shop: httpx.Client) -> None:
    response = shop.get(f"/audio/{faulty('text').file}")
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert response.text.startswith("<!DOCTYPE html>")


def test_every_kind_of_oddity_is_a_song_of_its_own() -> None:
    odd = [RECORDINGS[BUSY], RECORDINGS[SLOW], RECORDINGS[MOVED]]
    assert len({place(recording) for recording in odd}) == 3
    assert all(place(recording) < len(RECORDINGS) - len(EXTRAS) for recording in odd)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/genre/polka",
        "/genre/rock?page=0",
        "/genre/rock?page=99",
        "/genre/rock?page=x",
        "/song/rock-999",
        "/audio/rock-999.mp3",
        "/audio/%2e%2e/%2e%2e/etc/passwd",
        "/audio/moved/..%2f..%2fetc%2fpasswd",
    ],
)
def test_what_is_not_there_is_not_found(shop: httpx.Client, path: str) -> None:
    assert shop.get(path).status_code == 404


def test_robots_txt_allows_the_songs(shop: httpx.Client) -> None:
    rules = Protego.parse(shop.get("/robots.txt").text)
    assert rules.can_fetch(f"{address(shop)}/song/rock-000", "songgenre")
    assert not rules.can_fetch(f"{address(shop)}/basket", "songgenre")


def heed_ctrl_c() -> None:
    """As in a terminal; what runs in the background may have been told not to."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_serve_says_where_the_shop_is_and_leaves_nothing_behind(tmp_path: Path, ending: signal.Signals) -> None:
    shop = subprocess.Popen(
        [str(Path(sys.executable).with_name("songgenre")), "demo", "serve", "--port", "0"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_ctrl_c,
    )
    assert shop.stdout is not None
    said = re.search(r"http://127\.0\.0\.1:\d+/", shop.stdout.readline())
    assert said is not None
    assert 'href="/genre/rock"' in httpx.get(said[0], timeout=120).text
    assert len(httpx.get(f"{said[0]}audio/rock-000.mp3", timeout=120).content) > 100_000
    shop.send_signal(ending)
    _, errors = shop.communicate(timeout=120)
    assert (shop.returncode, errors) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_demo_serve_says_that_a_port_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=str(port)):
            serve(RECORDINGS, port, print)
