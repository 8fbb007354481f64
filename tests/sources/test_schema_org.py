import json
from typing import Any

import lxml.html

from songgenre.sources.schema_org import MAX_DEPTH, Recording, parse_recording


def parse_nested(levels: int) -> Recording | None:
    """Parse a page whose JSON-LD has its recording that many levels down."""
    item: dict[str, Any] = {"@type": "AudioObject", "contentUrl": "/song.mp3"}
    for _ in range(levels):
        item = {"a": item}
    page = f'<html><body><script type="application/ld+json">{json.dumps(item)}</script></body></html>'
    return parse_recording(lxml.html.fromstring(page), "http://shop.test/song")


def test_recording_is_looked_for_down_to_a_depth() -> None:
    found = parse_nested(MAX_DEPTH)
    assert found is not None
    assert found.audio_url == "/song.mp3"
    assert parse_nested(MAX_DEPTH + 1) is None
