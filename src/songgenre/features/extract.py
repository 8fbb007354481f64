"""Features of a whole corpus, one clip after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.compute import parallel_map, settings
from songgenre.features.cache import Cache, Extracted
from songgenre.features.descriptors import Family, columns, describe_spectra
from songgenre.features.spectra import MOST_MFCC, Spectra, mel_levels
from songgenre.paths import Project, replacing


class Recipe(NamedTuple):
    """The parameters of the features; see ``features`` in ``params.yaml``."""

    family: Family
    sample_rate: int
    n_fft: int
    hop_length: int
    n_mfcc: int
    n_mels: int
    mel_db_range: float


class Entry(NamedTuple):
    """A clip, and the name of its features in the cache."""

    clip: audio.Clip
    key: str


def extract(clip: audio.Clip, recipe: Recipe) -> Extracted:
    """Decode a clip once and compute its descriptors and its mel image.

    Raises
    ------
    UserError
        If the clip cannot be decoded.
    """
    y = audio.load(clip, recipe.sample_rate)
    spectra = Spectra(y, recipe.sample_rate, recipe.n_fft, recipe.hop_length, recipe.n_mels)
    return Extracted(describe_spectra(spectra, recipe.family), *mel_levels(spectra.mel_power, recipe.mel_db_range))


def extract_corpus(tracks: pd.DataFrame, project: Project, recipe: Recipe) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the features of every track that are not in the cache, in parallel; mel images stream to ``mel.npy``.

    All images have the width of the longest clip; a shorter one begins anew to fill its image.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.TRACKS`.
    project : Project
    recipe : Recipe

    Returns
    -------
    descriptors, mel_index : pd.DataFrame
        `songgenre.tables.DESCRIPTORS` and `songgenre.tables.MEL_INDEX`, rows in the order of `tracks`.
    """
    names = columns(recipe.family, recipe.n_mfcc)
    wanted = pd.Index(columns(recipe.family, MOST_MFCC)).get_indexer(names)
    n_frames = 1 + round(tracks["clip_duration_s"].max() * recipe.sample_rate) // recipe.hop_length
    values = np.empty((len(tracks), len(names)))
    db_max = np.empty(len(tracks))
    with replacing(project.mel) as partial_path:
        shape = (len(tracks), recipe.n_mels, n_frames)
        mel = np.lib.format.open_memmap(partial_path, mode="w+", dtype=np.uint8, shape=shape)
        for row, extracted in enumerate(_extracted(tracks, project, recipe)):
            missing = n_frames - extracted.mel.shape[1]
            mel[row] = np.pad(extracted.mel, ((0, 0), (0, missing)), mode="wrap")
            values[row], db_max[row] = extracted.descriptors[wanted], extracted.mel_db_max
        mel.flush()
    mel_index = pd.DataFrame(
        {
            "track_id": tracks["track_id"],
            "row": np.arange(len(tracks)),
            "sample_rate": recipe.sample_rate,
            "hop_length": recipe.hop_length,
            "db_max": db_max,
            "db_range": recipe.mel_db_range,
        }
    )
    descriptors = pd.DataFrame(values, columns=names)
    descriptors.insert(0, "track_id", tracks["track_id"].to_numpy())
    return descriptors, mel_index


def _extracted(tracks: pd.DataFrame, project: Project, recipe: Recipe) -> Iterator[Extracted]:
    """The features of every track, in order, from the cache or computed."""
    influential = recipe._asdict()
    del influential["n_mfcc"]
    places = settings()
    cache = Cache(places.cache or str(project.feature_cache), influential)
    clips = audio.clips(tracks, places.audio or project.audio)
    keys = [
        cache.key(sha256, clip.start_s, clip.duration_s) for sha256, clip in zip(tracks["sha256"], clips, strict=True)
    ]
    entries = [Entry(clip, key) for clip, key in zip(clips, keys, strict=True)]
    compute = partial(_extract_and_keep, recipe=recipe, cache=cache)
    kept = cache.keys()
    missing = [entry for entry in entries if entry.key not in kept]
    with closing(parallel_map(compute, missing, "features", anywhere=True)) as computed:
        for entry in entries:
            if entry.key not in kept:
                yield next(computed)
            else:
                yield cache.get(entry.key) or next(parallel_map(compute, [entry], "mending", anywhere=True))


def _extract_and_keep(entry: Entry, recipe: Recipe, cache: Cache) -> Extracted:
    extracted = extract(entry.clip, recipe)
    cache.put(entry.key, extracted)
    return extracted
