"""The same notebooks on a few real songs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from songgenre.evaluation.files import read_metrics
from songgenre.paths import Project
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.slow
ARTISTS_PER_GENRE = 8


@pytest.fixture(scope="module")
def few_songs(real_music: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song by each of eight artists of each genre."""
    listing = pd.read_csv(real_music / "tracks.csv")
    listing = listing.drop_duplicates(["genre", "artist"]).groupby("genre").head(ARTISTS_PER_GENRE)
    folder = tmp_path_factory.mktemp("music")
    for file in listing["file"]:
        (folder / file).parent.mkdir(exist_ok=True)
        shutil.copyfile(real_music / file, folder / file)
    listing.to_csv(folder / "tracks.csv", index=False)
    return folder


def test_experiment_on_a_folder_of_real_music(
    few_songs: Path, small_clone: "Callable[..., Clone]", music: Path
) -> None:
    clone = small_clone(music)
    settings = {
        "scraping.folder": str(few_songs),
        "wrangling.min_duration_s": "25",
        "wrangling.clip_duration_s": "30",
        "eda.compared_genres": "[rock,classical]",
        "sklearn.folds": "3",
        "transfer.folds": "3",
        "cnn.epochs": "2",
    }
    clone.run("dvc", "exp", "run", *(f"--set-param={name}={value}" for name, value in settings.items()))
    project = Project(clone.root)
    listing = pd.read_csv(few_songs / "tracks.csv")
    tracks = read_table(TRACKS, project.tracks)
    excluded = read_table(EXCLUDED, project.excluded)
    assert len(tracks) + len(excluded) == len(listing)
    assert tracks["genre"].value_counts().to_dict() == dict.fromkeys(listing["genre"].unique(), ARTISTS_PER_GENRE)
    metrics = read_metrics(project.metrics("evaluation"))
    best = max(measured.accuracy for measured in metrics.values())
    assert best > metrics["baseline"].accuracy
