"""Features of all clips of a corpus, computed in parallel and cached."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from songgenre.atomic import replacing
from songgenre.cache import Cache, CacheMiss, cached_map
from songgenre.compute import parallel_map
from songgenre.features.descriptors import columns, describe_spectra
from songgenre.features.extract import ClipFeatures, extract
from songgenre.features.spectra import MAX_MFCC, Spectra
from songgenre.params import LOCAL, Compute, Features
from songgenre.partitions import Partition, compute_partitions, divide, fetch, read_partitions
from songgenre.paths import Project
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import write_table
from songgenre.tables.mel_index import MEL_INDEX

MEL = "mel.npy"
"""Name of the mel spectrograms of a partition."""


def extract_corpus(
    tracks: pd.DataFrame,
    project: Project,
    config: Features,
    compute: Compute = LOCAL,
    mel_file: Path | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the features of all tracks in parallel, or read them from the cache, and write the mel spectrograms.

    Workers write the features of more than ``compute.partition_songs`` tracks in partitions. All mel spectrograms have
    the width of the longest clip; a shorter clip is repeated from its beginning.

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
        File to write the mel spectrograms to, an array in the npy format; ``mel.npy`` of the project by default. With
        partitions, it is a folder, which `songgenre.tables.mel_images.load_mel` opens like a file.

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
    influential = config.model_dump()
    del influential["n_mfcc"]
    cache = Cache(compute.cache_url or str(project.feature_cache), ClipFeatures, influential, extract)
    n_frames = 1 + round(tracks["clip_duration_s"].max() * config.sample_rate) // config.hop_length
    folder = compute.audio_url or project.audio
    with replacing(mel_file or project.mel) as partial_path:
        if len(tracks) > compute.partition_songs:
            layout = f"{config.n_mfcc} {n_frames}"
            partitions = divide(tracks, folder, cache, layout, compute.partition_songs)
            return _extract_partitions(partitions, config, n_frames, compute, partial_path)
        clip_features = partial(extract, config=config)
        everywhere = partial(_compile_and_map, config=config, compute=compute)
        extracted = cached_map(clip_features, tracks, folder, cache, everywhere)
        return _write_features(extracted, tracks["track_id"], 0, config, n_frames, partial_path)


def _write_features(
    extracted: Iterable[ClipFeatures],
    track_ids: Sequence[str] | pd.Series,
    first_row: int,
    config: Features,
    n_frames: int,
    mel_file: Path,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the mel spectrograms of songs, and tabulate their descriptors and their rows."""
    names = columns(config.feature_set, config.n_mfcc)
    selected = pd.Index(columns(config.feature_set, MAX_MFCC)).get_indexer(names)
    values = np.empty((len(track_ids), len(names)))
    db_max = np.empty(len(track_ids))
    shape = (len(track_ids), config.n_mels, n_frames)
    mel = np.lib.format.open_memmap(mel_file, mode="w+", dtype=np.uint8, shape=shape)
    _reserve_space(mel_file)
    for row, features in enumerate(extracted):
        missing = n_frames - features.mel.shape[1]
        mel[row] = np.pad(features.mel, ((0, 0), (0, missing)), mode="wrap")
        values[row], db_max[row] = features.descriptors[selected], features.mel_db_max
    mel.flush()
    descriptors = pd.DataFrame(values, columns=names)
    descriptors.insert(0, "track_id", np.asarray(track_ids))
    mel_index = pd.DataFrame(
        {
            "track_id": descriptors["track_id"],
            "row": first_row + np.arange(len(track_ids)),
            "sample_rate": config.sample_rate,
            "hop_length": config.hop_length,
            "db_max": db_max,
            "db_range": config.mel_db_range,
        }
    )
    return descriptors, mel_index


def _extract_partitions(
    partitions: Sequence[Partition], config: Features, n_frames: int, compute: Compute, mel_folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Let workers write the features of partitions, and collect the tables and the mel spectrograms."""
    _compile(config)
    write = partial(_write_partition, config=config, n_frames=n_frames)
    manifests = compute_partitions(write, partitions, "features of partitions", compute)
    mel_folder.mkdir()
    for _ in fetch(manifests, MEL, mel_folder):
        pass
    return read_partitions(manifests, DESCRIPTORS), read_partitions(manifests, MEL_INDEX)


def _write_partition(partition: Partition, folder: Path, config: Features, n_frames: int) -> None:
    extracted = (extract(clip, config) for clip in partition.clips)
    tables = _write_features(extracted, partition.track_ids, partition.first_row, config, n_frames, folder / MEL)
    for table, schema in zip(tables, (DESCRIPTORS, MEL_INDEX), strict=True):
        write_table(table, schema, folder / f"{schema.name}.parquet")


def _compile_and_map(
    function: Callable[[CacheMiss], ClipFeatures], missing: Sequence[CacheMiss], config: Features, compute: Compute
) -> Generator[ClipFeatures, None, None]:
    """Apply a function in parallel, after compiling the numba kernels once so that no worker has to."""
    if missing:
        _compile(config)
    return parallel_map(function, missing, "features", compute, remote_ok=True)


def _compile(config: Features) -> None:
    noise = np.random.default_rng(0).standard_normal(config.sample_rate)
    spectra = Spectra(noise, config.sample_rate, config.n_fft, config.hop_length, config.n_mels)
    describe_spectra(spectra, config.feature_set)


def _reserve_space(path: Path) -> None:
    """Allocate the disk space of a sparse file; on a full disk, writing to its memory map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
