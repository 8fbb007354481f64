"""Results of a large corpus in partitions, which workers compute and store themselves.

The process that coordinates them sees a manifest of each partition, but none of its songs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import fsspec
import pandas as pd

from songgenre import audio
from songgenre.cache import Cache
from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.tables.files import read_table

if TYPE_CHECKING:
    import pandera.pandas as pa

    from songgenre.params import Compute

MANIFEST = "manifest.json"


class Partition(NamedTuple):
    """Consecutive songs of a corpus.

    Parameters
    ----------
    first_row : int
        Row of the first song in the corpus.
    track_ids : list of str
        Names of the songs.
    clips : list of Clip
        Their audio.
    url : str
        Folder of the results, a path or a URL that fsspec can open. Its name is a hash of everything that the results
        depend on.
    """

    first_row: int
    track_ids: list[str]
    clips: list[audio.Clip]
    url: str


class Manifest(NamedTuple):
    """Result of a partition.

    Parameters
    ----------
    url : str
        Folder of the partition.
    songs : int
        Number of songs.
    seconds : float
        Time of the computation.
    sha256 : dict of str to str
        Hash of each file.
    """

    url: str
    songs: int
    seconds: float
    sha256: dict[str, str]


def divide(tracks: pd.DataFrame, folder: Path | str, cache: Cache[Any], layout: str, size: int) -> list[Partition]:
    """Divide a corpus into partitions.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    folder : Path or str
        Folder of the audio, or the URL of a copy.
    cache : Cache
        Cache of the results of single songs; partitions are stored in its folder ``partitions``, under its keys.
    layout : str
        What the files of a partition depend on, besides its songs.
    size : int
        Largest number of songs of a partition.

    Returns
    -------
    list of Partition
        The partitions, in the order of `tracks`.
    """
    clips = audio.clips(tracks, folder)
    keys = [cache.key(sha, clip.start_s, clip.duration_s) for sha, clip in zip(tracks["sha256"], clips, strict=True)]
    track_ids = tracks["track_id"].tolist()
    partitions = []
    for first in range(0, len(tracks), size):
        rows = slice(first, first + size)
        key = hashlib.sha256(json.dumps([layout, first, track_ids[rows], keys[rows]]).encode()).hexdigest()
        partitions.append(Partition(first, track_ids[rows], clips[rows], f"{cache.url}/partitions/{key}"))
    return partitions


def compute_partitions(
    write: Callable[[Partition, Path], None], partitions: Sequence[Partition], description: str, compute: Compute
) -> list[Manifest]:
    """Let workers compute and store partitions; a stored partition is not computed again.

    Parameters
    ----------
    write : callable
        Picklable function that writes the files of a partition into a folder.
    partitions : sequence of Partition
        Result of `divide`.
    description : str
        Text for the progress bar.
    compute : Compute
        Section ``compute`` of ``params.yaml``: local processes or a Dask cluster.

    Returns
    -------
    list of Manifest
        Manifest of each partition, in the order of `partitions`.

    Raises
    ------
    UserError
        If a song cannot be computed, or the cluster fails.
    """
    store = partial(_compute_and_store, write=write)
    return list(parallel_map(store, partitions, description, compute, remote_ok=True))


def _compute_and_store(partition: Partition, write: Callable[[Partition, Path], None]) -> Manifest:
    file_system, folder = fsspec.url_to_fs(partition.url, use_listings_cache=False)
    stored = _read_manifest(file_system, folder)
    if stored and all(file_system.exists(f"{folder}/{name}") for name in stored.sha256):
        return stored
    start = time.perf_counter()
    file_system.makedirs(folder, exist_ok=True)
    with TemporaryDirectory() as temporary:
        write(partition, Path(temporary))
        files = sorted(Path(temporary).iterdir())
        hashes = {file.name: _hash(file) for file in files}
        for file in files:
            file_system.put_file(str(file), f"{folder}/{file.name}")
    seconds = time.perf_counter() - start
    manifest = Manifest(partition.url, len(partition.track_ids), seconds, hashes)
    file_system.pipe_file(f"{folder}/{MANIFEST}", json.dumps(manifest._asdict()).encode())
    return manifest


def _read_manifest(file_system: fsspec.AbstractFileSystem, folder: str) -> Manifest | None:
    """Read the manifest, which is the last file of a partition; None if it is missing or damaged."""
    try:
        return Manifest(**json.loads(file_system.cat_file(f"{folder}/{MANIFEST}")))
    except (OSError, TypeError, ValueError):
        return None


def fetch(manifests: Sequence[Manifest], name: str, folder: Path) -> Iterator[Path]:
    """Fetch a file of each partition.

    Parameters
    ----------
    manifests : sequence of Manifest
        Result of `compute_partitions`.
    name : str
        Name of the file.
    folder : Path
        Folder to put the files into; on this machine, they are linked.

    Yields
    ------
    Path
        File of each partition, in their order.

    Raises
    ------
    UserError
        If a file is missing or damaged; its partition is computed again in the next run.
    """
    for number, manifest in enumerate(manifests):
        path = folder / f"part-{number:05d}{Path(name).suffix}"
        file_system, stored = fsspec.url_to_fs(manifest.url, use_listings_cache=False)
        try:
            _link_or_copy(file_system, f"{stored}/{name}", path)
            is_whole = _hash(path) == manifest.sha256[name]
        except FileNotFoundError:
            is_whole = False
        if not is_whole:
            file_system.rm_file(f"{stored}/{MANIFEST}")
            raise UserError(f"{manifest.url}/{name}: damaged. Run the same command again, which computes it anew.")
        yield path


def read_partitions(manifests: Sequence[Manifest], schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Read a table of all partitions.

    Parameters
    ----------
    manifests : sequence of Manifest
        Result of `compute_partitions`.
    schema : pandera.pandas.DataFrameSchema
        Schema of the table, whose file in each partition has its name and the suffix ``.parquet``.

    Returns
    -------
    pd.DataFrame
        The rows of all partitions, in their order.

    Raises
    ------
    UserError
        As `fetch`.
    """
    with TemporaryDirectory() as folder:
        parts = [read_table(schema, path) for path in fetch(manifests, f"{schema.name}.parquet", Path(folder))]
    return pd.concat(parts, ignore_index=True)


def _link_or_copy(file_system: fsspec.AbstractFileSystem, stored: str, path: Path) -> None:
    if "file" in file_system.protocol:
        try:
            os.link(stored, path)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one without links
            shutil.copyfile(stored, path)
    else:
        file_system.get_file(stored, str(path))


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
