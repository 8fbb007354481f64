"""JupyterLab as `make lab` opens it: a notebook is run, saved and edited by hand; what git and DVC make of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import Browser, Page, Response, expect

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration
NAME = "02_wrangling"
STAGES = ["scraping", "wrangling", "eda"]
PATIENCE = 180_000
"""In ms."""


@pytest.fixture(scope="module")
def clone(small: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A small clone, built."""
    return small.copy(tmp_path_factory.mktemp("lab") / "project")


@pytest.fixture(scope="module")
def lab(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[re.Match[str]]:
    """The address that JupyterLab names, started by the recipe of `make lab`: its beginning and its token."""
    recipe = clone.run("make", "--no-print-directory", "--dry-run", "lab").splitlines()[-1]
    own = tmp_path_factory.mktemp("jupyter")
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_DATA_DIR": str(own / "data"),
        "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
        "IPYTHONDIR": str(own / "ipython"),
    }
    command = [*shlex.split(f"env {recipe}"), "--no-browser", "--port=0", "--ip=127.0.0.1"]
    with (own / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=clone.root, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(600):
            if found := re.search(r"(http://127\.0\.0\.1:\d+/lab)\S*(\?token=\w+)", (own / "log").read_text()):
                break
            assert server.poll() is None, (own / "log").read_text()
            time.sleep(0.2)
        assert found, (own / "log").read_text()
        yield found
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture(scope="module")
def opened(browser: Browser, lab: re.Match[str]) -> Iterator[Page]:
    """The notebook, on a screen that is high enough for all its cells."""
    page = browser.new_page(viewport={"width": 1400, "height": 9000})
    page.goto(f"{lab[1]}/tree/{NAME}.ipynb{lab[2]}")
    expect(page.locator(".jp-Notebook .jp-CodeCell").first).to_be_visible(timeout=PATIENCE)
    yield page
    page.close()


def notebook(clone: Clone) -> Path:
    return clone.root / "notebooks" / f"{NAME}.ipynb"


def save(page: Page) -> None:
    """Save, and wait until the server has written the file."""

    def saved(answer: Response) -> bool:
        return answer.request.method == "PUT" and "/api/contents/" in answer.url

    with page.expect_response(saved, timeout=PATIENCE) as answer:
        page.keyboard.press("Control+s")
    assert answer.value.ok


def stale(clone: Clone) -> dict:
    return json.loads(clone.run("dvc", "status", "--json", *STAGES).splitlines()[-1])


def test_opens_on_the_contents_from_which_a_notebook_opens(page: Page, lab: re.Match[str]) -> None:
    page.goto(lab[0])
    page.get_by_role("link", name=re.compile("^03 ")).click(timeout=PATIENCE)
    expect(page.locator(".jp-Notebook .jp-CodeCell").first).to_be_visible(timeout=PATIENCE)
    assert page.get_by_text("Jupyter news").count() == 0


def test_notebook_that_is_run_by_hand_gives_what_the_pipeline_gave_in_another_place(opened: Page, clone: Clone) -> None:
    official = [clone.root / "data" / "clean" / name for name in ("tracks.parquet", "excluded.parquet")]
    by_hand = [clone.root / "scratch" / NAME / path.relative_to(clone.root) for path in official]
    before = [path.stat().st_mtime_ns for path in official]
    expect(opened.get_by_text(re.compile(r"Python 3 \| Idle"))).to_be_visible(timeout=PATIENCE)
    opened.locator(".lm-MenuBar-item", has_text=re.compile("^Run$")).click()
    opened.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    cells = opened.locator(".jp-CodeCell")
    expect(cells.last.locator(".jp-OutputArea-output").first).to_be_visible(timeout=PATIENCE)
    expect(opened.get_by_text(re.compile(r"decoding .*\b(\d+)/\1\b"))).to_be_visible(timeout=PATIENCE)
    figures = opened.locator(".jp-OutputArea img")
    assert figures.count() >= 1
    assert all(figures.nth(place).evaluate("image => image.naturalWidth > 100") for place in range(figures.count()))
    assert opened.locator("[data-mime-type='application/vnd.jupyter.error'], [data-mime-type$=stderr]").count() == 0
    expect(opened.get_by_text(f"scratch/{NAME}/")).to_be_visible()
    assert [path.stat().st_mtime_ns for path in official] == before
    assert [path.read_bytes() for path in by_hand] == [path.read_bytes() for path in official]
    save(opened)
    assert clone.run("git", "status", "--porcelain") == ""
    assert stale(clone) == {}


def test_cell_that_shift_enter_appends_is_not_saved(opened: Page, clone: Clone) -> None:
    before = notebook(clone).read_bytes()
    cells = opened.locator(".jp-Notebook-cell")
    number = cells.count()
    opened.locator(".jp-CodeCell .cm-content").last.click()
    opened.keyboard.press("Shift+Enter")
    expect(cells).to_have_count(number + 1, timeout=PATIENCE)
    save(opened)
    assert notebook(clone).read_bytes() == before
    assert stale(clone) == {}


def test_editing_a_code_cell_makes_its_stage_stale_and_no_other(opened: Page, clone: Clone) -> None:
    before = nbformat.read(notebook(clone), as_version=4)
    opened.locator(".jp-CodeCell .cm-content", has_text="tracks, excluded = clean_catalogue(").click()
    opened.keyboard.press("Control+End")
    opened.keyboard.press("Enter")
    opened.keyboard.type("len(tracks)")
    save(opened)
    after = nbformat.read(notebook(clone), as_version=4)
    edited = [b for a, b in zip(before.cells, after.cells, strict=True) if a != b]
    assert [cell.source.splitlines()[-1] for cell in edited] == ["len(tracks)"]
    assert clone.run("git", "status", "--porcelain") == f" M notebooks/{NAME}.ipynb\n"
    assert stale(clone) == {"wrangling": [{"changed deps": {f"notebooks/{NAME}.ipynb": "modified"}}]}
