import json
from typing import Any

import lxml.html
import pytest

from songgenre.sources.schema_org import MAX_DEPTH, Recording, parse_recordings


def parse_nested(levels: int) -> list[Recording]:
    """Parse a page whose JSON-LD has its recording that many levels down."""
    item: dict[str, Any] = {"@type": "AudioObject", "contentUrl": "/song.mp3"}
    for _ in range(levels):
        item = {"a": item}
    page = f'<html><body><script type="application/ld+json">{json.dumps(item)}</script></body></html>'
    return parse_recordings(lxml.html.fromstring(page), "http://shop.test/song")


def test_recording_is_looked_for_down_to_a_depth() -> None:
    assert [found.audio_url for found in parse_nested(MAX_DEPTH)] == ["/song.mp3"]
    assert parse_nested(MAX_DEPTH + 1) == []


RECORDING = '{"@type": "MusicRecording", "name": "Rock &amp; Roll", "audio": {"contentUrl": "/song.mp3"}}'


def parse(page: str) -> list[tuple[str, str | None]]:
    document = lxml.html.fromstring(f"<html><body>{page}</body></html>")
    return [(found.audio_url, found.title) for found in parse_recordings(document, "http://shop.test/songs/one")]


@pytest.mark.parametrize(
    "page",
    [
        '<script type="application/ld+json">{oops</script><script type="application/ld+json">{}</script>',
        '<script type=" Application/LD+JSON;charset=utf-8">{}</script>',
        '<script type="application/ld+json">\ufeff{}</script>',
        '<script type="application/ld+json">// <![CDATA[\n{}\n// ]]></script>',
        '<script type="application/ld+json">/*<![CDATA[*/{}/*]]>*/</script>',
        '<script type="application/ld+json"><![CDATA[{}]]></script>',
        '<script type="application/ld+json"><!--\n[{}]\n//--></script>',
        '<script type="application/ld+json">{};</script>',
        '<script type="application/ld+json">[null, 3, {}]</script>',
    ],
)
def test_json_ld_is_read_however_it_is_wrapped(page: str) -> None:
    assert parse(page.replace("{}", RECORDING)) == [("/song.mp3", "Rock & Roll")]
    assert parse(page.replace("{}", RECORDING.replace('"', "&quot;"))) == [("/song.mp3", "Rock & Roll")]


@pytest.mark.parametrize(
    "audio",
    [
        '"/song.mp3"',
        '["", "/song.mp3"]',
        '[{"@type": "VideoObject", "contentUrl": "/film.mp4"}, {"@type": "AudioObject", "contentUrl": "/song.mp3"}]',
        '{"@type": "schema:AudioObject", "schema:contentUrl": ["/song.mp3", "/song.ogg"]}',
        '{"@type": "AudioObject", "contentUrl": {"@id": "/song.mp3"}, "embedUrl": "/player"}',
        '{"@type": "AudioObject", "embedUrl": "/song.mp3"}',
        '{"@type": "AudioObject", "url": "/song.mp3", "name": "Preview"}',
    ],
)
def test_audio_is_an_address_or_an_item_or_a_list(audio: str) -> None:
    markup = f'{{"@type": "http://schema.org/MusicRecording", "name": "Song", "audio": {audio}}}'
    assert parse(f'<script type="application/ld+json">{markup}</script>') == [("/song.mp3", "Song")]


def test_song_of_an_album_is_not_taken_for_the_album() -> None:
    other = {"@type": "MusicRecording", "name": "Other", "audio": "/other.mp3"}
    album = {"@type": "MusicAlbum", "track": [other], "byArtist": "Anna"}
    song = {"@type": "MusicRecording", "name": "Song", "inAlbum": album, "audio": "/song.mp3"}
    assert parse(f'<script type="application/ld+json">{json.dumps([album, song])}</script>') == [("/song.mp3", "Song")]
    album["track"] = [other, {"@type": "MusicRecording", "audio": "/more.mp3"}, dict(other, name="The same audio")]
    assert parse(f'<script type="application/ld+json">{json.dumps(album)}</script>') == [
        ("/other.mp3", "Other"),
        ("/more.mp3", None),
    ]


def test_items_that_refer_to_each_other_in_a_circle_are_read() -> None:
    graph = [
        {"@type": "MusicRecording", "@id": "#a", "audio": {"@id": "#b"}, "byArtist": {"@id": "#a"}},
        {"@type": "AudioObject", "@id": "#b", "contentUrl": {"@id": "#b"}, "creator": {"@id": "#a"}},
    ]
    assert parse(f'<script type="application/ld+json">{json.dumps(graph)}</script>') == [("#b", None)]
