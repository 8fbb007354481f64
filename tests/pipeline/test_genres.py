"""The same notebooks with other genres, and another number of them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from songgenre import evaluation, tables
from songgenre.paths import Project

if TYPE_CHECKING:
    from conftest import Clone

GENRES = ["Blues", "Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental", "International", "Pop"]
ARTISTS = 5
SONGS = 3
"""Of each artist."""
SECONDS = 8
SR = 22_050


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory, melody: Callable[..., np.ndarray], write_audio: Callable) -> Path:
    """Three songs by each of five artists of eight genres; a genre has a brightness and a pulse of its own."""
    folder = tmp_path_factory.mktemp("music")
    rows = []
    t = np.arange(SECONDS * SR) / SR
    for number, genre in enumerate(GENRES):
        for song in range(ARTISTS * SONGS):
            noise = np.random.default_rng([number, song]).standard_normal(len(t)) * (number % 4) * 0.02
            pulse = 1 + 0.8 * np.sin(2 * np.pi * (1 + number // 4 * 3) * t)
            file = f"{genre}/{song}.ogg"
            write_audio(folder / file, (melody(100 * number + song, SECONDS) + noise) * pulse)
            rows.append((file, genre, f"{genre} band {song % ARTISTS}"))
    pd.DataFrame(rows, columns=["file", "genre", "artist"]).to_csv(folder / "tracks.csv", index=False)
    return folder


def test_eight_genres_go_through_all_notebooks(music: Path, small_clone: "Callable[..., Clone]") -> None:
    clone = small_clone("genres")
    settings = {
        "scraping.source": "folder",
        "scraping.folder": str(music),
        "wrangling.min_duration_s": "5",
        "wrangling.clip_duration_s": "8",
        "eda.compared_genres": "[Blues,Pop]",
        "cnn.epochs": "1",
    }
    clone.run("dvc", "exp", "run", *(f"--set-param={name}={value}" for name, value in settings.items()))
    project = Project(clone.root)
    tracks = tables.read(tables.TRACKS, project.tracks)
    assert tracks["genre"].value_counts().to_dict() == dict.fromkeys(GENRES, ARTISTS * SONGS)
    metrics = evaluation.read_metrics(project.metrics("evaluation"))
    assert all(list(measured.per_genre) == sorted(GENRES) for measured in metrics.values())
    assert max(measured.accuracy for measured in metrics.values()) > metrics["baseline"].accuracy
