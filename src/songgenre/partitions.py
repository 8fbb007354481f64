"""Results of a large corpus in partitions, which workers write themselves.

Workers read and write the cache of single songs, stack the results of each partition and store them as arrays. The
process that coordinates them fetches these files, and computes nothing.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import fsspec
import numpy as np

from songgenre import audio
from songgenre.cache import Cache, CacheMiss, Entry
from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.runtime.temporary import temporary_folder

if TYPE_CHECKING:
    import pandas as pd

    from songgenre.params import Compute

SIZE = 100
"""Number of songs of a partition: few enough to share the work evenly, many enough to make files few."""


class Partition(NamedTuple):
    """Consecutive songs of a corpus.

    Parameters
    ----------
    songs : sequence of CacheMiss
        Their clips, and their keys in the cache.
    url : str
        Folder for the arrays, a path or a URL that fsspec can open.
    """

    songs: Sequence[CacheMiss]
    url: str


def compute_partitions(
    function: Callable[[audio.Clip], Entry],
    tracks: pd.DataFrame,
    folder: Path | str,
    cache: Cache[Entry],
    description: str,
    compute: Compute,
    place: Path,
    prepare: Callable[[Entry], Entry] | None = None,
) -> Generator[dict[str, Path], None, None]:
    """Let workers compute partitions of `SIZE` songs, or read them from the cache, and fetch the results.

    Parameters
    ----------
    function : callable
        Picklable function that computes the entry of a clip.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    folder : Path or str
        Folder of the audio, or the URL of a copy.
    cache : Cache
        Cache of the entries.
    description : str
        Text for the progress bar.
    compute : Compute
        Section ``compute`` of ``params.yaml``: local processes or a Dask cluster.
    place : Path
        Folder for temporary files, made if it is missing; workers on other machines share it unless
        ``compute.cache_url`` is set.
    prepare : callable, optional
        Picklable function that gives entries the same shape, so that they can be stacked.

    Yields
    ------
    dict
        From the name of each field of the entries to a file in the npy format with the values of all songs of a
        partition; in the order of `tracks`. The files exist until the next partition.

    Raises
    ------
    UserError
        If a song cannot be computed, the cluster fails, or a file arrives damaged.
    """
    songs = cache.request(tracks, folder)
    place.mkdir(parents=True, exist_ok=True)
    with _shared_folder(compute, place) as shared, temporary_folder(place) as fetched:
        partitions = [
            Partition(songs[first : first + SIZE], f"{shared}/{first // SIZE:05d}")
            for first in range(0, len(songs), SIZE)
        ]
        store = partial(_store, function=function, cache=cache, prepare=prepare)
        with closing(parallel_map(store, partitions, description, compute, remote_ok=True)) as stored:
            for url, hashes in stored:
                yield {name: _fetch(f"{url}/{name}.npy", digest, fetched) for name, digest in hashes.items()}


@contextmanager
def _shared_folder(compute: Compute, place: Path) -> Iterator[str]:
    """Make a folder that the workers can write to, and remove it at the end."""
    if not compute.cache_url:
        with temporary_folder(place) as folder:
            yield str(folder)
        return
    url = f"{compute.cache_url}/partitions/{uuid.uuid4().hex}"
    try:
        yield url
    finally:
        file_system, path = fsspec.url_to_fs(url, use_listings_cache=False)
        with suppress(FileNotFoundError):
            file_system.rm(path, recursive=True)


def _store(
    partition: Partition,
    function: Callable[[audio.Clip], Entry],
    cache: Cache[Entry],
    prepare: Callable[[Entry], Entry] | None,
) -> tuple[str, dict[str, str]]:
    """Write an array for each field, and return their folder and hashes; every attempt has a folder of its own."""
    entries = [cache.get(song.key) or cache.compute(song, function) for song in partition.songs]
    fields = zip(*map(prepare, entries) if prepare else entries, strict=True)
    url = f"{partition.url}-{uuid.uuid4().hex}"
    file_system, folder = fsspec.url_to_fs(url, use_listings_cache=False)
    file_system.makedirs(folder, exist_ok=True)
    hashes = {}
    with temporary_folder() as written:
        for name, values in zip(cache.kind._fields, fields, strict=True):
            np.save(written / f"{name}.npy", np.stack(values))
            hashes[name] = _hash(written / f"{name}.npy")
            file_system.put_file(str(written / f"{name}.npy"), f"{folder}/{name}.npy")
    return url, hashes


def _fetch(url: str, digest: str, folder: Path) -> Path:
    file_system, stored = fsspec.url_to_fs(url, use_listings_cache=False)
    path = folder / url.rpartition("/")[2]
    file_system.get_file(stored, str(path))
    file_system.rm_file(stored)
    if _hash(path) != digest:
        raise UserError(f"{url}: arrived damaged. Run the same command again; what is computed is in the cache.")
    return path


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
