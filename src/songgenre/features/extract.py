"""Features of a whole corpus, one clip after the other."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.compute import parallel_map
from songgenre.features.descriptors import describe
from songgenre.features.spectra import mel_image, spectra
from songgenre.paths import Project, replacing


class Recipe(NamedTuple):
    """The parameters of the features; see ``features`` in ``params.yaml``."""

    sample_rate: int
    n_fft: int
    hop_length: int
    n_mfcc: int
    n_mels: int
    mel_db_range: float


class Extracted(NamedTuple):
    """The features of one clip."""

    descriptors: dict[str, float]
    mel: np.ndarray
    mel_db_max: float


def extract(clip: audio.Clip, recipe: Recipe) -> Extracted:
    """Decode a clip once and compute its descriptors and its mel image.

    Raises
    ------
    UserError
        If the clip cannot be decoded.
    """
    y = audio.load(clip, recipe.sample_rate)
    clip_spectra = spectra(y, recipe.sample_rate, recipe.n_fft, recipe.hop_length, recipe.n_mels)
    image, db_max = mel_image(clip_spectra.mel_power, recipe.mel_db_range)
    return Extracted(describe(y, clip_spectra, recipe.n_mfcc), image, db_max)


def extract_corpus(tracks: pd.DataFrame, project: Project, recipe: Recipe) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the features of every track, in parallel; the mel images stream to ``mel.npy``.

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
    clips = audio.clips(tracks, project.audio)
    n_frames = 1 + round(tracks["clip_duration_s"].max() * recipe.sample_rate) // recipe.hop_length
    shape = (len(clips), recipe.n_mels, n_frames)
    descriptors, db_max = [], []
    with replacing(project.mel) as partial_path:
        mel = np.lib.format.open_memmap(partial_path, mode="w+", dtype=np.uint8, shape=shape)
        results = parallel_map(partial(extract, recipe=recipe), clips, "features")
        for row, extracted in enumerate(results):
            missing = n_frames - extracted.mel.shape[1]
            mel[row] = np.pad(extracted.mel, ((0, 0), (0, missing)), mode="wrap")
            descriptors.append(extracted.descriptors)
            db_max.append(extracted.mel_db_max)
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
    table = pd.DataFrame(descriptors)
    table.insert(0, "track_id", tracks["track_id"].to_numpy())
    return table, mel_index
