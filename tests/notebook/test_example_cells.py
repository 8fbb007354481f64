"""The cells that show one example, with the smallest values that params.yaml allows and the shortest songs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import lxml.html
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest

from songgenre import audio
from songgenre.models import crops
from songgenre.params import load_params
from songgenre.paths import Project
from songgenre.plots.cnn import plot_crops
from songgenre.plots.style import shorten
from songgenre.sources.base import Track
from songgenre.sources.catalogue import tabulate
from songgenre.sources.demo import Demo
from songgenre.sources.folder import Folder
from songgenre.sources.schema_org import parse_recordings

ROOT = Path(__file__).parents[2]
SETTINGS = load_params(ROOT / "params.yaml")


@pytest.fixture(autouse=True)
def close_figures() -> Any:
    yield
    plt.close("all")


def run_cell(name: str, word: str, values: dict[str, Any]) -> dict[str, Any]:
    """Run the only cell of a notebook that contains a word."""
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    [source] = [cell.source for cell in cells if cell.cell_type == "code" and word in cell.source]
    values |= {
        "np": np,
        "pd": pd,
        "plt": plt,
        "librosa": librosa,
        "audio": audio,
        "shorten": shorten,
        "plot_crops": plot_crops,
        "show": lambda *_, **__: None,
    }
    exec(source, values)
    return values


@pytest.fixture
def song(tmp_path: Path, write_audio: Callable[..., Path], tone: Callable[..., np.ndarray]) -> dict[str, Any]:
    """A song of half a second, as the notebooks read it."""
    project = Project(tmp_path)
    project.audio.mkdir(parents=True)
    write_audio(project.audio / "a.wav", tone(0.5))
    row = {"audio_path": "a.wav", "clip_start_s": 0.0, "clip_duration_s": 0.5, "title": None, "genre": "$<b>"}
    songs = pd.DataFrame([row])
    return {"project": project, "first": songs, "tracks": songs, "sample_rate": 22_050, "colors": {"$<b>": "red"}}


def test_one_second_of_a_shorter_clip_is_the_clip(song: dict[str, Any]) -> None:
    assert len(run_cell("03_eda", "waveshow", song)["y"]) == 11_025


def test_one_coefficient_is_enough_for_the_features_of_one_song(song: dict[str, Any]) -> None:
    values = song | SETTINGS.features.model_dump() | {"n_mfcc": 1, "Audio": lambda *_, **__: None}
    run_cell("04_features", "specshow", run_cell("04_features", "librosa.stft", values))


@pytest.mark.parametrize("sampling", [{"crops_per_song": 1}, {"batch_size": 1}])
def test_augmented_crops_are_those_of_one_song(sampling: dict[str, int]) -> None:
    mel = np.repeat(np.arange(8, dtype=np.uint8) + 1, 40 * 300).reshape(8, 40, 300)
    songs = crops.MelDataset(mel, rows=np.arange(8), labels=np.arange(8) % 2)
    config = SETTINGS.cnn.model_copy(update={"sampling": SETTINGS.cnn.sampling.model_copy(update=sampling)})
    values = {"songs": {"train": songs}, "config": config, "crops": crops, "genres": ["a", "b"], "seed": 0}
    batch = run_cell("06_cnn", "augmented_batches", values)["batch"]
    assert len(batch) == 1
    np.testing.assert_allclose(batch.max(axis=(1, 2, 3)), 1, rtol=1e-6)


@pytest.mark.parametrize("source", ["demo", "folder"])
def test_page_and_row_of_a_song_are_shown_whatever_the_source(
    tmp_path: Path, write_audio: Callable[..., Path], tone: Callable[..., np.ndarray], source: str
) -> None:
    write_audio(tmp_path / "music" / "rock" / "a.wav", tone(0.5))
    if source == "demo":
        dataset = Demo(1, 1, seed=7, concurrency=1, timeout_s=1, retries=0, folder=tmp_path / "kept")
        songs = [Track("demo", "/song/rock-000", None, ("rock",), reason="empty", detail="empty")]
    else:
        dataset = Folder(tmp_path / "music", "folder")
        (tmp_path / "audio").mkdir()
        songs = dataset.collect(tmp_path / "audio")
    shown: list[object] = []
    values = {"dataset": dataset, "source": source, "catalogue": tabulate(songs, tmp_path / "audio")}
    values |= {"json": json, "lxml": lxml, "parse_recordings": parse_recordings}
    run_cell("01_scraping", "dataset.page", values | {"Markdown": str, "display": shown.append})
    text = "".join(map(str, shown))
    assert ("MusicRecording" in text) == (source == "demo")
    assert not re.search(r"127\.0\.0\.1:\d", text)
