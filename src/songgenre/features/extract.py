"""Features of all clips of a corpus, computed in parallel and cached."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.atomic import replacing
from songgenre.cache import Cache, CacheMiss, cached_map
from songgenre.compute import parallel_map
from songgenre.features.descriptors import columns, describe_spectra
from songgenre.features.spectra import MAX_MFCC, Spectra, mel_levels
from songgenre.params import LOCAL, Compute, Features
from songgenre.paths import Project


class ClipFeatures(NamedTuple):
    """The features of one clip.

    Parameters
    ----------
    descriptors : np.ndarray [shape=(n,)]
        Values as returned by `songgenre.features.descriptors.describe_spectra`.
    mel : np.ndarray [shape=(n_mels, n_frames), dtype=uint8]
        8-bit log-mel spectrogram.
    mel_db_max : float
        Level of the spectrogram's maximum, in dB.
    """

    descriptors: np.ndarray
    mel: np.ndarray
    mel_db_max: float


def extract(clip: audio.Clip, config: Features) -> ClipFeatures:
    """Compute the descriptors and the 8-bit log-mel spectrogram of a clip.

    Parameters
    ----------
    clip : Clip
        Part of an audio file.
    config : Features
        Section ``features`` of ``params.yaml``.

    Returns
    -------
    ClipFeatures
        Descriptors with `MAX_MFCC` MFCC, and the mel spectrogram.

    Raises
    ------
    UserError
        If the clip cannot be decoded.
    """
    y = audio.load_clip(clip, config.sample_rate)
    spectra = Spectra(y, config.sample_rate, config.n_fft, config.hop_length, config.n_mels)
    return ClipFeatures(
        describe_spectra(spectra, config.feature_set), *mel_levels(spectra.mel_power, config.mel_db_range)
    )


def extract_corpus(
    tracks: pd.DataFrame,
    project: Project,
    config: Features,
    compute: Compute = LOCAL,
    mel_file: Path | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the features of all tracks in parallel, or read them from the cache, and write the mel spectrograms.

    All mel spectrograms have the width of the longest clip; a shorter clip is repeated from its beginning.

    Parameters
    ----------
    tracks : pd.DataFrame
        Songs of the corpus, with the schema `songgenre.tables.tracks.TRACKS`.
    project : Project
        Folders of audio and cache.
    config : Features
        Section ``features`` of ``params.yaml``.
    compute : Compute
        Section ``compute`` of ``params.yaml``: local processes or a Dask cluster, and remote folders.
    mel_file : Path, optional
        File to write the mel spectrograms to, an array in the npy format; ``mel.npy`` of the project by default.

    Returns
    -------
    descriptors : pd.DataFrame
        One row per track, in the order of `tracks`; schema `songgenre.tables.descriptors.DESCRIPTORS`.
    mel_index : pd.DataFrame
        Row and scale of each mel spectrogram in the file; schema `songgenre.tables.mel_index.MEL_INDEX`.

    Raises
    ------
    UserError
        If a clip cannot be decoded.
    """
    names = columns(config.feature_set, config.n_mfcc)
    selected = pd.Index(columns(config.feature_set, MAX_MFCC)).get_indexer(names)
    influential = config.model_dump()
    del influential["n_mfcc"]
    cache = Cache(compute.cache_url or str(project.feature_cache), ClipFeatures, influential, extract)
    n_frames = 1 + round(tracks["clip_duration_s"].max() * config.sample_rate) // config.hop_length
    values = np.empty((len(tracks), len(names)))
    db_max = np.empty(len(tracks))
    with replacing(mel_file or project.mel) as partial_path:
        shape = (len(tracks), config.n_mels, n_frames)
        mel = np.lib.format.open_memmap(partial_path, mode="w+", dtype=np.uint8, shape=shape)
        _reserve_space(partial_path)
        clip_features = partial(extract, config=config)
        everywhere = partial(_compile_and_map, config=config, compute=compute)
        folder = compute.audio_url or project.audio
        for row, extracted in enumerate(cached_map(clip_features, tracks, folder, cache, everywhere)):
            missing = n_frames - extracted.mel.shape[1]
            mel[row] = np.pad(extracted.mel, ((0, 0), (0, missing)), mode="wrap")
            values[row], db_max[row] = extracted.descriptors[selected], extracted.mel_db_max
        mel.flush()
    mel_index = pd.DataFrame(
        {
            "track_id": tracks["track_id"],
            "row": np.arange(len(tracks)),
            "sample_rate": config.sample_rate,
            "hop_length": config.hop_length,
            "db_max": db_max,
            "db_range": config.mel_db_range,
        }
    )
    descriptors = pd.DataFrame(values, columns=names)
    descriptors.insert(0, "track_id", tracks["track_id"].to_numpy())
    return descriptors, mel_index


def _compile_and_map(
    function: Callable[[CacheMiss], ClipFeatures], missing: Sequence[CacheMiss], config: Features, compute: Compute
) -> Generator[ClipFeatures, None, None]:
    """Apply a function in parallel, after compiling the numba kernels once so that no worker has to."""
    if missing:
        noise = np.random.default_rng(0).standard_normal(config.sample_rate)
        spectra = Spectra(noise, config.sample_rate, config.n_fft, config.hop_length, config.n_mels)
        describe_spectra(spectra, config.feature_set)
    return parallel_map(function, missing, "features", compute, remote_ok=True)


def _reserve_space(path: Path) -> None:
    """Allocate the disk space of a sparse file; on a full disk, writing to its memory map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
