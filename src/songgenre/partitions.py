"""Results of a large corpus in partitions, which workers write themselves.

Workers read and write the cache of single songs, and store the results of each partition in files. The process that
coordinates them fetches these files, and does not read them.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import fsspec

from songgenre import audio
from songgenre.cache import Cache, CacheMiss, Entry
from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.runtime.temporary import temporary_folder

if TYPE_CHECKING:
    import pandas as pd

    from songgenre.params import Compute

SIZE = 500
"""Number of songs of a partition: few enough to share the work evenly, many enough for Parquet with 6,824 columns."""

Writer = Callable[[Sequence[str], Sequence[Entry], Path], None]
"""Writes files into a folder, from the ids and the entries of songs."""


class Partition(NamedTuple):
    """Consecutive songs of a corpus.

    Parameters
    ----------
    track_ids : sequence of str
        Their ids.
    songs : sequence of CacheMiss
        Their clips, and their keys in the cache.
    url : str
        Folder for the files, a path or a URL that fsspec can open.
    """

    track_ids: Sequence[str]
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
    write: Writer[Entry],
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
    write : callable
        Picklable function that writes the files of a partition, always with the same names.

    Yields
    ------
    dict
        From the name of each file of a partition to its path; in the order of `tracks`. The files exist until the next
        partition.

    Raises
    ------
    UserError
        If a song cannot be computed, the cluster fails, or a file arrives damaged.
    """
    songs, ids = cache.request(tracks, folder), tracks["track_id"].tolist()
    place.mkdir(parents=True, exist_ok=True)
    with _shared_folder(compute, place) as shared, temporary_folder(place) as fetched:
        partitions = [
            Partition(ids[first : first + SIZE], songs[first : first + SIZE], f"{shared}/{first // SIZE:06d}")
            for first in range(0, len(songs), SIZE)
        ]
        store = partial(_store, function=function, cache=cache, write=write)
        with closing(parallel_map(store, partitions, description, compute, remote_ok=True)) as stored:
            for url, hashes in stored:
                yield {name: _fetch(f"{url}/{name}", digest, fetched) for name, digest in hashes.items()}


def move_parts(partitions: Iterable[Mapping[str, Path]], folders: Mapping[str, Path]) -> Iterator[Mapping[str, Path]]:
    """Move files of partitions into folders, where their names have the order of the partitions.

    Parameters
    ----------
    partitions : iterable of mapping
        Result of `compute_partitions`.
    folders : mapping
        From the name of a file to the folder for it, which is made.

    Yields
    ------
    mapping
        The other files of a partition, as `compute_partitions` yields them.
    """
    for folder in folders.values():
        folder.mkdir()
    for number, files in enumerate(partitions):
        for name, folder in folders.items():
            shutil.move(files[name], folder / f"part-{number:06d}{files[name].suffix}")
        yield {name: path for name, path in files.items() if name not in folders}


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
    write: Writer[Entry],
) -> tuple[str, dict[str, str]]:
    """Write the files of a partition, and return their folder and hashes; every attempt has a folder of its own."""
    entries = [cache.get(song.key) or cache.compute(song, function) for song in partition.songs]
    url = f"{partition.url}-{uuid.uuid4().hex}"
    file_system, folder = fsspec.url_to_fs(url, use_listings_cache=False)
    file_system.makedirs(folder, exist_ok=True)
    hashes = {}
    with temporary_folder() as written:
        write(partition.track_ids, entries, written)
        for path in sorted(written.iterdir()):
            hashes[path.name] = _hash(path)
            file_system.put_file(str(path), f"{folder}/{path.name}")
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
