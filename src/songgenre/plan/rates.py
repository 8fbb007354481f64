"""Cost of one song in 02, 04 and 07, measured on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import soundfile

from songgenre import audio
from songgenre.cache import Cache, CacheMiss
from songgenre.compute import parallel_map
from songgenre.features.extract import ClipFeatures, extract
from songgenre.models import embeddings
from songgenre.params import Params
from songgenre.paths import Project
from songgenre.runtime.temporary import temporary_folder
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS
from songgenre.wrangling.cleaning import check_audio
from songgenre.wrangling.duplicates import find_duplicates

N_CLIPS = 8
"""Number of songs that each core measures."""
N_FINGERPRINTS = 500
"""Number of fingerprints in which the search of duplicates is measured."""


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
    song = CacheMiss(clip, cache.key(f"{path} {os.getpid()}", clip.start_s, clip.duration_s))
    check = partial(check_audio, path, settings.clip_duration_s, settings.min_duration_s, settings.silence_threshold_db)
    describe = partial(cache.compute, song, partial(extract, config=params.features))
    embed = partial(embeddings.embed, clip, networks)
    checked = check()
    describe()
    embed()
    return {
        "n_frames": len(checked.fingerprint),
        "wrangling_s": _seconds(check),
        "features_s": _seconds(describe),
        "transfer_s": _seconds(embed),
        "audio_bytes": path.stat().st_size,
        "entry_bytes": max(file.stat().st_size for file in Path(folder).rglob(f"{song.key}*")),
    }


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
