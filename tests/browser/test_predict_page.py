"""The page of `songgenre predict --html` in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from songgenre.predict import page as predict_page
from songgenre.predict.inference import SongPrediction
from songgenre.predict.inputs import AudioInput

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> str:
    folder = tmp_path_factory.mktemp("predicted")
    song = write_audio(folder / "song.flac", melody(1, 20, 16_000), 16_000)
    windows = pd.DataFrame({"jazz": [0.25, 0.4], "rock": [0.75, 0.6]}, index=[2.0, 10.0])
    tags = pd.DataFrame({"guitar": [0.5, 0.2], "slow": [0.1, 0.1]}, index=[2.0, 5.0])
    prediction = SongPrediction(AudioInput(str(song), song), "svm", windows, 8.0, tags=tags, taggram=tags)
    predict_page.write([prediction], 0.5, folder / "page.html")
    return (folder / "page.html").as_uri()


def test_a_click_on_a_tag_plays_from_there(
    page: Page, address: str, requests: list[str], complaints: list[str]
) -> None:
    page.goto(address)
    lane = page.locator(".lane.tag svg").first
    lane.click(position={"x": 0.5 * lane.bounding_box()["width"], "y": 5})
    page.wait_for_function("(time => time > 9.9 && time < 13)(document.querySelector('audio').currentTime)")
    page.wait_for_function("parseFloat(document.querySelector('.cursor').style.left) > 49")
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1440])
def test_it_fits_the_screen_and_axe_finds_nothing_serious(
    page: Page, address: str, barriers: Callable[[Page], list[dict[str, Any]]], width: int, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(address)
    expect(page.locator(".verdict")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert barriers(page) == []
