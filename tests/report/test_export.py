"""Copies of the site, a zip and a PDF."""

import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_markdown_cell, new_notebook

from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.report.export import BROWSERS, bind_pages, export, print_pdf
from songgenre.report.site import build


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    for path in (project.notebooks / "03_eda.ipynb", project.executed("03_eda")):
        path.parent.mkdir(parents=True)
        cell = new_markdown_cell("# Looking\n\nWhat is [there](https://librosa.org)?\n\n## Songs", id="story")
        nbformat.write(new_notebook(cells=[cell]), path)
    (project.root / "dvc.yaml").write_text("stages: {}\n")
    log = {"finished": True, "started": "2026-02-03T04:05:06+00:00", "seconds": 7.2, "peak_anonymous_mib": 89}
    project.log("03_eda").parent.mkdir(parents=True)
    project.log("03_eda").write_text(json.dumps(log | {"machine": "<A> & B"}))
    build(project)
    (project.html / "audio").mkdir()
    (project.html / "audio" / "song.mp3").write_bytes(b"la la la")
    return project


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_folder_holds_the_whole_site(project: Project, tmp_path: Path) -> None:
    export(project, tmp_path / "copy")
    copied, site = held(tmp_path / "copy"), held(project.html)
    assert copied["audio/song.mp3"] == site["audio/song.mp3"]
    assert copied.keys() == site.keys() - {"provenance.js"}
    assert {"index.html", "map.html", "03_eda.html", "audio/song.mp3"} == set(held(tmp_path / "copy"))


def test_copy_has_what_the_pages_read_from_the_logs_in_it(project: Project, tmp_path: Path) -> None:
    export(project, tmp_path / "copy")
    soup = BeautifulSoup((tmp_path / "copy" / "03_eda.html").read_text("utf-8"), "html.parser")
    assert not soup("script", src=True)
    [known] = [script.get_text() for script in soup("script") if "window.runs =" in script.get_text()]
    assert json.loads(known.strip().removeprefix("window.runs = ").rstrip(";"))["03_eda"]["machine"] == "<A> & B"
    assert "<A>" not in known


def test_bound_pages_say_how_the_runs_went(project: Project) -> None:
    soup = BeautifulSoup(bind_pages(project), "html.parser")
    facts = {place["data-fact"]: place.get_text() for place in soup("span", {"data-run": "03_eda"})}
    assert facts["machine"] == "<A> & B"
    assert all(part in facts["run"] for part in ("2026-02-03 04:05 UTC", "7 s", "89 MiB"))
    assert "not" in facts["commit"]


def test_folder_that_holds_something_is_left_alone(project: Project, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear all")
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "mine"))):
        export(project, tmp_path / "mine")
    assert list(held(tmp_path / "mine")) == ["letter.txt"]


def test_zip_unpacks_to_the_site_and_has_the_same_bytes_whenever_it_is_made(project: Project, tmp_path: Path) -> None:
    export(project, tmp_path / "site.zip")
    first = (tmp_path / "site.zip").read_bytes()
    for path in project.html.rglob("*.html"):
        os.utime(path, (1, 1))
    export(project, tmp_path / "site.zip", force=True)
    assert (tmp_path / "site.zip").read_bytes() == first
    shutil.unpack_archive(tmp_path / "site.zip", tmp_path / "unpacked")
    export(project, tmp_path / "folder")
    assert held(tmp_path / "unpacked" / "site") == held(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "site.zip") as archive:
        assert archive.testzip() is None


def test_bound_pages_lead_to_each_other(project: Project) -> None:
    soup = BeautifulSoup(bind_pages(project), "html.parser")
    assert [main["id"] for main in soup("main")] == ["index", "map", "03_eda", "made"]
    targets = [link["href"] for link in soup("a")]
    assert "https://librosa.org" in targets
    inner = {target for target in targets if target.startswith("#")}
    assert {"#03_eda", "#map", "#03_eda--songs"} <= inner
    assert all(soup.find(id=target[1:]) for target in inner)


def test_bound_pages_contain_the_cards_and_a_chapter_about_their_making(project: Project, tmp_path: Path) -> None:
    with_cards = Project(shutil.copytree(project.root, tmp_path / "project"))
    report = (with_cards.html / "03_eda.html").read_text("utf-8")
    for name in ("model_card", "data_card"):
        (with_cards.html / f"{name}.html").write_text(report.replace("librosa.org", f"{name}.org"), "utf-8")
    (with_cards.html / "index.html").write_text(report.replace("https://librosa.org", "model_card.html"), "utf-8")
    soup = BeautifulSoup(bind_pages(with_cards), "html.parser")
    assert [main["id"] for main in soup("main")] == ["index", "map", "03_eda", "model_card", "data_card", "made"]
    assert soup.select_one('#index a[href="#model_card"]')
    assert soup.title.get_text() == "Song Genre Classification"
    assert not soup.select("main:not(#made) footer")
    assert len(soup.select("#made footer")) == 4


@pytest.mark.integration
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="No Chromium to print with")
def test_pdf_is_printed(project: Project, tmp_path: Path) -> None:
    print_pdf(project, tmp_path / "site.pdf")
    content = (tmp_path / "site.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") >= 3


def test_without_chromium_the_error_says_what_to_install(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="chromium"):
        print_pdf(project, tmp_path / "site.pdf")
    assert not (tmp_path / "site.pdf").exists()


def test_without_a_site_there_is_nothing_to_take_along(tmp_path: Path) -> None:
    for take in (export, print_pdf):
        with pytest.raises(UserError, match="dvc repro"):
            take(Project(tmp_path), tmp_path / "new")
