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
from songgenre.partitions import compute_partitions, move_parts
from songgenre.paths import Project
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import write_table


def extract_corpus(
    tracks: pd.DataFrame,
    project: Project,
    config: Features,
    compute: Compute = LOCAL,
    mel_file: Path | None = None,
    descriptors_file: Path | None = None,
) -> pd.DataFrame:
    """Compute the features of all tracks in parallel, or read them from the cache, and write them.

    Workers write the features of more than ``compute.partition_songs`` tracks in partitions; this process holds none.
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
        File to write the mel spectrograms to, an array in the npy format; ``mel.npy`` of the project by default. With
        partitions, it is a folder, which `songgenre.tables.mel_images.load_mel` opens like a file.
    descriptors_file : Path, optional
        Parquet file for the table `songgenre.tables.descriptors.DESCRIPTORS`, in the order of `tracks`; that of the
        project by default. With partitions, it is a folder, which `songgenre.tables.files.read_table` reads too.

    Returns
    -------
    pd.DataFrame
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
    clip_features = partial(extract, config=config)
    descriptors_file = descriptors_file or project.descriptors
    with replacing(mel_file or project.mel) as mel:
        if len(tracks) > compute.partition_songs:
            _compile(config)
            place = project.feature_cache.parent
            write = partial(_write_partition, config=config, n_frames=n_frames)
            partitions = compute_partitions(
                clip_features, tracks, folder, cache, "features of partitions", compute, place, write
            )
            with replacing(descriptors_file) as descriptors:
                parts = move_parts(partitions, {"mel.npy": mel, "descriptors.parquet": descriptors})
                db_max = np.concatenate([np.load(files["db_max.npy"]) for files in parts])
        else:
            everywhere = partial(_compile_and_map, config=config, compute=compute)
            extracted = cached_map(clip_features, tracks, folder, cache, everywhere)
            values, db_max = _write_mel(extracted, (len(tracks), config.n_mels, n_frames), mel)
            write_table(_tabulate(tracks["track_id"], values, config), DESCRIPTORS, descriptors_file)
    return pd.DataFrame(
        {
            "track_id": tracks["track_id"],
            "row": np.arange(len(tracks)),
            "sample_rate": config.sample_rate,
            "hop_length": config.hop_length,
            "db_max": db_max,
            "db_range": config.mel_db_range,
        }
    )


def _tabulate(track_ids: Sequence[str] | pd.Series, values: np.ndarray, config: Features) -> pd.DataFrame:
    """Make a table of descriptors, without the MFCC that are not used."""
    names = columns(config.feature_set, config.n_mfcc)
    selected = pd.Index(columns(config.feature_set, MAX_MFCC)).get_indexer(names)
    descriptors = pd.DataFrame(values[:, selected], columns=names)
    descriptors.insert(0, "track_id", np.asarray(track_ids))
    return descriptors


def _write_partition(
    track_ids: Sequence[str], entries: Sequence[ClipFeatures], folder: Path, config: Features, n_frames: int
) -> None:
    values, db_max = _write_mel(entries, (len(entries), config.n_mels, n_frames), folder / "mel.npy")
    np.save(folder / "db_max.npy", db_max)
    write_table(_tabulate(track_ids, values, config), DESCRIPTORS, folder / "descriptors.parquet")


def _fill(features: ClipFeatures, n_frames: int) -> ClipFeatures:
    """Repeat a spectrogram from its beginning up to a number of frames."""
    missing = n_frames - features.mel.shape[1]
    return features._replace(mel=np.pad(features.mel, ((0, 0), (0, missing)), mode="wrap"))


def _write_mel(
    extracted: Iterable[ClipFeatures], shape: tuple[int, int, int], path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Write the mel spectrograms into one file, and return the descriptors and the maximum levels."""
    mel = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    _reserve_space(path)
    values, db_max = [], []
    for row, features in enumerate(extracted):
        mel[row] = _fill(features, shape[2]).mel
        values.append(features.descriptors)
        db_max.append(features.mel_db_max)
    mel.flush()
    return np.stack(values), np.array(db_max)


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
