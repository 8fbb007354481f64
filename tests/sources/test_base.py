import hashlib

import pytest

from songgenre.sources.base import MAX_TEXT_LENGTH, sanitize_text, track_id


def test_track_id_is_the_same_on_every_machine() -> None:
    assert track_id("folder", "rock/a.mp3") == "folder-" + hashlib.sha256(b"rock/a.mp3").hexdigest()[:12]


@pytest.mark.parametrize("source_id", ["rock/a.mp3", "Ænima, 日本語?.mp3", "../x y|z"])
def test_track_id_is_safe_in_a_file_name(source_id: str) -> None:
    assert track_id("folder", source_id).replace("-", "").isalnum()
    assert track_id("folder", source_id).isascii()


def test_track_id_tells_sources_and_songs_apart() -> None:
    assert len({track_id("folder", "a"), track_id("folder", "b"), track_id("demo", "a")}) == 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Été, 日本語", "Été, 日本語"),
        (" a\nb\t\x00c\u2028d ", "a b c d"),
        (f"caf{chr(0xDCE9)}", "caf\ufffd"),
        ("x" * 10_000, "x" * MAX_TEXT_LENGTH),
        ("", None),
        ("\x00\n", None),
        (None, None),
    ],
)
def test_text_is_made_fit_for_a_table(text: str | None, shown: str | None) -> None:
    assert sanitize_text(text) == shown
