"""Music that lies where a stage writes is refused before anything is removed."""

import re
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from songgenre.params import write_section

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("source", "folder", "stage"),
    [
        ("folder", "data/raw/audio", "scraping"),
        ("demo", "data/raw/audio/rock", "scraping"),
        ("folder", "data/pretrained", "pretrained"),
    ],
)
def test_only_copy_of_the_music_survives(
    fresh_clone: "Callable[..., Clone]", source: str, folder: str, stage: str
) -> None:
    clone = fresh_clone()
    song = clone.root / folder / "song.ogg"
    song.parent.mkdir(parents=True)
    song.write_bytes(b"the only copy")
    write_section(clone.root / "params.yaml", "scraping", {"source": source, "folder": folder})
    ended = subprocess.run(["dvc", "repro", "--single-item", stage], cwd=clone.root, capture_output=True, text=True)
    assert ended.returncode != 0
    assert re.search(r"in or above the folders of this project", ended.stdout + ended.stderr)
    assert song.read_bytes() == b"the only copy"
