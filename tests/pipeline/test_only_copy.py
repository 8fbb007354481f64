"""Music that lies where a stage writes is refused before anything is removed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
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


@pytest.mark.parametrize(("source", "link"), [("folder", "data/raw"), ("demo", "data/raw/audio")])
def test_only_copy_survives_behind_a_link_at_the_place_of_an_output(
    fresh_clone: "Callable[..., Clone]", tmp_path: Path, source: str, link: str
) -> None:
    clone, place = fresh_clone(), tmp_path / "disk"
    (clone.root / "data" / "raw" / "audio").mkdir()
    (clone.root / link).rename(place)
    (clone.root / link).symlink_to(place)
    song = clone.root / "data" / "raw" / "audio" / "rock" / "song.ogg"
    song.parent.mkdir()
    song.write_bytes(b"the only copy")
    music = str(song.parent.parent.resolve()) if source == "folder" else ""
    write_section(clone.root / "params.yaml", "scraping", {"source": source, "folder": music})
    ended = subprocess.run(["dvc", "repro", "scraping"], cwd=clone.root, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert song.read_bytes() == b"the only copy"


@pytest.mark.slow
def test_links_in_the_place_of_an_output_go_and_what_they_lead_to_stays(
    fresh_clone: "Callable[..., Clone]", music: Path, tmp_path: Path
) -> None:
    clone, own = fresh_clone(), tmp_path / "own"
    shutil.copytree(music, own)
    before = {path: path.read_bytes() for path in own.rglob("*") if path.is_file()}
    audio = clone.root / "data" / "raw" / "audio"
    audio.mkdir()
    (audio / "Blues").symlink_to(own / "Blues")
    (audio / "a.ogg").symlink_to(own / "Pop" / "0.ogg")
    (audio / "b.ogg").hardlink_to(own / "Pop" / "1.ogg")
    write_section(clone.root / "params.yaml", "scraping", {"source": "folder", "folder": str(own)})
    clone.run("dvc", "repro", "scraping")
    assert {path.name for path in audio.iterdir()}.isdisjoint({"Blues", "a.ogg", "b.ogg"})
    assert {path: path.read_bytes() for path in own.rglob("*") if path.is_file()} == before
