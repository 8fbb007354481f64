"""The one number of each notebook that its card shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet

from songgenre.paths import Project
from songgenre.report.scores import BASELINE, Model
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS


class Figure(NamedTuple):
    """A number and what it counts."""

    number: str
    words: str


def key_figure(project: Project, name: str, models: Sequence[Model]) -> Figure | None:
    """The key figure of a notebook.

    Parameters
    ----------
    project : Project
        Whose tables are counted.
    name : str
        Of the notebook, such as ``02_wrangling``.
    models : sequence of Model
        The most accurate first.

    Returns
    -------
    Figure or None
        None where what it is counted from is missing.
    """
    word = name.partition("_")[2]
    if word in _COUNTS:
        files, count = _COUNTS[word]
        paths = files(project)
        return count(*paths) if all(path.is_file() for path in paths) else None
    best = next((model for model in models if word in (model.stage, "evaluation") and model.name != BASELINE), None)
    if best is None:
        return None
    return Figure(f"{100 * best.score.accuracy:.0f} %", f"of the test songs right: {best.display_name}")


def _count_collected(catalogue: Path) -> Figure:
    songs = read_table(CATALOGUE, catalogue)
    return Figure(f"{songs['audio_path'].notna().sum():,}", f"of {len(songs):,} songs collected")


def _count_used(tracks: Path, excluded: Path) -> Figure:
    used, unused = read_table(TRACKS, tracks), read_table(EXCLUDED, excluded)
    return Figure(f"{len(used):,}", f"of {len(used) + len(unused):,} songs used")


def _count_artists(tracks: Path) -> Figure:
    songs = read_table(TRACKS, tracks)
    return Figure(f"{songs['artist_group'].nunique():,}", f"artists of {songs['genre'].nunique()} genres")


def _count_descriptors(descriptors: Path) -> Figure:
    names = pyarrow.parquet.read_schema(descriptors).names
    return Figure(f"{sum(name != 'track_id' for name in names):,}", "numbers per song")


_COUNTS: dict[str, tuple[Callable[[Project], Sequence[Path]], Callable[..., Figure]]] = {
    "scraping": (lambda project: [project.catalogue], _count_collected),
    "wrangling": (lambda project: [project.tracks, project.excluded], _count_used),
    "eda": (lambda project: [project.tracks], _count_artists),
    "features": (lambda project: [project.descriptors], _count_descriptors),
}
