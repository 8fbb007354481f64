"""Features that were computed before, by what they were computed from.

An entry is named after the bytes of the audio, the part of it, the parameters, and the code that computed it; so none
is ever out of date, and to delete any or all of them is safe.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
import numpy as np

import songgenre

LIBRARIES = ("librosa", "numba", "numpy", "scipy", "soundfile", "soxr")
SOURCES = (
    "audio.py",
    "features/constant_q.py",
    "features/descriptors.py",
    "features/kernels.py",
    "features/rhythm.py",
    "features/spectra.py",
)


class Extracted(NamedTuple):
    """The features of one clip.

    Parameters
    ----------
    descriptors : np.ndarray [shape=(n,)]
        See `songgenre.features.descriptors.describe_spectra`.
    mel : np.ndarray [shape=(n_mels, n_frames), dtype=uint8]
    mel_db_max : float
    """

    descriptors: np.ndarray
    mel: np.ndarray
    mel_db_max: float


class Cache:
    """Extracted features in a folder, or wherever fsspec reaches.

    Parameters
    ----------
    url : str
        A folder, or for example ``s3://bucket/features``.
    parameters : mapping
        All that the features depend on besides the audio and the code.
    """

    def __init__(self, url: str, parameters: Mapping[str, Any]) -> None:
        self.url = url
        self.recipe = json.dumps([parameters, code_version()], sort_keys=True)

    def key(self, sha256: str, start_s: float, duration_s: float) -> str:
        """Name of an entry, given the hash of the audio file and the part of it."""
        return hashlib.sha256(f"{sha256} {start_s!r} {duration_s!r} {self.recipe}".encode()).hexdigest()

    def keys(self) -> set[str]:
        """Names of all entries."""
        file_system, folder = fsspec.url_to_fs(self.url, use_listings_cache=False)
        try:
            return {path.rpartition("/")[2].removesuffix(".npz") for path in file_system.find(folder)}
        except FileNotFoundError:
            return set()

    def get(self, key: str) -> Extracted | None:
        """An entry; None if there is none, or it is damaged."""
        file_system, path = self._place(key)
        try:
            with np.load(io.BytesIO(file_system.cat_file(path)), allow_pickle=False) as entry:
                return Extracted(entry["descriptors"], entry["mel"], float(entry["mel_db_max"]))
        except (FileNotFoundError, ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile):
            return None

    def put(self, key: str, extracted: Extracted) -> None:
        """Keep an entry. One that is torn, because its writer was killed, is found out by its checksum."""
        file_system, path = self._place(key)
        content = io.BytesIO()
        np.savez(content, **extracted._asdict())
        file_system.makedirs(path.rpartition("/")[0], exist_ok=True)
        file_system.pipe_file(path, content.getvalue())

    def _place(self, key: str) -> tuple[fsspec.AbstractFileSystem, str]:
        file_system, folder = fsspec.url_to_fs(self.url, use_listings_cache=False)
        return file_system, f"{folder}/{key[:2]}/{key}.npz"


@cache
def code_version() -> str:
    """Hash of the modules that compute features, and of the versions of the libraries they use."""
    package = Path(songgenre.__file__).parent
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((package / name).read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}".encode())
    return digest.hexdigest()
