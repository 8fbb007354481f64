"""Estimates of the time, memory and disk of each stage, and stages that cannot end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import psutil

from songgenre.features.descriptors import columns
from songgenre.models import embeddings
from songgenre.models.classical import FIT_TABLES
from songgenre.params import Params
from songgenre.paths import Project
from songgenre.plan.fits import sample_descriptors, sklearn_seconds, transfer_seconds
from songgenre.plan.rates import Rates
from songgenre.plots.features import MAX_SONGS_SHOWN
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

MAX_HOURS = 30 * 24
"""Time after which a stage counts as one that never ends."""
HINTS = {
    "sklearn": "Use more workers, or lower sklearn.max_songs or sklearn.max_genres.",
    "cnn": "Lower cnn.epochs, or use a GPU.",
}
"""Hints for stages that would take too long."""
SCALED = {"eda": "03_eda", "cnn": "06_cnn", "evaluation": "08_evaluation"}
"""Stages whose time is that of their last run, in proportion to the songs."""
START_S = 15.0
"""Seconds in which a stage loads libraries and draws figures, whatever the number of songs."""
PROCESS_GB = 0.5
"""Memory of a worker process with the libraries of the pipeline."""
TENSORFLOW_GB = 2.5
COPIES = 4
"""Copies of a table that a stage holds in memory at the same time, in addition to one for each process."""
TRANSFER_COPIES = 6
"""Copies of the embeddings that 07 holds: the table, the training songs twice, and those of a fit, as measured."""
MATRICES = 5
"""Matrices of the size of the covariance of the embeddings that a process holds."""


class StageEstimate(NamedTuple):
    """Estimated cost of a stage.

    Parameters
    ----------
    stage : str
        Name of the stage in ``dvc.yaml``.
    hours : float
        Time; NaN if it is not known.
    memory_gb, disk_gb : float
        Memory, and disk for what the stage writes, in gigabytes.
    """

    stage: str
    hours: float
    memory_gb: float
    disk_gb: float


def estimate_stages(
    project: Project, params: Params, rates: Rates, n_songs: int, n_workers: int
) -> list[StageEstimate]:
    """Estimate time, memory and disk of each stage for a corpus.

    Parameters
    ----------
    project : Project
        Project whose descriptors and logs serve as a sample.
    params : Params
        Content of ``params.yaml``.
    rates : Rates
        Result of `measure_rates`.
    n_songs : int
        Number of songs of the corpus.
    n_workers : int
        Number of processes, on this machine or on a cluster of equal machines.

    Returns
    -------
    list of StageEstimate
        A row per stage.
    """
    sample = sample_descriptors(project, params.features)
    n_genres = sample["genre"].nunique()
    n_columns = len(columns(params.features.feature_set, params.features.n_mfcc))
    n_dimensions = len(embeddings.columns())
    n_models = len(params.sklearn.grids) + 4
    workers_gb = joblib.cpu_count() * PROCESS_GB
    shared = partial(_shared_hours, n_songs=n_songs, n_workers=n_workers)
    gigabytes = n_songs / 1e9
    tables = {
        "sklearn": 8 * n_columns * (COPIES + FIT_TABLES),
        "transfer": 4 * n_dimensions * TRANSFER_COPIES,
        "evaluation": 8 * n_genres * n_models * COPIES,
    }
    memory = {stage: workers_gb + size * gigabytes for stage, size in tables.items()}
    memory["features"] = workers_gb + 8 * n_columns * COPIES * min(n_songs, MAX_SONGS_SHOWN) / 1e9
    memory["transfer"] += 8 * n_dimensions * min(n_songs, n_dimensions) * MATRICES / 1e9
    fits = {
        "sklearn": sklearn_seconds(params, sample, n_songs, n_workers),
        "transfer": transfer_seconds(params, n_songs, n_workers),
    }
    return [
        StageEstimate("scraping", np.nan, PROCESS_GB, 2 * rates.audio_bytes * gigabytes),
        StageEstimate("wrangling", shared(rates.wrangling_s, rates.duplicates_s), workers_gb, 0),
        StageEstimate("eda", _scaled_hours(project, "eda", n_songs), workers_gb, 0),
        StageEstimate("features", shared(rates.features_s), memory["features"], 3 * rates.entry_bytes * gigabytes),
        StageEstimate("sklearn", fits["sklearn"] / 3600, memory["sklearn"], 0),
        StageEstimate("cnn", _scaled_hours(project, "cnn", n_songs), TENSORFLOW_GB, 0),
        StageEstimate(
            "transfer",
            shared(rates.transfer_s) + fits["transfer"] / 3600,
            memory["transfer"],
            3 * 8 * n_dimensions * gigabytes,
        ),
        StageEstimate("evaluation", _scaled_hours(project, "evaluation", n_songs), memory["evaluation"], 0),
    ]


def find_obstacles(estimates: Sequence[StageEstimate], folder: Path) -> list[str]:
    """Find the stages that cannot end on this machine.

    Parameters
    ----------
    estimates : sequence of StageEstimate
        Result of `estimate_stages`.
    folder : Path
        Folder of the project, whose disk is used.

    Returns
    -------
    list of str
        A sentence per obstacle, with a hint; empty if every stage can end.
    """
    memory, disk = psutil.virtual_memory().total / 1e9, shutil.disk_usage(folder).free / 1e9
    total = sum(each.disk_gb for each in estimates)
    obstacles = [
        f"{each.stage}: needs {each.memory_gb:,.0f} GB of memory, but this machine has {memory:,.0f} GB. "
        "Use a machine with more memory, or fewer songs."
        for each in estimates
        if each.memory_gb > memory
    ]
    if total > disk:
        obstacles.append(
            f"{folder}: {total:,.0f} GB of disk are needed, but {disk:,.0f} GB are free. Use a larger disk."
        )
    obstacles += [
        f"{each.stage}: would take {each.hours / 24:,.0f} days. {HINTS.get(each.stage, 'Use more workers.')}"
        for each in estimates
        if each.hours > MAX_HOURS
    ]
    return obstacles


def _shared_hours(seconds: float, alone_s: float = 0, *, n_songs: int, n_workers: int) -> float:
    """Compute the hours of a stage in which workers take some seconds for each song, and one process takes others."""
    return (START_S + n_songs * (seconds / n_workers + alone_s)) / 3600


def _scaled_hours(project: Project, stage: str, n_songs: int) -> float:
    """Scale the time of a stage's last run; NaN if it has not run."""
    log = project.log(SCALED[stage])
    facts = json.loads(log.read_text("utf-8")) if log.is_file() else {}
    if not facts.get("finished") or not project.tracks.is_file():
        return np.nan
    return float(facts["seconds"] * n_songs / len(read_table(TRACKS, project.tracks)) / 3600)


def format_plan(estimates: Sequence[StageEstimate]) -> str:
    """Format a plan as a table.

    Parameters
    ----------
    estimates : sequence of StageEstimate
        Result of `estimate_stages`.

    Returns
    -------
    str
        A line per stage.
    """
    total = StageEstimate(
        "total",
        float(np.nansum([each.hours for each in estimates])),
        max(each.memory_gb for each in estimates),
        sum(each.disk_gb for each in estimates),
    )
    lines = [f"{'stage':12}{'time':>12}{'memory':>12}{'disk':>12}"]
    for each in [*estimates, total]:
        memory, disk = f"{each.memory_gb:,.1f} GB", f"{each.disk_gb:,.1f} GB"
        lines.append(f"{each.stage:12}{_format_hours(each.hours):>12}{memory:>12}{disk:>12}")
    return "\n".join(lines)


def _format_hours(hours: float) -> str:
    if np.isnan(hours):
        return "not known"
    if hours < 1:
        return f"{60 * hours:,.1f} min"
    return f"{hours:,.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"
