import hashlib

import pytest

from songgenre.sources.base import track_id


def test_track_id_is_the_same_on_every_machine() -> None:
    assert track_id("folder", "rock/a.mp3") == "folder-" + hashlib.sha256(b"rock/a.mp3").hexdigest()[:12]


@pytest.mark.parametrize("source_id", ["rock/a.mp3", "Ænima, 日本語?.mp3", "../x y|z"])
def test_track_id_is_safe_in_a_file_name(source_id: str) -> None:
    assert track_id("folder", source_id).replace("-", "").isalnum()
    assert track_id("folder", source_id).isascii()


def test_track_id_tells_sources_and_songs_apart() -> None:
    assert len({track_id("folder", "a"), track_id("folder", "b"), track_id("demo", "a")}) == 3
