"""Sites of the kinds that publish music, with the structure of their pages and invented content, crawled."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import pytest

from songgenre.sources.base import Track
from songgenre.sources.website import CrawlConfig, Website

pytestmark = pytest.mark.integration

ALBUM = {
    "@context": "https://schema.org",
    "@type": "MusicAlbum",
    "name": "Tin Roof",
    "byArtist": {"@type": "MusicGroup", "name": "The Gutters"},
    "license": "https://creativecommons.org/licenses/by/4.0/",
    "numTracks": 3,
    "track": {
        "@type": "ItemList",
        "itemListElement": [
            {
                "@type": "ListItem",
                "position": 1,
                "item": {"@type": "MusicRecording", "name": "Rain", "audio": "/a1.mp3"},
            },
            {"@type": "ListItem", "position": 2, "item": {"@type": "MusicRecording", "name": "Only on vinyl"}},
            {
                "@type": "ListItem",
                "position": 3,
                "item": {
                    "@type": "MusicRecording",
                    "name": "Hail",
                    "byArtist": {"@type": "Person", "name": "Guest"},
                    "audio": {"@type": "AudioObject", "contentUrl": "/a3.mp3"},
                },
            },
        ],
    },
}
"""A record shop of artists: the page of an album."""

GRAPH = {
    "@context": "https://schema.org",
    "@graph": [
        {"@type": "WebPage", "@id": "#page", "mainEntity": {"@id": "#song"}},
        {"@type": "BreadcrumbList", "itemListElement": [{"@type": "ListItem", "position": 1, "name": "Music"}]},
        {
            "@type": ["MusicRecording", "Product"],
            "@id": "#song",
            "name": "Corporate Sunrise &amp; Smile",
            "byArtist": {"@id": "#author"},
            "audio": {"@id": "#preview"},
        },
        {"@type": "Person", "@id": "#author", "name": "Stock Composer"},
        {"@type": "AudioObject", "@id": "#preview", "contentUrl": "/preview.mp3?sig=1&amp;copy=2"},
        {
            "@type": "ItemList",
            "name": "Related items",
            "itemListElement": [{"@type": "MusicRecording", "name": "Another", "audio": "/another.mp3"}],
        },
    ],
}
"""A marketplace: linked items, among them related ones, after a block that a template left broken."""

ARCHIVE = """<html itemscope itemtype="http://schema.org/ItemPage"><body>
<div itemprop="mainEntity" itemscope itemtype="http://schema.org/MusicRecording">
<h1 itemprop="name">Wax Cylinder 7</h1><dd itemprop="creator"><a href="/who">Field Band</a></dd>
<a itemprop="license" href="https://creativecommons.org/publicdomain/mark/1.0/">PD</a>
<audio itemprop="audio" controls><source src="/cylinder.ogg"><source src="/cylinder.mp3"></audio></div></body></html>"""
"""An archive: microdata around a player."""

FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>
<title>Cellar Sessions</title><itunes:author>Cellar Radio</itunes:author><itunes:category text="Music"/>
<item><title>Part 1</title><enclosure url="/part1.mp3" length="5" type="audio/mpeg"/></item>
<item><title>A note without sound</title></item>
<item><title>Part 2 &amp; end</title><itunes:author>Guests</itunes:author>
<enclosure url="/cover.jpg" type="image/jpeg"/><enclosure url="/part2.mp3" length="5" type="audio/mpeg"/></item>
</channel></rss>"""
"""A podcast: the feed is the listing."""

SHARED = """<html prefix="og: https://ogp.me/ns#"><head><meta property="og:type" content="music.song">
<meta property="og:title" content="Shared Song"><meta property="og:audio" content="/plain.mp3">
<meta property="og:audio:secure_url" content="/shared.mp3"></head><body></body></html>"""
"""A streaming service: Open Graph for those who share its links."""

LABEL = """<html><body vocab="https://schema.org/"><article typeof="MusicRecording" resource="#it">
<h1 property="name">Linked Song</h1><p property="byArtist" typeof="MusicGroup"><a property="url" href="/b">
<span property="name">Triple Store</span></a></p>
<div property="audio" typeof="AudioObject"><a property="contentUrl" href="/linked.flac">listen</a></div>
</article></body></html>"""
"""A label: RDFa."""


class Crawls(NamedTuple):
    """The songs of all these sites, by the name of their audio there, which is also its content; and a second crawl."""

    songs: dict[str, Track]
    again: list[Track]
    counts: Counter[str]


@pytest.fixture(scope="module")
def crawls(
    open_site: Callable[[], AbstractContextManager[Any]],
    task: Callable[..., CrawlConfig],
    tmp_path_factory: pytest.TempPathFactory,
) -> Crawls:
    root = tmp_path_factory.mktemp("kinds")
    (root / "audio").mkdir()
    with open_site() as site:
        broken = '<script type="application/ld+json">{"@type": "Offer", "price": }</script>'
        hidden = f"<script type='application/LD+JSON; charset=utf-8'>//<![CDATA[\n{json.dumps(GRAPH)}\n//]]></script>"
        site.page("/song/album", f'<script type="application/ld+json">{json.dumps(ALBUM)}</script>')
        site.page("/song/market", broken + hidden)
        site.page("/song/archive", ARCHIVE)
        site.page("/song/shared", SHARED)
        site.page("/song/label", LABEL)
        site.listing("/rock", "album", "market", "archive", "shared", "label")
        site.page("/feed", FEED, type_="application/rss+xml")
        named = ("a1.mp3", "a3.mp3", "preview.mp3?sig=1&copy=2", "cylinder.ogg", "part1.mp3", "part2.mp3")
        for name in (*named, "shared.mp3", "linked.flac"):
            site.file(f"/{name}", name.encode())
        listing_urls = {"rock": [f"{site.url}/rock"], "radio": [f"{site.url}/feed"]}
        songs = Website(task(site, root / "kept", listing_urls=listing_urls)).collect(root / "audio")
        assert [song.detail for song in songs if not song.file] == []
        one_song = task(site, root / "kept", listing_urls=listing_urls, max_songs_per_genre=1)
        again = Website(one_song).collect(root / "audio")
        return Crawls({(root / "audio" / str(song.file)).read_text(): song for song in songs}, again, site.counts())


@pytest.fixture
def crawled(crawls: Crawls) -> dict[str, Track]:
    return crawls.songs


def test_each_recording_is_collected_with_what_its_page_says(crawled: dict[str, Track]) -> None:
    assert {name: (song.title, song.artist, song.genres) for name, song in crawled.items()} == {
        "a1.mp3": ("Rain", "The Gutters", ("rock",)),
        "a3.mp3": ("Hail", "Guest", ("rock",)),
        "preview.mp3?sig=1&copy=2": ("Corporate Sunrise & Smile", "Stock Composer", ("rock",)),
        "cylinder.ogg": ("Wax Cylinder 7", "Field Band", ("rock",)),
        "shared.mp3": ("Shared Song", None, ("rock",)),
        "linked.flac": ("Linked Song", "Triple Store", ("rock",)),
        "part1.mp3": ("Part 1", "Cellar Radio", ("radio",)),
        "part2.mp3": ("Part 2 & end", "Guests", ("radio",)),
    }
    assert crawled["a1.mp3"].license == ALBUM["license"]
    assert crawled["cylinder.ogg"].license == "https://creativecommons.org/publicdomain/mark/1.0/"


def test_songs_of_an_album_and_a_feed_have_names_of_their_own(crawled: dict[str, Track]) -> None:
    names = [crawled[name].source_id for name in ("a1.mp3", "a3.mp3", "part1.mp3", "part2.mp3")]
    assert names == ["/song/album", "/song/album#2", "/feed", "/feed#2"]


def test_repeated_crawl_loads_no_audio_again_and_keeps_to_the_number_of_songs(crawls: Crawls) -> None:
    assert {song.source_id: song.reason for song in crawls.again} == {
        "/song/album": None,
        "/song/album#2": "over_limit",
        "/feed": None,
        "/feed#2": "over_limit",
    }
    assert {crawls.counts[f"/{name}"] for name in crawls.songs} == {1}
