"""Many mutated pages: each song is collected or has a reason. `SONGGENRE_SOAK=10` crawls ten times as many."""

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from songgenre.sources.website import CrawlConfig, Website

pytestmark = pytest.mark.slow
FACTOR = int(os.environ.get("SONGGENRE_SOAK", "1"))
TYPES = ["text/html", "text/html; charset=utf-16", "text/html; charset=hex", "text/plain", "application/xhtml+xml", ""]
PIECES = [b"<", b">", b'"', b"\0", b"{", b"[", b"]]", b"<script>", b"</script>", b"<!--", b"&#x110000;", b"\xff"]


def mutated_page(seed: int) -> bytes:
    """A song page in which some bytes are changed, cut out or replaced by markup."""
    chance = random.Random(seed)
    recording = {"@type": "MusicRecording", "audio": {"@type": "AudioObject", "contentUrl": "/a.mp3"}}
    page = bytearray(f'<script type="application/ld+json">{json.dumps(recording)}</script><p itemscope>'.encode())
    for _ in range(chance.randint(0, 4)):
        place = chance.randrange(len(page))
        page[place : place + chance.randint(0, 10)] = chance.choice(PIECES) * chance.choice([1, 1, 1, 1000])
    return bytes(page)


def test_mutated_pages_are_read_or_refused_with_a_reason(
    site: Any,
    task: Callable[..., CrawlConfig],
    tmp_path: Path,
    audio: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    n = 100 * FACTOR
    site.file("/a.mp3", b"la")
    for seed in range(n):
        site.file(f"/song/{seed}", mutated_page(seed), type_=TYPES[seed % len(TYPES)] if seed % 3 == 0 else TYPES[0])
    site.listing("/rock", *map(str, range(n)))
    songs = Website(task(site, tmp_path / "kept", max_songs_per_genre=n, retries=0)).collect(audio)
    outcomes = Counter("collected" if song.file else "refused" for song in songs)
    with capsys.disabled():
        print(f"\nmutated pages: {n} tried, {len(songs)} ended as promised; {dict(outcomes)}")
    assert len(songs) == n
    assert all(song.file or song.detail for song in songs)
    assert "Traceback" not in (tmp_path / "kept" / "crawl.log").read_text()
