"""Time, memory and disk of a build, from the size of the corpus and from rates that are measured on this machine."""

from __future__ import annotations

import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import psutil
import soundfile
from sklearn.model_selection import ParameterGrid
from threadpoolctl import threadpool_limits

from songgenre import audio
from songgenre.cache import Cache
from songgenre.compute import parallel_map
from songgenre.features.descriptors import columns
from songgenre.features.extract import ClipFeatures, extract
from songgenre.models import embeddings
from songgenre.models.classical import FIT_TABLES, HALVING_FACTOR
from songgenre.models.pipelines import build_pipeline
from songgenre.params import Params, Sklearn
from songgenre.paths import Project
from songgenre.plots.features import MAX_SONGS
from songgenre.runtime.temporary import temporary_folder
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS
from songgenre.wrangling.cleaning import check_audio
from songgenre.wrangling.duplicates import find_duplicates

MAX_HOURS = 30 * 24
"""Time after which a stage counts as one that never ends."""
HINTS = {"sklearn": "Use more workers, or lower sklearn.max_songs.", "cnn": "Lower cnn.epochs, or use a GPU."}
"""Hints for stages that would take too long."""
N_CLIPS = 8
"""Number of songs that each core measures."""
FIT_SONGS, FIT_SONGS_PER_GENRE = (300, 900), (6, 18)
"""Fewest songs, and songs of each genre, of the two fits that are measured; time is a power of the number of songs."""
N_COLUMNS_ASSUMED, N_GENRES_ASSUMED = 930, 8
SCALED = {"eda": "03_eda", "cnn": "06_cnn", "evaluation": "08_evaluation"}
"""Stages whose time is that of their last run, in proportion to the songs."""
START_S = 15.0
"""Seconds in which a stage loads libraries and draws figures, whatever the number of songs."""
N_FINGERPRINTS = 500
"""Number of fingerprints in which the search of duplicates is measured."""
PROCESS_GB = 0.5
"""Memory of a worker process with the libraries of the pipeline."""
TENSORFLOW_GB = 2.5
COPIES = 4
"""Copies of a table that a stage holds in memory at the same time, in addition to one for each process."""
TRANSFER_COPIES = 6
"""Copies of the embeddings that 07 holds: the table, the training songs twice, and those of a fit, as measured."""
MATRICES = 5
"""Matrices of the size of the covariance of the embeddings that a process holds."""


class Rates(NamedTuple):
    """Cost of one song on this machine.

    Parameters
    ----------
    wrangling_s, features_s, transfer_s : float
        Time in s of one core, while the other cores work as well.
    duplicates_s : float
        Time in s to find the duplicates of a song, by one process.
    audio_bytes, entry_bytes : float
        Size of the audio and of the features in the cache.
    """

    wrangling_s: float
    duplicates_s: float
    features_s: float
    transfer_s: float
    audio_bytes: float
    entry_bytes: float


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
    sample = _sample_descriptors(project)
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
    memory["features"] = workers_gb + 8 * n_columns * COPIES * min(n_songs, MAX_SONGS) / 1e9
    memory["transfer"] += 8 * n_dimensions * min(n_songs, n_dimensions) * MATRICES / 1e9
    return [
        StageEstimate("scraping", np.nan, PROCESS_GB, 2 * rates.audio_bytes * gigabytes),
        StageEstimate("wrangling", shared(rates.wrangling_s, rates.duplicates_s), workers_gb, 0),
        StageEstimate("eda", _scaled_hours(project, "eda", n_songs), workers_gb, 0),
        StageEstimate("features", shared(rates.features_s), memory["features"], 3 * rates.entry_bytes * gigabytes),
        StageEstimate("sklearn", tuning_hours(params, sample, n_songs, n_workers), memory["sklearn"], 0),
        StageEstimate("cnn", _scaled_hours(project, "cnn", n_songs), TENSORFLOW_GB, 0),
        StageEstimate("transfer", shared(rates.transfer_s), memory["transfer"], 3 * 8 * n_dimensions * gigabytes),
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


def measure_rates(project: Project, params: Params, networks: Sequence[embeddings.Network]) -> Rates:
    """Measure the cost of songs of the project, or of generated ones if it has none.

    Parameters
    ----------
    project : Project
        Project with songs.
    params : Params
        Content of ``params.yaml``.
    networks : sequence of mapping
        Pretrained networks.

    Returns
    -------
    Rates
        Means over the songs, measured while all cores work.
    """
    with temporary_folder() as folder:
        clips = _sample_clips(project, params, folder) * joblib.cpu_count()
        measure = partial(_measure_clip, params=params, networks=networks, folder=str(folder))
        measured = pd.DataFrame(parallel_map(measure, clips, "measuring this machine"))
    n_frames = round(measured.pop("n_frames").mean())
    return Rates(**measured.mean().to_dict(), duplicates_s=_measure_duplicates(n_frames))


def _sample_clips(project: Project, params: Params, folder: Path) -> list[audio.Clip]:
    """Choose songs of the project, evenly over the corpus; without a corpus, write noise as mp3."""
    if project.tracks.is_file() and project.audio.is_dir():
        tracks = read_table(TRACKS, project.tracks)
        rows = np.linspace(0, len(tracks) - 1, N_CLIPS).astype(int)
        return audio.clips(tracks.iloc[rows], project.audio)
    duration_s, sample_rate = params.wrangling.clip_duration_s, 44100
    path = folder / "noise.mp3"
    noise = np.random.default_rng(0).standard_normal((round(duration_s * sample_rate), 2)) / 10
    soundfile.write(path, noise, sample_rate)
    return [audio.Clip(path, 0.0, duration_s)] * N_CLIPS


def _measure_duplicates(n_frames: int) -> float:
    """Measure the seconds in which one of many random fingerprints is compared with the others."""
    rng = np.random.default_rng(0)
    fingerprints = rng.integers(0, 2**32, (N_FINGERPRINTS, n_frames), dtype=np.uint32)
    start = time.perf_counter()
    find_duplicates(list(fingerprints))
    return (time.perf_counter() - start) / N_FINGERPRINTS


def _measure_clip(
    clip: audio.Clip, params: Params, networks: Sequence[embeddings.Network], folder: str
) -> dict[str, float]:
    """Measure the cost of a song; every step runs once before, so that nothing is compiled in the measured time."""
    settings, path = params.wrangling, Path(clip.path)
    cache = Cache(folder, ClipFeatures, {}, extract)
    key = cache.key(f"{path} {os.getpid()}", clip.start_s, clip.duration_s)
    check = partial(check_audio, path, settings.clip_duration_s, settings.min_duration_s, settings.silence_threshold_db)
    describe, embed = partial(extract, clip, params.features), partial(embeddings.embed, clip, networks)
    checked = check()
    cache.put(key, describe())
    embed()
    return {
        "n_frames": len(checked.fingerprint),
        "wrangling_s": _seconds(check),
        "features_s": _seconds(describe),
        "transfer_s": _seconds(embed),
        "audio_bytes": path.stat().st_size,
        "entry_bytes": max(file.stat().st_size for file in Path(folder).rglob(f"{key}*")),
    }


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


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


def tuning_hours(params: Params, sample: pd.DataFrame, n_songs: int, n_workers: int) -> float:
    """Estimate the time of tuning and nested cross-validation of the scikit-learn models.

    Two fits of each model are measured.

    Parameters
    ----------
    params : Params
        Content of ``params.yaml``.
    sample : pd.DataFrame
        Descriptors of songs, and their ``genre``.
    n_songs, n_workers : int
        Number of songs, and of processes.

    Returns
    -------
    float
        Hours.
    """
    config = params.sklearn
    n_training = n_songs * (1 - params.wrangling.test_fraction)
    seconds = 0.0
    for name in sorted(set(config.grids) - set(config.left_out(round(n_training)))):
        fit = partial(_predict_fit_seconds, _measure_fits(name, sample, config.seed))
        search = partial(_search_seconds, config, len(ParameterGrid(config.grids[name])), fit)
        seconds += search(n_training) / n_workers + fit(n_training)
        if n_songs <= config.nested_max_songs:
            n_outer = n_songs * (config.folds - 1) / config.folds
            seconds += config.repeats * config.folds * (search(n_outer) + fit(n_outer)) / n_workers
    return seconds / 3600


def _search_seconds(config: Sklearn, n_candidates: int, fit: Callable[[float], float], n_songs: float) -> float:
    """Predict the seconds of a grid search on one core; successive halving tries few candidates on all songs."""
    n_learned = n_songs * (config.folds - 1) / config.folds
    if n_songs < config.halving_min_songs:
        return config.folds * n_candidates * fit(n_learned)
    n_finalists = -(-n_candidates // HALVING_FACTOR)
    return config.folds * (n_candidates * fit(n_learned / HALVING_FACTOR) + n_finalists * fit(n_learned))


def _measure_fits(name: str, sample: pd.DataFrame, seed: int) -> list[tuple[int, float]]:
    """Measure two fits of a model on one core: their numbers of songs and their seconds."""
    n_genres = sample["genre"].nunique()
    numbers = [max(least, each * n_genres) for least, each in zip(FIT_SONGS, FIT_SONGS_PER_GENRE, strict=True)]
    return [(n, _seconds_of_fit(name, sample, n, seed)) for n in numbers]


def _seconds_of_fit(name: str, sample: pd.DataFrame, n: int, seed: int) -> float:
    """Measure a fit on copies of the songs with a little noise, in turn of each genre."""
    rng = np.random.default_rng(seed)
    genres = sample["genre"].unique()
    rows = {genre: np.flatnonzero(sample["genre"] == genre) for genre in genres}
    drawn = sample.iloc[[rng.choice(rows[genres[at % len(genres)]]) for at in range(n)]]
    X = drawn.drop(columns="genre").to_numpy()
    X = X * (1 + 0.1 * rng.standard_normal(X.shape))
    pipeline = build_pipeline(name, seed, "none", len(genres))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        pipeline.fit(X, drawn["genre"].to_numpy())
        return time.perf_counter() - start


def _predict_fit_seconds(measured: Sequence[tuple[int, float]], n_songs: float) -> float:
    """Extrapolate the seconds of a fit: they grow with a power of the number of songs, and at least as fast as it."""
    (few, less), (many, more) = measured
    power = max(1.0, float(np.log(more / less) / np.log(many / few)))
    return float(more * (n_songs / many) ** power)


def _sample_descriptors(project: Project) -> pd.DataFrame:
    """Read the descriptors of the project with the genres; without them, generate some."""
    if project.descriptors.exists() and project.tracks.is_file():
        genres = read_table(TRACKS, project.tracks)[["track_id", "genre"]]
        return read_table(DESCRIPTORS, project.descriptors).merge(genres).drop(columns="track_id")
    rng = np.random.default_rng(0)
    genres = np.arange(FIT_SONGS[0]) % N_GENRES_ASSUMED
    centers = rng.standard_normal((N_GENRES_ASSUMED, N_COLUMNS_ASSUMED))
    X = centers[genres] + 3 * rng.standard_normal((len(genres), N_COLUMNS_ASSUMED))
    return pd.DataFrame(X).assign(genre=genres.astype(str))


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
