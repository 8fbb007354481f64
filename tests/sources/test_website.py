"""The crawler against real sites on 127.0.0.1."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest
from filelock import FileLock

from songgenre.errors import UserError
from songgenre.sources import spider
from songgenre.sources.base import Track, track_id
from songgenre.sources.catalogue import tabulate
from songgenre.sources.website import CrawlConfig, Website
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import check_table

pytestmark = pytest.mark.integration

Tasks = Callable[..., CrawlConfig]
SONGS = [f"song-{number:02d}" for number in range(20)]


def by_name(songs: list[Track]) -> dict[str, Track]:
    return {song.source_id.rpartition("/")[2]: song for song in songs}


def fill(site: Any, *names: str, size: int = 1000) -> None:
    """Songs of a given size, and a listing of them."""
    for name in names:
        site.song(name, content=name.encode().ljust(size, b"."))
    site.listing("/rock", *names)


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_songs_come_in_the_order_of_the_listing_with_what_their_pages_say(
    site: Any, task: Tasks, tmp_path: Path, audio: Path
) -> None:
    site.song(
        "hello",
        content=b"la la",
        name="Hello",
        byArtist={"@type": "MusicGroup", "name": "Anna"},
        license="https://creativecommons.org/licenses/by/4.0/",
        genre=["Indie", "Rock"],
    )
    site.song("bye", content=b"lo lo")
    site.listing("/rock", "hello", "bye")
    first, second = Website(task(site, tmp_path / "kept")).collect(audio)
    assert first == Track(
        source="shop",
        source_id="/song/hello",
        file=track_id("shop", "/song/hello") + ".mp3",
        genres=("rock",),
        title="Hello",
        artist="Anna",
        url=f"{site.url}/song/hello",
        license="https://creativecommons.org/licenses/by/4.0/",
        primary_genre="rock",
    )
    assert (second.title, second.artist, second.primary_genre) == ("bye", None, None)
    assert [(audio / str(song.file)).read_bytes() for song in (first, second)] == [b"la la", b"lo lo"]
    check_table(tabulate([first, second], audio), CATALOGUE, "the catalogue")


def test_listings_are_followed_page_by_page(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    fill(site, *SONGS)
    site.listing("/rock", *SONGS[:8], next_page="/rock?page=2")
    site.page(
        "/rock?page=2",
        '<a href="/rock?page=1">1</a><a href="/rock?page=3">3</a>'
        + "".join(f'<a href="/song/{name}">x</a>' for name in SONGS[8:16]),
    )
    site.listing("/rock?page=1", *SONGS[:8])
    site.listing("/rock?page=3", *SONGS[16:])
    songs = Website(task(site, tmp_path / "kept", next_page_pattern=r"[?]page=[3-9]$")).collect(audio)
    assert list(by_name(songs)) == SONGS
    assert max(site.counts().values()) == 1


def test_song_in_two_listings_is_loaded_once_and_has_both_genres(
    site: Any, task: Tasks, tmp_path: Path, audio: Path
) -> None:
    fill(site, "both", "rocks")
    site.song("both", content=b"both", genre="Jazz")
    site.listing("/jazz", "jazzes", "both")
    site.song("jazzes", content=b"jazz")
    listing_urls = {genre: [f"{site.url}/{genre}"] for genre in ("rock", "jazz")}
    songs = by_name(Website(task(site, tmp_path / "kept", listing_urls=listing_urls)).collect(audio))
    assert {name: song.genres for name, song in songs.items()} == {
        "both": ("rock", "jazz"),
        "rocks": ("rock",),
        "jazzes": ("jazz",),
    }
    assert songs["both"].primary_genre == "jazz"
    assert site.counts()["/audio/both.mp3"] == 1


def test_microdata_will_do_where_there_is_no_json_ld(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    site.listing("/rock", "old")
    site.page(
        "/song/old",
        """<div itemscope itemtype="http://schema.org/MusicRecording"><h1 itemprop="name">Old Song</h1>
        <span itemprop="byArtist" itemscope itemtype="http://schema.org/MusicGroup"><b itemprop="name">Ben</b></span>
        <div itemprop="audio" itemscope itemtype="http://schema.org/AudioObject">
        <link itemprop="contentUrl" href="../audio/old.ogg"></div></div>""",
    )
    site.file("/audio/old.ogg", b"old")
    [song] = Website(task(site, tmp_path / "kept")).collect(audio)
    assert (song.title, song.artist, Path(str(song.file)).suffix) == ("Old Song", "Ben", ".ogg")


def test_crawler_says_who_it_is_and_asks_robots_txt_first(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    fill(site, "one")
    Website(task(site, tmp_path / "kept")).collect(audio)
    paths = [path for path, _, _ in site.asked]
    assert paths == ["/robots.txt", "/rock", "/song/one", "/audio/one.mp3"]
    assert all(headers["User-Agent"].startswith("songgenre/") for _, _, headers in site.asked)


def test_no_more_requests_at_once_than_allowed(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    def hold(path: str) -> None:
        if path.startswith("/audio/"):
            wait_until(lambda: site.most_waiting >= 3)
            time.sleep(0.02)  # in which a fourth might come

    fill(site, *SONGS)
    site.hold = hold
    Website(task(site, tmp_path / "kept", concurrency=3)).collect(audio)
    assert site.most_waiting == 3


def test_throttled_crawl_waits_between_requests(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    fill(site, "one", "two")
    Website(task(site, tmp_path / "kept", autothrottle=True)).collect(audio)
    times = [asked for path, asked, _ in site.asked if path != "/robots.txt"]
    assert times[-1] - times[0] > 0.25
    for throttle in (True, False):
        assert spider.settings(task(site, tmp_path, autothrottle=throttle))["AUTOTHROTTLE_ENABLED"] is throttle


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "HTTP 404"),
        ({"text": "<p>No songs today</p>"}, r"scraping\.site\.song_url_pattern"),
        ({"text": "%PDF", "type_": "application/pdf"}, "HTML"),
    ],
)
def test_listing_that_cannot_be_read_is_named(
    site: Any, task: Tasks, tmp_path: Path, audio: Path, answer: dict[str, str], said: str
) -> None:
    if answer:
        site.page("/rock", **answer)
    with pytest.raises(UserError, match=said) as error:
        Website(task(site, tmp_path / "kept")).collect(audio)
    assert f"{site.url}/rock" in str(error.value)
    assert "rock" in str(error.value)


def test_site_that_forbids_its_listings_is_left_alone(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    fill(site, "one")
    site.page("/robots.txt", "User-agent: *\nDisallow: /\n", type_="text/plain")
    with pytest.raises(UserError, match=r"robots\.txt"):
        Website(task(site, tmp_path / "kept")).collect(audio)
    assert set(site.counts()) == {"/robots.txt"}


def test_site_without_usable_markup_is_named(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    site.listing("/rock", "plain")
    site.page("/song/plain", '<audio src="/audio/plain.mp3"></audio>')
    with pytest.raises(UserError, match=r"schema\.org") as error:
        Website(task(site, tmp_path / "kept")).collect(audio)
    assert f"{site.url}/song/plain" in str(error.value)


def test_later_page_that_cannot_be_read_ends_its_listing_and_is_told(
    site: Any, task: Tasks, tmp_path: Path, audio: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(site, "one")
    site.listing("/rock", "one", next_page="/rock?page=2")
    assert len(Website(task(site, tmp_path / "kept")).collect(audio)) == 1
    assert f"{site.url}/rock?page=2" in capfd.readouterr().err


def test_endless_pages_of_the_same_songs_end(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    fill(site, "one")
    for page in range(1, 50):
        site.listing(f"/rock?page={page}", "one", next_page=f"/rock?page={page + 1}")
    site.listing("/rock", "one", next_page="/rock?page=1")
    assert len(Website(task(site, tmp_path / "kept")).collect(audio)) == 1
    assert sum(path.startswith("/rock") for path in site.counts()) == 2


def test_endless_pages_of_new_songs_end_at_the_number_asked_for(
    site: Any, task: Tasks, tmp_path: Path, audio: Path
) -> None:
    fill(site, *SONGS)
    for page in range(10):
        site.listing(f"/rock?page={page}", *SONGS[2 * page : 2 * page + 2], next_page=f"/rock?page={page + 1}")
    site.listing("/rock", *SONGS[:2], next_page="/rock?page=1")
    songs = Website(task(site, tmp_path / "kept", max_songs_per_genre=5)).collect(audio)
    assert list(by_name(songs)) == SONGS[:5]
    assert sum(path.startswith("/rock") for path in site.counts()) == 3


def test_what_comes_after_the_total_is_over_the_limit_whatever_answers_first(
    site: Any, task: Tasks, tmp_path: Path, audio: Path
) -> None:
    fill(site, *SONGS, size=1000)

    def hold(path: str) -> None:
        if path == "/audio/song-00.mp3":
            wait_until(lambda: site.counts()["/audio/song-05.mp3"] == 1)

    site.hold = hold
    songs = by_name(Website(task(site, tmp_path / "kept", max_total_bytes=4500, concurrency=4)).collect(audio))
    assert [name for name, song in songs.items() if song.file] == SONGS[:5]
    assert {song.reason for name, song in songs.items() if name not in SONGS[:5]} == {"over_limit"}
    assert {path.name for path in audio.iterdir()} == {song.file for song in songs.values() if song.file}
    assert all(song.title == name for name, song in songs.items())
    assert sum(path.startswith("/audio/") for path in site.counts()) < 12


def collecting(task: CrawlConfig, audio: Path) -> subprocess.Popen[bytes]:
    """A process that collects, as a stage does."""
    script = (
        "import json, sys; from pathlib import Path; from songgenre.sources.website import CrawlConfig, Website;"
        "Website(CrawlConfig(**json.loads(sys.argv[1]))).collect(Path(sys.argv[2]))"
    )
    return subprocess.Popen([sys.executable, "-c", script, json.dumps(asdict(task)), str(audio)])


class Gate:
    """Answers so many requests for audio, and no more."""

    def __init__(self, passes: int, closing: threading.Event) -> None:
        self.passes = threading.Semaphore(passes)
        self.closing = closing

    def hold(self, path: str) -> None:
        if path.startswith("/audio/") and not self.passes.acquire(blocking=False):
            self.closing.wait(600)


def test_crawl_that_was_killed_goes_on_where_it_stopped(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    fill(site, *SONGS)
    undisturbed = Website(task(site, tmp_path / "undisturbed")).collect(audio)
    before = site.counts()
    kept = tmp_path / "kept"
    asked_when_loaded = {}
    for loaded, more in ((1, 1), (7, 6), (15, 8)):
        site.hold = Gate(more, site.closing).hold
        killed = collecting(task(site, kept, concurrency=2), tmp_path)
        wait_until(lambda loaded=loaded: len(list(kept.glob("*.mp3"))) == loaded)
        [crawler] = psutil.Process(killed.pid).children()
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        wait_until(lambda crawler=crawler: not crawler.is_running())
        for name in SONGS:
            if (kept / f"{track_id('shop', f'/song/{name}')}.mp3").exists():
                asked_when_loaded.setdefault(name, site.counts()[f"/audio/{name}.mp3"])

    site.hold = lambda path: None
    again = tmp_path / "again"
    again.mkdir()
    assert Website(task(site, kept)).collect(again) == undisturbed
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in audio.iterdir()
    }
    assert len(asked_when_loaded) == 15
    for name, asked in asked_when_loaded.items():
        assert site.counts()[f"/audio/{name}.mp3"] == asked > before[f"/audio/{name}.mp3"]


def crawler() -> int:
    """Number of the process that crawls; others that have ended may not be asked for their command."""
    running = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return next(child.pid for child in running if "songgenre.sources.spider" in child.cmdline())


def test_crawler_that_was_killed_alone_is_told(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    fill(site, *SONGS)
    site.answers["/audio/song-03.mp3"] = lambda handler: os.kill(crawler(), signal.SIGKILL)
    with pytest.raises(UserError, match=r"shop.*-9.*crawl\.log"):
        Website(task(site, tmp_path / "kept")).collect(audio)


def test_torn_journal_does_no_harm(site: Any, task: Tasks, tmp_path: Path, audio: Path) -> None:
    fill(site, "one", "two")
    website = Website(task(site, tmp_path / "kept"))
    songs = website.collect(audio)
    journal = website.task.journal
    journal.write_text(journal.read_text()[:-20], "utf-8")
    assert website.collect(audio) == songs
    website.cleanup()
    assert list(tmp_path.iterdir()) == [audio]


def test_two_crawls_into_one_folder_do_not_meet(
    site: Any, task: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(site, "one")
    monkeypatch.setattr(spider, "LOCK_TIMEOUT_S", 0)
    monkeypatch.setattr(spider, "_exit_with_parent", lambda: None)
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(asdict(task(site, tmp_path))) + "\n"))
    with FileLock(tmp_path / ".lock"):
        spider.main()
    [message] = map(json.loads, capsys.readouterr().out.splitlines())
    assert str(tmp_path) in message["problem"]
    assert site.asked == []
