"""Key figure of each notebook, for its card on the front page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.dataset

from songgenre.evaluation.metrics import BASELINE
from songgenre.paths import Project
from songgenre.report.scores import Model
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.columns import count_artists
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS


class Figure(NamedTuple):
    """A number and its description.

    Parameters
    ----------
    number : str
        Number with its unit, such as ``80 %``.
    words : str
        Description of the number.
    """

    number: str
    words: str


def key_figure(project: Project, name: str, models: Sequence[Model]) -> Figure | None:
    """Compute the key figure of a notebook.

    Parameters
    ----------
    project : Project
        Project whose tables are counted.
    name : str
        Name of the notebook, such as ``02_wrangling``.
    models : sequence of Model
        Models and their scores, the most accurate first.

    Returns
    -------
    Figure or None
        Number of songs, artists or descriptors, or the accuracy of the stage's best model; None if the tables or
        metrics are missing.

    Raises
    ------
    UserError
        If a table cannot be read.
    """
    word = name.partition("_")[2]
    if word in _COUNTS:
        files, count = _COUNTS[word]
        paths = files(project)
        return count(*paths) if all(path.exists() for path in paths) else None
    best = next((model for model in models if word in (model.stage, "evaluation") and model.name != BASELINE), None)
    if best is None:
        return None
    return Figure(f"{100 * best.score.accuracy:.0f} %", f"accuracy on the test songs: {best.display_name}")


def count_songs_without_artist(project: Project) -> int:
    """Count the songs of the corpus whose artist is unknown.

    Parameters
    ----------
    project : Project
        Project whose tracks are read.

    Returns
    -------
    int
        Number of songs; 0 if there are no tracks yet.

    Raises
    ------
    UserError
        If the table cannot be read.
    """
    return int(read_table(TRACKS, project.tracks)["artist"].isna().sum()) if project.tracks.is_file() else 0


def _count_collected(catalogue: Path) -> Figure:
    songs = read_table(CATALOGUE, catalogue)
    return Figure(f"{songs['audio_path'].notna().sum():,}", f"of {len(songs):,} songs collected")


def _count_used(tracks: Path, excluded: Path) -> Figure:
    corpus, exclusions = read_table(TRACKS, tracks), read_table(EXCLUDED, excluded)
    return Figure(f"{len(corpus):,}", f"of {len(corpus) + len(exclusions):,} songs used")


def _count_artists(tracks: Path) -> Figure:
    songs = read_table(TRACKS, tracks)
    return Figure(f"{count_artists(songs):,}", f"artists of {songs['genre'].nunique()} genres")


def _count_descriptors(descriptors: Path) -> Figure:
    names = pyarrow.dataset.dataset(descriptors).schema.names
    return Figure(f"{sum(name != 'track_id' for name in names):,}", "descriptors per song")


_COUNTS: dict[str, tuple[Callable[[Project], Sequence[Path]], Callable[..., Figure]]] = {
    "scraping": (lambda project: [project.catalogue], _count_collected),
    "wrangling": (lambda project: [project.tracks, project.excluded], _count_used),
    "eda": (lambda project: [project.tracks], _count_artists),
    "features": (lambda project: [project.descriptors], _count_descriptors),
}
