"""On-disk cache of results for clips, keyed by a hash of the audio, the parameters and the code.

An entry is never outdated, and can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import fsspec
import numpy as np

from songgenre import audio
from songgenre.code_version import code_version

if TYPE_CHECKING:
    import pandas as pd

Entry = TypeVar("Entry", bound=NamedTuple)

FORMAT = 2
"""Version of the format of the entries, a part of their keys."""
DIGEST_BYTES = hashlib.sha256().digest_size


class CacheMiss(NamedTuple):
    """A clip without an entry in the cache.

    Parameters
    ----------
    clip : Clip
        Part of an audio file.
    key : str
        Key of the missing entry.
    """

    clip: audio.Clip
    key: str


class Cache(Generic[Entry]):
    """Cache of entries of one kind, in a folder or at a URL that fsspec can open.

    An entry is a file in the npz format, followed by the SHA-256 of its key and its content.

    Parameters
    ----------
    url : str
        A folder, or for example ``s3://bucket/features``.
    kind : type
        Type of the entries: a named tuple of arrays and numbers.
    parameters : mapping
        All parameters that influence an entry.
    function : callable
        Function that computes an entry; its code is part of the keys, see `songgenre.code_version.code_version`.
    """

    def __init__(
        self, url: str, kind: type[Entry], parameters: Mapping[str, Any], function: Callable[..., Entry]
    ) -> None:
        self.url = url
        self.kind = kind
        self.config = json.dumps([FORMAT, parameters, code_version(function)], sort_keys=True)

    def key(self, sha256: str, start_s: float, duration_s: float) -> str:
        """Compute the key of an entry.

        Parameters
        ----------
        sha256 : str
            SHA-256 of the audio file, in hexadecimal digits.
        start_s, duration_s : float
            Start and length of the clip, in seconds.

        Returns
        -------
        str
            SHA-256 in hexadecimal digits.
        """
        return hashlib.sha256(f"{sha256} {start_s!r} {duration_s!r} {self.config}".encode()).hexdigest()

    def keys(self) -> set[str]:
        """List the keys of all entries.

        Returns
        -------
        set of str
            Keys, empty if there is no cache yet.
        """
        file_system, folder = fsspec.url_to_fs(self.url, use_listings_cache=False)
        try:
            return {path.rpartition("/")[2].removesuffix(".npz") for path in file_system.find(folder)}
        except FileNotFoundError:
            return set()

    def get(self, key: str) -> Entry | None:
        """Read an entry.

        Parameters
        ----------
        key : str
            Key of the entry.

        Returns
        -------
        NamedTuple or None
            An entry of type `kind`; None if it is missing or damaged.
        """
        file_system, path = self._place(key)
        try:
            stored = file_system.cat_file(path)
            content, digest = stored[:-DIGEST_BYTES], stored[-DIGEST_BYTES:]
            if digest != _digest(key, content):
                return None
            with np.load(io.BytesIO(content), allow_pickle=False) as entry:
                return self.kind._make(entry[name][()] for name in self.kind._fields)
        except Exception:  # each file system raises its own errors, and an entry of another kind any of NumPy's
            return None

    def put(self, key: str, entry: Entry) -> None:
        """Write an entry. If the process is killed meanwhile, `get` detects the torn file by its hash.

        Parameters
        ----------
        key : str
            Key of the entry.
        entry : NamedTuple
            Entry of type `kind`.
        """
        file_system, path = self._place(key)
        content = io.BytesIO()
        np.savez(content, **entry._asdict())
        file_system.makedirs(path.rpartition("/")[0], exist_ok=True)
        file_system.pipe_file(path, content.getvalue() + _digest(key, content.getvalue()))

    def request(self, tracks: pd.DataFrame, folder: Path | str) -> list[CacheMiss]:
        """List the clips of tracks with their keys.

        Parameters
        ----------
        tracks : pd.DataFrame
            `songgenre.tables.tracks.TRACKS`.
        folder : Path or str
            Folder of the audio, or the URL of a copy.

        Returns
        -------
        list of CacheMiss
            One per track, in the order of `tracks`, whether it is in the cache or not.
        """
        return [
            CacheMiss(clip, self.key(sha256, clip.start_s, clip.duration_s))
            for sha256, clip in zip(tracks["sha256"], audio.clips(tracks, folder), strict=True)
        ]

    def compute(self, missing: CacheMiss, function: Callable[[audio.Clip], Entry]) -> Entry:
        """Compute an entry and write it.

        Parameters
        ----------
        missing : CacheMiss
            Clip and key.
        function : callable
            Computes the entry of a clip.

        Returns
        -------
        NamedTuple
            The entry.
        """
        entry = function(missing.clip)
        self.put(missing.key, entry)
        return entry

    def _place(self, key: str) -> tuple[fsspec.AbstractFileSystem, str]:
        file_system, folder = fsspec.url_to_fs(self.url, use_listings_cache=False)
        return file_system, f"{folder}/{key[:2]}/{key}.npz"


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + content).digest()


def cached_map(
    function: Callable[[audio.Clip], Entry],
    tracks: pd.DataFrame,
    folder: Path | str,
    cache: Cache[Entry],
    map_fn: Callable[[Callable[[CacheMiss], Entry], Sequence[CacheMiss]], Generator[Entry, None, None]],
) -> Iterator[Entry]:
    """Read the entry of each track from the cache, or compute and store it.

    Parameters
    ----------
    function : callable
        Computes the entry of a clip.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    folder : Path or str
        Folder of the audio, or the URL of a copy.
    cache : Cache
        Cache of the entries.
    map_fn : callable
        Applies a function to all missing clips, as `songgenre.compute.parallel_map` does.

    Yields
    ------
    NamedTuple
        Entry of each track, in the order of `tracks`.
    """
    requested = cache.request(tracks, folder)
    compute = partial(cache.compute, function=function)
    stored = cache.keys()
    with closing(map_fn(compute, [each for each in requested if each.key not in stored])) as computed:
        for each in requested:
            if each.key not in stored:
                yield next(computed)
            else:
                yield cache.get(each.key) or next(map_fn(compute, [each]))
