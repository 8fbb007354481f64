"""The slides turn by keyboard, one at a time."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from playwright.sync_api import Page, expect

from songgenre.paths import Project
from songgenre.report.site import build
from songgenre.report.slides import write_slides

pytestmark = pytest.mark.integration


def test_keys_turn_the_slides(page: Page, tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    project.notebooks.mkdir()
    for name in ("03_eda", "04_features"):
        cell = new_markdown_cell(f"# About {name}\n\nWhat is there?", id="story")
        nbformat.write(new_notebook(cells=[cell]), project.notebooks / f"{name}.ipynb")
    build(project)
    write_slides(project, tmp_path / "slides.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "slides.html").as_uri())
    expect(page.locator("h1")).to_be_in_viewport()
    for key, title in [
        ("ArrowRight", "About 03_eda"),
        ("PageDown", "About 04_features"),
        ("ArrowRight", "About 04_features"),
        ("ArrowLeft", "About 03_eda"),
        ("End", "About 04_features"),
        ("Home", "Which genre is this song?"),
    ]:
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=title)).to_be_in_viewport()
        assert page.evaluate("document.querySelector('main').scrollTop % innerHeight") == 0
    assert asked == [page.url]
