"""The report site in a real browser: it keeps to itself, fits a phone and works without a mouse."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, Page, expect

from songgenre.evaluation.files import write_metrics
from songgenre.evaluation.metrics import Metrics
from songgenre.paths import Project
from songgenre.plots.style import draw_svg, use_style
from songgenre.report.site import build

pytestmark = pytest.mark.integration
PIPELINE = """
stages:
  eda: {cmd: songgenre notebook run 03_eda, desc: Look, outs: [a]}
  features: {cmd: songgenre notebook run 04_features, desc: Describe, outs: [b]}
  sklearn: {cmd: songgenre notebook run 05_sklearn, desc: Learn, deps: [b], outs: [c]}
  evaluation: {cmd: songgenre notebook run 08_evaluation, desc: Compare, deps: [a, c], outs: [d]}
  report: {cmd: songgenre report build, desc: Show, deps: [d]}
"""
NAMES = ["03_eda", "04_features", "05_sklearn", "08_evaluation"]
WAITING = "08_evaluation"
REPORTS = ["index", *NAMES, "map"]
UNRECORDED = [WAITING, "map"]
RUNS = "provenance.js"
SMALLEST_LABEL_PT = 9
"""Smallest text of the project's figures, which are 9 inches wide."""
LOG = {
    "commit": "0123456789ab, and changes that were not committed",
    "machine": "<b>A processor</b>, 2 cores, Linux, Python 3.11.7",
    "started": "2026-01-02T03:04:05.678901+00:00",
    "seconds": 12.3,
    "peak_anonymous_mib": 456,
    "finished": True,
}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def drawn() -> nbformat.NotebookNode:
    use_style()
    figure, axes = plt.subplots(figsize=(9, 4))
    axes.plot([96, 120, 140])
    axes.set(title="Tempo", xlabel="song", ylabel="tempo [BPM]")
    svg = draw_svg(figure)
    plt.close(figure)
    about = {"alt": "A rising line", "caption": "Tempo.", "width": 990}
    return new_output("display_data", {"image/svg+xml": svg}, metadata={"image/svg+xml": about})


def written(path: Path, title: str) -> None:
    wide = pd.DataFrame(np.zeros((3, 20)), columns=[f"mfcc_{number:02}_mean" for number in range(20)])
    code = "print('a long line')  # " + "and longer " * 20
    cells = [
        new_markdown_cell(f"# {title}\n\nWhat is [there](https://librosa.org)?\n\n## {'Averylongword' * 6}"),
        new_code_cell("seed = 0", metadata={"tags": ["injected-parameters"]}),
        new_code_cell(code, outputs=[new_output("stream", name="stdout", text="a long line " * 30)]),
        new_code_cell("draw()", outputs=[drawn(), new_output("display_data", {"text/html": wide.to_html()})]),
        new_markdown_cell("## Conclusions\n\n" + "Six genres are left. " * 200),
    ]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, write_corpus: Callable[[Project], pd.DataFrame]) -> Path:
    project = Project(tmp_path_factory.mktemp("project"))
    (project.root / "dvc.yaml").write_text(PIPELINE)
    for name in NAMES:
        written(project.notebooks / f"{name}.ipynb", f"The title of {name}")
        if name != WAITING:
            written(project.executed(name), f"The title of {name}")
    score = Metrics(
        accuracy=0.8,
        balanced_accuracy=0.8,
        macro_f1=0.8,
        ci95_low=0.7,
        ci95_high=0.9,
        top2_accuracy=0.9,
        log_loss=0.6,
        expected_calibration_error=0.1,
        n_test=48,
        f1={"jazz": 0.7, "rock": 0.9},
        precision={"jazz": 0.7, "rock": 0.9},
        recall={"jazz": 0.7, "rock": 0.9},
        data_hash="0" * 12,
        model_hash="1" * 12,
    )
    baseline = score.model_copy(update={"accuracy": 0.2, "ci95_low": 0.1, "ci95_high": 0.3})
    write_metrics({"baseline": baseline, "svm": score}, project.metrics("sklearn"))
    write_corpus(project)
    project.log("03_eda").parent.mkdir()
    project.log("03_eda").write_text(json.dumps(LOG))
    return build(project)


@pytest.fixture(scope="module")
def site(front: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(front.parent))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_asks_for_nothing_but_itself_and_how_the_runs_went(
    page: Page, site: str, name: str, requests: list[str], complaints: list[str]
) -> None:
    page.goto(f"{site}/{name}.html", wait_until="networkidle")
    assert requests == [f"{site}/{name}.html", *([] if name in UNRECORDED else [f"{site}/{RUNS}"])]
    assert not complaints


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_opens_from_disk(page: Page, front: Path, name: str, requests: list[str], complaints: list[str]) -> None:
    address = front.with_name(f"{name}.html").as_uri()
    page.goto(address, wait_until="networkidle")
    assert requests == [address, *([] if name in UNRECORDED else [front.with_name(RUNS).as_uri()])]
    assert not complaints
    expect(page.locator("h1")).to_be_visible()


def test_links_lead_to_every_report_and_back(page: Page, site: str) -> None:
    page.goto(f"{site}/index.html")
    for place in (".reports", ".pipeline.beside", ".cards"):
        for name in NAMES:
            page.locator(f'{place} a[href="{name}.html"]').click()
            expect(page).to_have_url(f"{site}/{name}.html")
            expect(page.locator(".reports [aria-current=page]")).to_have_attribute("href", f"{name}.html")
            page.locator("a.home").click()
            expect(page).to_have_url(f"{site}/index.html")
    page.locator('.reports a[href="map.html"]').click()
    expect(page.locator(".reports [aria-current=page]")).to_have_attribute("href", "map.html")


def test_reports_follow_each_other(page: Page, site: str) -> None:
    page.goto(f"{site}/03_eda.html")
    expect(page.locator("a[rel=prev]")).to_have_count(0)
    page.locator("a[rel=next]").click()
    expect(page).to_have_url(f"{site}/04_features.html")
    page.locator("a[rel=prev]").click()
    expect(page).to_have_url(f"{site}/03_eda.html")
    page.goto(f"{site}/{NAMES[-1]}.html")
    page.locator("a[rel=next]").click()
    expect(page).to_have_url(f"{site}/map.html")
    page.locator("a[rel=prev]").click()
    expect(page).to_have_url(f"{site}/{NAMES[-1]}.html")


def test_contents_scroll_to_their_section(page: Page, site: str) -> None:
    page.goto(f"{site}/03_eda.html")
    heading = page.locator("#conclusions")
    expect(heading).not_to_be_in_viewport()
    page.locator(".contents a", has_text="Conclusions").click()
    expect(heading).to_be_in_viewport()


def test_one_switch_shows_the_code_by_keyboard(page: Page, site: str) -> None:
    page.goto(f"{site}/03_eda.html")
    code = page.locator(".cells details.code pre")
    switch = page.get_by_role("button", name="Show code")
    for key, shown in (("Enter", "true"), ("Space", "false")):
        assert any(block.is_visible() for block in code.all()) == (shown == "false")
        switch.focus()
        page.keyboard.press(key)
        expect(switch).to_have_attribute("aria-pressed", shown)
        assert all(block.is_visible() for block in code.all()) == (shown == "true")
    expect(page.locator(".cells summary").first).to_be_hidden()


def test_without_scripts_code_opens_cell_by_cell(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/03_eda.html")
    expect(page.get_by_role("button", name="Show code")).to_be_hidden()
    page.locator(".cells summary").first.click()
    expect(page.locator(".cells details.code pre").first).to_be_visible()
    context.close()


def test_the_section_that_is_read_is_marked(page: Page, site: str) -> None:
    page.set_viewport_size({"width": 1360, "height": 700})
    page.goto(f"{site}/03_eda.html")
    page.locator("#conclusions").scroll_into_view_if_needed()
    page.locator(".contents a", has_text="Conclusions").click()
    expect(page.locator(".contents [aria-current]")).to_have_text("Conclusions")
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    expect(page.locator(".contents [aria-current]", has_text="Conclusions")).to_have_count(0)


def test_on_a_phone_the_question_comes_first_and_the_menu_opens(page: Page, site: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site}/03_eda.html")
    expect(page.locator(".question")).to_be_in_viewport()
    expect(page.locator(".reports")).to_be_hidden()
    assert page.locator(".question").bounding_box()["y"] < page.locator(".contents").bounding_box()["y"]
    page.get_by_role("button", name="Menu").focus()
    page.keyboard.press("Enter")
    first = page.locator(".reports a").first
    expect(first).to_be_visible()
    expect(first).to_have_attribute("href", "map.html")
    page.keyboard.press("Escape")
    expect(page.locator(".reports")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 1440])
def test_a_figure_fits_the_screen_and_is_enlarged_until_its_labels_are_readable(
    page: Page, site: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{site}/03_eda.html")
    assert page.locator(".plot").first.evaluate("plot => plot.scrollWidth <= plot.clientWidth")
    enlarge, dialog = page.get_by_role("button", name="Enlarge Figure 1"), page.get_by_role("dialog", name="Figure 1")
    for opening in (partial(enlarge.press, "Enter"), page.locator(".plot img").first.click):
        opening()
        image = dialog.get_by_role("img")
        smallest_label = SMALLEST_LABEL_PT * image.evaluate("image => image.clientWidth") / (9 * 72)
        assert smallest_label >= 9
        assert image.bounding_box()["x"] >= 0
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(enlarge).to_be_focused()


def test_an_enlarged_figure_scrolls_and_closes_by_keyboard(page: Page, site: str) -> None:
    page.set_viewport_size({"width": 390, "height": 400})
    page.goto(f"{site}/03_eda.html")
    page.get_by_role("button", name="Enlarge Figure 1").press("Enter")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.enlarged .scroll').scrollLeft > 0")
    page.get_by_role("button", name="Close").press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_figures_are_light_on_light_pages_and_dark_on_dark_ones(page: Page, site: str) -> None:
    page.goto(f"{site}/03_eda.html")
    brightness = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        picture = plt.imread(io.BytesIO(page.locator(".plot img").first.screenshot()), format="png")
        brightness[scheme] = picture[..., :3].mean(axis=(1, 2))
    assert np.median(brightness["dark"]) < 0.15 < 0.9 < np.median(brightness["light"])
    assert brightness["dark"].max() > brightness["dark"].min() + 0.05


def test_wide_tables_are_wider_than_the_text_and_say_that_they_scroll(page: Page, site: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{site}/03_eda.html")
    table, text = page.locator(".scroll").first, page.locator(".cells > .text").first
    assert table.bounding_box()["width"] > 1.2 * text.bounding_box()["width"]
    assert table.evaluate("table => table.scrollWidth > table.clientWidth")
    assert "linear-gradient" in table.evaluate("table => getComputedStyle(table).backgroundImage")


def test_the_front_page_answers_before_the_pipeline_and_plays_a_song(page: Page, site: str) -> None:
    page.goto(f"{site}/index.html")
    order = ["h1", ".answer", ".thumbnail", ".sample a", "#pipeline"]
    places = [page.locator(place).first.bounding_box()["y"] for place in order]
    assert places == sorted(places)
    expect(page.locator(".answer")).to_contain_text("70\u201390")
    button = page.get_by_role("button", name="Play")
    button.focus()
    page.keyboard.press("Space")
    expect(page.locator(".sample a.playing")).to_contain_text("Pause")
    page.keyboard.press("Enter")
    expect(page.locator(".sample a.playing")).to_have_count(0)
    page.locator(".thumbnail").click()
    expect(page).to_have_url(f"{site}/map.html")


def test_the_first_stop_of_the_keyboard_skips_to_the_content(page: Page, site: str) -> None:
    page.goto(f"{site}/03_eda.html")
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    expect(page.locator("a.skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


@pytest.mark.parametrize("width", [320, 375, 768, 1360])
@pytest.mark.parametrize("name", ["index", "03_eda", WAITING, "map"])
def test_no_page_is_wider_than_the_screen(page: Page, site: str, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(f"{site}/{name}.html")
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_wide_table_scrolls_by_keyboard(page: Page, site: str) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    page.goto(f"{site}/03_eda.html")
    table = page.get_by_role("region", name="Table 1")
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.scroll').scrollLeft > 0")


def test_dark_mode_turns_the_page_dark(page: Page, site: str) -> None:
    def brightness(of: str) -> float:
        color: str = page.evaluate(f"getComputedStyle(document.body).{of}")
        return sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(","))) / (3 * 255)

    page.goto(f"{site}/index.html")
    page.emulate_media(color_scheme="light")
    assert brightness("backgroundColor") > 0.9 > 0.3 > brightness("color")
    page.emulate_media(color_scheme="dark")
    assert brightness("backgroundColor") < 0.2 < 0.8 < brightness("color")


@pytest.mark.parametrize("name", REPORTS)
def test_every_picture_is_described_and_loads(page: Page, site: str, name: str) -> None:
    page.goto(f"{site}/{name}.html")
    for picture in page.locator("img").all():
        assert picture.get_attribute("alt")
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")


def test_a_report_ends_with_how_its_run_went(page: Page, front: Path) -> None:
    page.goto(front.with_name("03_eda.html").as_uri())
    foot = page.get_by_role("contentinfo")
    expect(foot).to_contain_text("2026-01-02 03:04 UTC, 12 s, at most 456 MiB of memory")
    expect(foot).to_contain_text("0123456789ab, and changes that were not committed")
    expect(foot).to_contain_text("<b>A processor</b>, 2 cores")
    expect(foot).to_contain_text("git checkout 0123456789ab")


def test_the_front_page_ends_with_what_each_stage_took(page: Page, front: Path) -> None:
    page.goto(front.as_uri())
    rows = page.get_by_role("region", name="Time and memory").locator("tbody tr")
    assert [row.locator("th").inner_text() for row in rows.all()] == NAMES
    expect(rows.first).to_contain_text("12 s")
    expect(rows.first).to_contain_text("456 MiB")
    expect(rows.last).to_contain_text("not recorded")
    assert rows.first.locator(".bar .value").bounding_box()["width"] > 100
    assert rows.last.locator(".bar .value").bounding_box()["width"] == 0


@pytest.mark.parametrize("name", ["index", "03_eda"])
def test_a_copy_of_a_page_says_that_nothing_is_recorded(page: Page, front: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "mailed" / f"{name}.html"
    copy.parent.mkdir()
    shutil.copy(front.with_name(f"{name}.html"), copy)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(copy.as_uri(), wait_until="networkidle")
    foot = page.get_by_role("contentinfo")
    expect(foot).to_contain_text("not recorded")
    expect(foot).to_contain_text("git checkout COMMIT")
    assert failures == []
    expect(page.locator("h1")).to_be_visible()


def test_the_graph_says_what_each_stage_took_and_fits_the_screen(page: Page, front: Path) -> None:
    for width, shown, hidden in ((1360, ".beside", ".below"), (390, ".below", ".beside")):
        page.set_viewport_size({"width": width, "height": 700})
        page.goto(front.as_uri())
        expect(page.locator(f".pipeline{hidden}")).to_be_hidden()
        nodes = page.locator(f".pipeline{shown} a")
        assert ["".join((node.text_content() or "").split()) for node in nodes.all()] == [
            "03eda12s",
            "04features",
            "05sklearn",
            "08evaluationnotrunyet",
            "report",
        ]


@pytest.mark.parametrize("width", [320, 390, 641, 900])
def test_the_graph_has_readable_labels(page: Page, front: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(front.as_uri())
    labels = page.locator(".pipeline text:visible")
    size = "text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a"
    assert min(label.evaluate(size) for label in labels.all()) >= 9


def test_the_graph_can_be_walked_by_keyboard(page: Page, site: str) -> None:
    page.goto(f"{site}/index.html")
    page.locator(".pipeline.beside a").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site}/04_features.html")


@pytest.mark.parametrize("name", REPORTS)
def test_no_page_is_large(front: Path, name: str) -> None:
    assert front.with_name(f"{name}.html").stat().st_size < 3_000_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", REPORTS)
def test_axe_finds_nothing_serious(
    page: Page, front: Path, barriers: Callable[[Page], list[dict[str, Any]]], name: str, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(front.with_name(f"{name}.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    if name == "map":
        page.locator(".play").first.click()
    assert barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert barriers(page) == []
    if name == "03_eda":
        page.get_by_role("button", name="Enlarge Figure 1").click()
        assert barriers(page) == []
