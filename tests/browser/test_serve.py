"""The page that judges songs, in a real browser: with the mouse, by keyboard, on a phone, in the dark."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from songgenre.predict.formatting import percent
from songgenre.serve.app import MAX_SONGS

if TYPE_CHECKING:
    from conftest import Server

pytestmark = pytest.mark.integration
ANSWERED = 120_000
"""How long an answer may take, in ms."""
NASTY = "..\\<img src=x onerror=\"document.title='hit'\">.flac"

DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.querySelector("h1").dispatchEvent(new DragEvent(kind, {dataTransfer: transfer, bubbles: true}));
}"""

CONTRASTS = """() => {
  const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
  const luminance = colour => {
    const [r, g, b] = numbers(colour).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor;
    return numbers(colour)[3] === 0 ? behind(element.parentElement) : colour;
  };
  const texts = [...document.querySelectorAll("main *")].filter(element => element.checkVisibility()
    && [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  return texts.map(element => {
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
    return [element.textContent, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
}"""


@pytest.fixture(scope="module")
def server(serving: Callable[..., AbstractContextManager[Server]]) -> Iterator[Server]:
    with serving("--threshold", "0", "--max-mb", "2") as started:
        yield started


@pytest.fixture(scope="module")
def song(
    tmp_path_factory: pytest.TempPathFactory, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> Path:
    """Of two windows, from 0:00.5 to 0:30.5 and to 1:00.5."""
    return write_audio(tmp_path_factory.mktemp("songs") / "a song.flac", melody(1, 61, 16_000), 16_000)


@pytest.fixture(scope="module")
def said(server: Server, song: Path) -> dict:
    """What the server answers."""
    headers = {"Content-Type": "audio/flac"}
    return httpx.post(f"{server.url}/predict", content=song.read_bytes(), headers=headers, timeout=120).json()


@pytest.fixture
def judged(page: Page, server: Server, song: Path) -> Page:
    """The page with the answer."""
    page.goto(server.url)
    page.get_by_label("Choose songs").set_input_files(song)
    expect(page.locator("#verdict")).to_be_visible(timeout=ANSWERED)
    return page


def test_a_song_that_is_chosen_is_judged_and_nobody_else_is_asked(
    page: Page, server: Server, song: Path, said: dict, requests: list[str], complaints: list[str]
) -> None:
    page.goto(server.url)
    page.get_by_label("Choose songs").set_input_files(song)
    expect(page.get_by_role("status")).to_have_text(re.compile(r"Predicting a song\.flac|^$"))
    expect(page.locator("#verdict")).to_have_text(said["verdict"], timeout=ANSWERED)
    expect(page.get_by_role("heading", level=2)).to_have_text("a song.flac")
    expect(page.get_by_role("status")).to_be_empty()
    rows = [row.split("\t") for row in page.locator("tbody tr").all_inner_texts()]
    assert [(genre.strip(), share) for genre, share, _ in rows] == [
        (genre, percent(share)) for genre, share in said["probabilities"].items()
    ]
    own = [url for url in requests if not url.startswith(("data:", f"blob:{server.url}"))]
    assert own == [f"{server.url}/", f"{server.url}/page.css", f"{server.url}/page.js", f"{server.url}/predict"]
    assert complaints == []


def test_a_song_that_is_dropped_is_judged_and_its_name_is_only_text(
    page: Page, server: Server, song: Path, said: dict
) -> None:
    page.goto(server.url)
    page.evaluate(DROP, [NASTY, base64.b64encode(song.read_bytes()).decode()])
    expect(page.locator("#verdict")).to_have_text(said["verdict"], timeout=ANSWERED)
    expect(page.get_by_role("heading", level=2)).to_have_text(NASTY)
    assert page.title() == "Which genre is this song?"
    assert page.locator("main img").count() == 0


def test_bars_show_the_probabilities_of_each_window(judged: Page, said: dict) -> None:
    bars = judged.locator("#bars rect").evaluate_all(
        "all => all.map(bar => ['x', 'y', 'width', 'height'].map(name => Number(bar.getAttribute(name))))"
    )
    genres = sorted(said["colors"])
    assert [(x, height) for x, _, _, height in bars] == [
        (window["start_s"], pytest.approx(window["probabilities"][genre]))
        for window in said["windows"]
        for genre in genres
    ]
    tops = [y for _, y, _, _ in bars][len(genres) - 1 :: len(genres)]
    assert tops == pytest.approx([0, 0], abs=1e-6)
    drawn = judged.locator("#bars").bounding_box()
    last = judged.locator("#bars rect").last.bounding_box()
    assert drawn
    assert last
    assert (last["x"] + last["width"] - drawn["x"]) / drawn["width"] == pytest.approx(60.5 / 61, abs=0.02)


def wait_until(page: Page, condition: str) -> None:
    """The page's policy allows no evaluation of strings, so Playwright cannot wait inside it."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(condition)


def at_cursor(page: Page) -> dict[str, str]:
    rows = [row.split("\t") for row in page.locator("tbody tr").all_inner_texts()]
    return {genre.strip(): share for genre, _, share in rows}


def test_cursor_goes_by_keyboard_and_by_mouse_and_tells_the_window_below_it(judged: Page, said: dict) -> None:
    timeline = judged.get_by_role("slider", name="Time in the song")
    shares = [{genre: percent(share) for genre, share in window["probabilities"].items()} for window in said["windows"]]
    timeline.focus()
    expect(timeline).to_have_attribute("aria-valuetext", "0:00, no prediction")
    judged.keyboard.press("ArrowRight")
    expect(timeline).to_have_attribute("aria-valuetext", re.compile(r"^0:05, [a-z-]+ \d+\s%$"))
    assert at_cursor(judged) == shares[0]
    judged.keyboard.press("PageUp")
    expect(timeline).to_have_attribute("aria-valuetext", re.compile(r"^0:35, "))
    assert at_cursor(judged) == shares[1]
    wait_until(judged, "Math.abs(document.querySelector('audio').currentTime - 35) < 0.1")
    judged.keyboard.press("End")
    expect(timeline).to_have_attribute("aria-valuenow", "61.0")
    bars = judged.locator("#bars")
    bars.click(position={"x": bars.bounding_box()["width"] / 4, "y": 20})
    expect(timeline).to_have_attribute("aria-valuetext", re.compile(r"^0:15, "))
    wait_until(judged, "Math.abs(document.querySelector('audio').currentTime - 15.25) < 0.3")


def test_cursor_follows_what_is_played(judged: Page) -> None:
    judged.get_by_role("slider", name="Time in the song").focus()
    judged.keyboard.press("Space")
    wait_until(judged, "document.querySelector('audio').currentTime > 0.5")
    wait_until(judged, "parseFloat(document.getElementById('cursor').style.left) > 0.5")
    judged.keyboard.press("Space")
    wait_until(judged, "document.querySelector('audio').paused")
    lag = judged.evaluate(
        """() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => resolve(
        parseFloat(document.getElementById("cursor").style.left) * 0.61
        - document.querySelector("audio").currentTime))))"""
    )
    assert abs(lag) < 0.2


def test_what_is_no_song_or_too_large_is_told_and_the_next_song_judged(
    page: Page, server: Server, song: Path, said: dict
) -> None:
    page.goto(server.url)
    chooser, alert = page.get_by_label("Choose songs"), page.get_by_role("alert")
    chooser.set_input_files(FilePayload(name="note.mp3", mimeType="audio/mpeg", buffer=b"no music"))
    expect(alert).to_contain_text("note.mp3", timeout=ANSWERED)
    expect(page.locator("#verdict")).to_be_hidden()
    chooser.set_input_files(FilePayload(name="large.wav", mimeType="audio/wav", buffer=bytes(2_100_000)))
    expect(alert).to_contain_text("large.wav: 2.1 MB")
    chooser.set_input_files(song)
    expect(page.locator("#verdict")).to_have_text(said["verdict"], timeout=ANSWERED)
    expect(alert).to_be_empty()


def test_several_songs_are_judged_and_each_can_be_shown(
    page: Page, server: Server, song: Path, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> None:
    page.goto(server.url)
    short = write_audio(song.with_name("short.flac"), melody(3, 2, 16_000), 16_000)
    note = song.with_name("note.xyz")
    note.write_bytes(b"no music")
    page.get_by_label("Choose songs").set_input_files([song, note, short])
    entries = page.locator("#songs button")
    expect(entries.nth(2)).to_contain_text("%", timeout=ANSWERED)
    expect(page.get_by_role("heading", level=2)).to_have_text("a song.flac")
    expect(entries.nth(0)).to_have_attribute("aria-current", "true")
    expect(entries.nth(1)).to_be_disabled()
    expect(page.get_by_role("alert")).to_contain_text("note.xyz")
    expect(page.get_by_text("convert it with ffmpeg")).to_be_visible()
    entries.nth(2).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#end")).to_have_text("0:02")
    expect(page.get_by_role("heading", level=2)).to_have_text("short.flac")


def test_progress_counts_the_windows(page: Page, server: Server, song: Path) -> None:
    page.goto(server.url)
    page.evaluate(
        """() => {
          window.seen = [];
          new MutationObserver(() => window.seen.push(document.getElementById("status").textContent))
            .observe(document.getElementById("status"), {childList: true});
        }"""
    )
    page.get_by_label("Choose songs").set_input_files(song)
    expect(page.locator("#verdict")).to_be_visible(timeout=ANSWERED)
    seen = page.evaluate("window.seen")
    assert f"Predicting {song.name}: window 1 of 2" in seen
    assert f"Predicting {song.name}: window 2 of 2" in seen
    expect(page.locator("#progress")).to_be_hidden()


def test_tags_are_drawn_over_time(judged: Page, said: dict) -> None:
    lanes = judged.locator(".lane.tag")
    expect(lanes).to_have_count(len(said["lanes"]))
    for lane, told in zip(lanes.all(), said["lanes"], strict=True):
        expect(lane.locator("span")).to_have_text(f"{told['tag']}{percent(told['mean'])}")
        assert lane.locator("rect").count() == len(told["patches"])
    assert lanes.first.locator("svg").bounding_box()["x"] == judged.locator("#bars").bounding_box()["x"]


def test_a_song_that_the_browser_cannot_play_is_judged_all_the_same(
    page: Page, server: Server, tmp_path: Path, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> None:
    page.goto(server.url)
    page.get_by_label("Choose songs").set_input_files(write_audio(tmp_path / "song.au", melody(4, 2, 16_000), 16_000))
    expect(page.locator("#verdict")).to_be_visible(timeout=ANSWERED)
    expect(page.get_by_text("This browser cannot play the file")).to_be_visible()
    expect(page.locator("audio")).to_be_hidden()


def test_a_server_that_is_busy_says_so(
    page: Page, server: Server, song: Path, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> None:
    page.goto(server.url)
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST /predict HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: audio/wav\r\nContent-Length: 9\r\n\r\n"
    large = write_audio(song.with_name("large.wav"), melody(5, 40, 22_050))
    with ExitStack() as waiting:
        for _ in range(MAX_SONGS):
            waiting.enter_context(socket.create_connection((host, int(port)))).sendall(head.encode())
        page.get_by_label("Choose songs").set_input_files(large)
        expect(page.get_by_role("alert")).to_contain_text("queue", timeout=ANSWERED)


def test_unsure_is_said_and_a_server_that_has_gone_too(
    page: Page, serving: Callable[..., AbstractContextManager[Server]], song: Path
) -> None:
    with serving("--threshold", "1") as server:
        page.goto(server.url)
        page.get_by_label("Choose songs").set_input_files(song)
        expect(page.locator("#verdict")).to_have_text(
            re.compile(r"^unsure: [a-z-]+ \d+\s% or [a-z-]+ \d+\s%$"), timeout=ANSWERED
        )
    page.get_by_label("Choose songs").set_input_files(song)
    expect(page.get_by_role("alert")).to_contain_text("server", timeout=ANSWERED)


def test_everything_is_reached_by_keyboard_and_has_a_name(judged: Page) -> None:
    judged.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(12):
        judged.keyboard.press("Tab")
        reached.append(judged.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"INPUT", "player", "timeline"} <= set(reached)
    tree = judged.context.new_cdp_session(judged).send("Accessibility.getFullAXTree")
    for node in tree["nodes"]:
        focusable = any(each["name"] == "focusable" and each["value"]["value"] for each in node.get("properties", []))
        assert not focusable or node["name"]["value"], json.dumps(node)


def test_focus_is_seen(judged: Page) -> None:
    for place in ("input", "#timeline"):
        judged.locator(place).focus()
        judged.keyboard.press("Shift+Tab")
        judged.keyboard.press("Tab")
        ring = "input => getComputedStyle(input.closest('.drop') ?? input).outlineStyle"
        assert judged.locator(place).evaluate(ring) == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(judged: Page, scheme: str) -> None:
    judged.emulate_media(color_scheme=scheme)
    contrasts = judged.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert [text for text, contrast in contrasts if contrast < 4.5] == []
    ground = judged.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", ground))) / (3 * 255)
    assert brightness > 0.9 if scheme == "light" else brightness < 0.2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(judged: Page, barriers: Callable[[Page], list[dict[str, Any]]], scheme: str) -> None:
    judged.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    assert barriers(judged) == []


@pytest.mark.parametrize("width", [320, 375, 768, 1360])
def test_it_fits_the_screen(judged: Page, width: int) -> None:
    judged.set_viewport_size({"width": width, "height": 800})
    assert judged.evaluate("document.documentElement.scrollWidth") == width
