"""The map of the songs in a real browser: found, heard and understood by mouse and by keyboard."""

import re
from collections.abc import Callable

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from songgenre.evaluation.files import write_metrics
from songgenre.evaluation.metrics import Metrics
from songgenre.paths import Project
from songgenre.report.site import build

pytestmark = pytest.mark.integration
PLACE = "(({e, f}) => [e, f])(document.activeElement.transform.baseVal[0].matrix)"
PLAYING = "document.querySelector('.player audio').currentTime > 0.2"


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory,
    write_corpus: Callable[[Project], pd.DataFrame],
    measured: Callable[[float], Metrics],
) -> str:
    project = Project(tmp_path_factory.mktemp("project"))
    (project.root / "dvc.yaml").write_text("stages: {}\n")
    write_corpus(project)
    write_metrics({"svm": measured(0.8)}, project.metrics("sklearn"))
    return build(project).with_name("map.html").as_uri()


def dot(page: Page, number: int) -> str:
    return f'.map svg a[data-song="demo-{number:012x}"]'


def test_a_click_on_a_dot_plays_its_song_and_names_its_like(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    expect(page.locator(".player")).to_be_hidden()
    assert asked == [address]
    page.locator(dot(page, 5)).click(force=True)
    page.wait_for_function(PLAYING)
    assert set(asked) == {address, address.replace("map.html", f"audio/demo-{5:012x}.mp3")}
    expect(page.locator(".player .now")).to_have_text(re.compile("^Song 5 Artist 1 · hip-hop · SVM .*hip-hop$"))
    like = page.locator(".player .alike a")
    expect(like).to_have_count(3)
    name = like.first.inner_text()
    like.first.click()
    expect(page.locator(".player strong")).to_have_text(name)


def test_the_map_is_one_stop_of_the_keyboard_and_arrows_walk_it(page: Page, address: str) -> None:
    page.goto(address)
    assert page.locator('.map svg a[tabindex="0"]').count() == 1
    page.locator('.map svg a[tabindex="0"]').focus()
    seen = set()
    for key in ["ArrowUp"] * 12 + ["ArrowLeft"] * 12 + ["ArrowRight", "ArrowDown"] * 12:
        before = page.evaluate(PLACE)
        page.keyboard.press(key)
        after = page.evaluate(PLACE)
        if before != after:
            away = {"x": after[0] - before[0], "y": after[1] - before[1]}
            axis, sign = {"ArrowUp": "y-", "ArrowDown": "y+", "ArrowLeft": "x-", "ArrowRight": "x+"}[key]
            assert (away[axis] > 0) == (sign == "+")
        seen.add(page.evaluate("document.activeElement.dataset.song"))
    assert len(seen) > 3
    expect(page.locator(".tip")).to_be_visible()
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    expect(page.locator(".tip")).to_have_text(label)
    assert page.locator('.map svg a[tabindex="0"]').count() == 1
    page.keyboard.press("Enter")
    page.wait_for_function(PLAYING)


def test_hovering_says_title_artist_and_genre_as_they_are(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(dot(page, 0)).hover(force=True)
    expect(page.locator(".tip")).to_have_text("<b>Loud</b> & clear by unknown artist, classical")
    page.mouse.move(0, 0)
    expect(page.locator(".tip")).to_be_hidden()


def test_the_legend_shows_one_genre_and_all_again(page: Page, address: str) -> None:
    page.goto(address)
    button = page.get_by_role("button", name="hip-hop")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".map svg g.faded")).to_have_count(1)
    expect(page.locator(dot(page, 0))).to_have_css("opacity", "1")
    assert page.locator(dot(page, 0)).evaluate("dot => dot.closest('.faded') !== null")
    button.click()
    expect(page.locator(".map svg g.faded")).to_have_count(0)


def test_a_cell_of_the_matrix_leads_to_its_songs_which_play(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name=re.compile(r"^1 hip-hop .*\bclassical$")).click()
    assert page.url.endswith("#hip-hop-as-classical")
    song = page.locator("#hip-hop-as-classical .play")
    expect(song).to_be_in_viewport()
    song.click()
    page.wait_for_function(PLAYING)
    expect(page.locator(".player .now")).to_contain_text(re.compile(r"SVM .*\bclassical"))


def test_a_line_runs_over_the_picture_of_what_is_played(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".pictures .play").nth(1).click()
    page.wait_for_function(PLAYING)
    page.wait_for_function("parseFloat(document.querySelector('.spectrogram.playing .head').style.left) > 0")
    expect(page.locator(".spectrogram.playing")).to_have_count(1)


def test_a_click_on_a_picture_plays_from_there(page: Page, address: str) -> None:
    page.goto(address)
    picture = page.locator(".spectrogram").nth(1)
    box = picture.bounding_box()
    picture.click(position={"x": 0.7 * box["width"], "y": 20})
    page.wait_for_function("document.querySelector('.player audio').currentTime > 7")
    picture.click(position={"x": 0.2 * box["width"], "y": 20})
    page.wait_for_function("(time => time > 1.9 && time < 4)(document.querySelector('.player audio').currentTime)")


def test_play_becomes_pause_space_toggles_and_escape_stops(page: Page, address: str) -> None:
    page.goto(address)
    button = page.locator(".pictures .play").nth(1)
    button.click()
    page.wait_for_function(PLAYING)
    expect(button).to_have_attribute("aria-label", re.compile("^Pause "))
    button.click()
    expect(button).to_have_attribute("aria-label", re.compile("^Play "))
    paused = "document.querySelector('.player audio').paused"
    page.evaluate("document.activeElement.blur()")
    for state in ("false", "true", "false"):
        page.keyboard.press("Space")
        page.wait_for_function(f"{paused} === {state}")
    page.keyboard.press("Escape")
    page.wait_for_function(f"{paused} && document.querySelector('.player audio').currentTime === 0")
    page.locator('.map svg a[tabindex="0"]').focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    page.wait_for_function(PLAYING)


def test_the_map_with_its_legend_fits_the_screen(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(address)
    header = page.locator("header.site").bounding_box()["height"]
    assert page.locator("figure.map").bounding_box()["height"] < 900 - header


def test_a_wrong_prediction_has_a_ring_and_not_only_another_color(page: Page, address: str) -> None:
    page.goto(address)
    assert page.locator(".map svg a .ring").count() == page.locator(".map svg a.wrong").count() == 1
    ring, mark = page.locator(".map svg .wrong .ring"), page.locator(".map svg .wrong path")
    assert ring.bounding_box()["width"] > 1.2 * mark.bounding_box()["width"]
    expect(page.locator(".legend")).to_contain_text("wrong prediction")


def test_on_a_phone_marks_are_touched_and_the_map_zooms(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(address)
    targets = page.locator(".map svg .target")
    for zooms in range(3):
        sizes = [target.bounding_box() for target in targets.all()]
        assert all(min(size["width"], size["height"]) >= 24 for size in sizes)
        before = page.locator(".map .window svg").bounding_box()["width"]
        page.get_by_role("button", name="Zoom in").click()
        assert page.locator(".map .window svg").bounding_box()["width"] > 1.2 * before, zooms
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    for _ in range(3):
        page.get_by_role("button", name="Zoom out").click()
    expect(page.get_by_role("button", name="Zoom out")).to_be_disabled()
    mark = page.locator(dot(page, 5) + " path").bounding_box()
    page.touchscreen.tap(mark["x"] + mark["width"] / 2 + 2, mark["y"] + mark["height"] / 2)
    expect(page.locator(".player strong")).to_have_text("Song 5")
    context.close()


def test_without_scripts_songs_are_links_to_their_files(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.locator("summary").first.click()
    link = page.locator("li[id] .play").first
    expect(link).to_be_visible()
    assert (link.get_attribute("href") or "").startswith("audio/demo-")
    context.close()
