import base64
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from songgenre.predict import page
from songgenre.predict.inference import SongPrediction
from songgenre.predict.inputs import AudioInput

Make = Callable[..., BeautifulSoup]


@pytest.fixture
def song(tmp_path: Path, write_audio: Callable[..., Path], tone: Callable[..., np.ndarray]) -> Path:
    return write_audio(tmp_path / "a <b> & c.wav", tone(1))


@pytest.fixture
def made(tmp_path: Path) -> Make:
    def make(song: AudioInput) -> BeautifulSoup:
        windows = pd.DataFrame({"jazz": [0.25, 0.4], "rock": [0.75, 0.6]}, index=[5.0, 35.0])
        tags = pd.DataFrame({"guitar": [0.5, 0.25], "slow": [0.1, 0.2], "harp": [0, 0.1]}, index=[5.0, 8.0])
        prediction = SongPrediction(song, "soft_voting", windows, 30.0, tags=tags, taggram=tags, duration_s=70.5)
        page.write([prediction], 0.5, tmp_path / "page.html")
        return BeautifulSoup((tmp_path / "page.html").read_text(), "html.parser")

    return make


def test_page_shows_verdict_player_and_picture(song: Path, made: Make) -> None:
    soup = made(AudioInput(str(song), song))
    assert soup.h2.get_text() == "a <b> & c.wav"
    assert soup.select_one(".verdict").get_text() == "rock 68\xa0%"
    assert base64.b64decode(soup.audio["src"].removeprefix("data:audio/wav;base64,")) == song.read_bytes()
    assert soup.svg["role"] == "img"
    assert re.search(r"0:05 rock 75\s%.*0:35 rock 60\s%", soup.svg["aria-label"])
    heights = [float(part["height"]) for part in soup.svg("rect")]
    assert heights == pytest.approx([0.25, 0.75, 0.4, 0.6])
    bottoms = [float(part["y"]) + float(part["height"]) for part in soup.svg("rect")]
    assert bottoms == pytest.approx([1, 0.75, 1, 0.6])
    assert soup.select_one(".timeline")["data-duration"] == "70.5"
    assert "0:00 to 0:05 and 1:05 to 1:10" in soup.get_text()


def test_page_shows_tags_over_time(song: Path, made: Make) -> None:
    lanes = made(AudioInput(str(song), song)).select(".lane.tag")
    assert [lane.span.get_text().split() for lane in lanes] == [
        ["guitar", "38", "%"],
        ["slow", "15", "%"],
        ["harp", "5", "%"],
    ]
    assert [(float(patch["x"]), float(patch["fill-opacity"])) for patch in lanes[0]("rect")] == [(5, 1), (8, 0.5)]


def test_page_of_a_model_without_tags_has_no_lanes(song: Path, tmp_path: Path) -> None:
    windows = pd.DataFrame({"jazz": [1.0], "rock": [0.0]}, index=[0.0])
    page.write([SongPrediction(AudioInput(str(song), song), "cnn", windows, 30.0)], 0.5, tmp_path / "page.html")
    soup = BeautifulSoup((tmp_path / "page.html").read_text(), "html.parser")
    assert soup.select_one(".lane.genres")
    assert not soup.select(".lane.tag")


def test_page_contains_no_absolute_path(song: Path, made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_EMBEDDED_BYTES", 1000)
    assert str(song.parent) not in str(made(AudioInput(str(song), song)))


def test_page_asks_the_network_for_nothing(song: Path, made: Make) -> None:
    soup = made(AudioInput(str(song), song))
    loaded = [tag.get("src") or tag.get("href") for tag in soup(["audio", "img", "link", "iframe", "source"])]
    assert not soup("script", src=True)
    assert loaded
    assert all(address.startswith("data:") for address in loaded)
    assert not re.search(r"url\(|@import", str(soup.style))


def test_large_song_is_linked_not_embedded(song: Path, made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_EMBEDDED_BYTES", 1000)
    soup = made(AudioInput(str(song), song))
    assert soup.audio["src"] == soup.a["href"] == "a%20%3Cb%3E%20%26%20c.wav"
    soup = made(AudioInput("http://127.0.0.1/song.wav", song))
    assert soup.audio is None
    assert soup.a["href"] == "http://127.0.0.1/song.wav"
    assert made(AudioInput("-", song)).a is None
