import json
import os
import re
from pathlib import Path

import pytest

from songgenre.errors import UserError
from songgenre.params import load_params
from songgenre.paths import Project
from songgenre.sources import own_music

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "clone"
    root.mkdir()
    (root / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return Project(root)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "my music"
    (folder / "rock").mkdir(parents=True)
    (folder / "rock" / "a.mp3").write_text("a sound")
    return folder


def fingerprint(project: Project) -> dict[str, object]:
    own_music.update_fingerprint(project, load_params(project.params).scraping)
    return json.loads(project.fingerprint.read_text())


@pytest.mark.parametrize(
    "name", ["plain", "a (b), ~c #1: {x}", "d'e\"f", "日本語", "- x", " y ", "a\nb", "null", "${x}"]
)
def test_folder_of_any_name_is_set(project: Project, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    own_music.set_folder(project, folder)
    scraping = load_params(project.params).scraping
    assert (scraping.source, scraping.folder) == ("folder", str(folder))


@pytest.mark.parametrize("name", ["nowhere", "a", "loop", "~nobody-of-that-name/music"])
def test_what_is_no_folder_is_refused(project: Project, tmp_path: Path, name: str) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match=name):
        own_music.set_folder(project, Path(name) if name.startswith("~") else tmp_path / name)


def test_links_that_lead_nowhere_are_in_the_fingerprint(project: Project, music: Path) -> None:
    own_music.set_folder(project, music)
    seen = {str(fingerprint(project))}
    for number, target in enumerate(("nowhere", "x" * 300, "2"), start=1):
        (music / "rock" / str(number)).symlink_to(target)
        seen.add(str(fingerprint(project)))
    assert len(seen) == 4


def test_only_two_lines_of_the_parameters_change(project: Project, music: Path) -> None:
    before = project.params.read_text().splitlines()
    own_music.set_folder(project, music)
    after = project.params.read_text().splitlines()
    assert len(before) == len(after)
    changed = [new for old, new in zip(before, after, strict=True) if old.split() != new.split()]
    assert [line.split(":")[0].strip() for line in changed] == ["source", "folder"]
    own_music.set_folder(project, music)
    assert project.params.read_text().splitlines() == after


@pytest.mark.parametrize("place", ["data/raw/audio", "data", "models/music", ".", "..", "nowhere", "params.yaml"])
def test_folder_that_stages_would_empty_is_refused(project: Project, place: str) -> None:
    for folder in ("data/raw/audio", "models/music"):
        (project.root / folder).mkdir(parents=True, exist_ok=True)
    before = project.params.read_text()
    with pytest.raises(UserError, match=re.escape(str(project.root.parent))):
        own_music.set_folder(project, project.root / place)
    assert project.params.read_text() == before


@pytest.mark.parametrize("link", ["data", "data/raw", "data/raw/audio", "data/pretrained"])
def test_output_behind_a_link_is_refused(project: Project, tmp_path: Path, link: str) -> None:
    for output in (project.audio, project.pretrained):
        output.mkdir(parents=True)
    own_music.check_source(project, load_params(project.params).scraping)
    (project.root / link).rename(tmp_path / "disk")
    (project.root / link).symlink_to(tmp_path / "disk")
    with pytest.raises(UserError, match="link"):
        own_music.check_source(project, load_params(project.params).scraping)


def test_project_behind_a_link_is_not_refused(project: Project, tmp_path: Path) -> None:
    project.audio.mkdir(parents=True)
    (tmp_path / "link").symlink_to(project.root)
    own_music.check_source(Project(tmp_path / "link"), load_params(project.params).scraping)


def test_fingerprint_of_other_sources_is_empty_as_it_is_committed(project: Project) -> None:
    assert fingerprint(project) == {}
    assert project.fingerprint.read_bytes() == (ROOT / "data" / "raw" / "folder.json").read_bytes()


def test_fingerprint_changes_with_the_folder_alone(project: Project, music: Path) -> None:
    own_music.set_folder(project, music)
    seen = [fingerprint(project)]
    assert seen[0]["files"] == 1
    assert fingerprint(project) == seen[0]

    def changes() -> bool:
        seen.append(fingerprint(project))
        return seen[-1] not in seen[:-1]

    (music / "rock" / "cover.jpg").touch()
    assert not changes()
    (music / "rock" / "b.mp3").touch()
    assert changes()
    (music / "rock" / "b.mp3").write_text("a sound")
    assert changes()
    os.utime(music / "rock" / "b.mp3", (1, 1))
    assert changes()
    (music / "rock" / "b.mp3").rename(music / "rock" / "c.mp3")
    assert changes()
    (music / "rock" / "d.mp3").symlink_to("nowhere")
    assert changes()
    (music / "tracks.csv").write_text("file,genre\n")
    assert changes()
