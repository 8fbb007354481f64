"""The Free Music Archive data set: clips of 30 s, with genres, licences and a split, made for research.

It is published as zip archives: ``fma_metadata.zip`` describes all the songs, and ``fma_small.zip``,
``fma_medium.zip`` and ``fma_large.zip`` hold the clips, each those of the smaller ones too.
"""

from __future__ import annotations

import bz2
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import IO, Literal

import pandas as pd

from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.params import LOCAL, Compute
from songgenre.sources.base import Source, SourceInfo, Track
from songgenre.sources.download import fetch, sha1_of

INFO = SourceInfo(
    name="fma",
    description="Clips of 30 s from the Free Music Archive, described and split by Defferrard et al.",
    homepage="https://github.com/mdeff/fma",
    citation=(
        "Michaël Defferrard, Kirell Benzi, Pierre Vandergheynst, Xavier Bresson: FMA: A Dataset For Music Analysis. "
        "International Society for Music Information Retrieval Conference (ISMIR), 2017. arXiv:1612.01840"
    ),
    license="The metadata CC BY 4.0; each clip the licence that its artist chose, see the catalogue.",
    terms="Meant for research. Cite the paper, and heed the licence of each clip that you pass on.",
    checksums={
        "fma_metadata.zip": "f0df49ffe5f2a6008d7dc83c6915b31835dfe733",
        "fma_small.zip": "ade154f733639d52e35e32f5593efe5be76c6d70",
        "fma_medium.zip": "c67b69ea232021025fca9231fc1c7c1a063ab50b",
        "fma_large.zip": "497109f4dd721066b5ce5e5f250ec604dc78939e",
    },
)

SIZES = ["small", "medium", "large"]
SPLITS = {"training": "train", "validation": "validation", "test": "test"}
TRACKS = "fma_metadata/tracks.csv"
COLUMNS = {
    "split": ("set", "split"),
    "subset": ("set", "subset"),
    "genre": ("track", "genre_top"),
    "title": ("track", "title"),
    "license": ("track", "license"),
    "artist": ("artist", "name"),
}

CUT_SHORT_S = {
    98565: 1.6,
    98567: 0.5,
    98569: 1.5,
    99134: 0,
    108925: 0,
    133297: 0,
    1486: 0,
    5574: 0,
    65753: 0,
    80391: 0,
    98558: 0,
    98559: 0,
    98560: 0,
    98566: 6.2,
    98568: 6.6,
    98571: 0,
    105247: 0,
    126981: 0,
    127336: 0,
    143992: 0,
}
"""What the published archives hold of clips that were cut at the wrong place, in seconds.

The first six are in all sizes, the others not in the small one: https://github.com/mdeff/fma/wiki.
"""

BROKEN = (EOFError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged or encrypted archive, a file that is not there, or a damaged table raises."""


@dataclass(frozen=True)
class Fma(Source):
    """The Free Music Archive data set as a source.

    Parameters
    ----------
    size : {"small", "medium", "large"}
        8,000, 25,000 or 106,574 clips.
    folder : Path or None
        Where the user already has the archives, zipped or extracted; it is only read. None to download them.
    url : str
        Where they are published; ends in a slash.
    downloads : Path
        Where to keep those that are downloaded.
    max_file_mb : float
        A larger clip is refused; in megabytes.
    timeout_s : float
        How long the server may stay silent.
    retries : int
        Of a request.
    compute : Compute
        Where the clips are copied.
    checksums : mapping of str to str
        The SHA-1 of each archive.
    about : SourceInfo
    """

    size: Literal["small", "medium", "large"]
    folder: Path | None
    url: str
    downloads: Path
    max_file_mb: float
    timeout_s: float
    retries: int
    compute: Compute = LOCAL
    checksums: Mapping[str, str] = field(default_factory=lambda: INFO.checksums)
    about: SourceInfo = INFO

    def collect(self, audio: Path) -> list[Track]:
        """Put the clips of the chosen size into a folder.

        Parameters
        ----------
        audio : Path
            Existing folder.

        Returns
        -------
        list of Track
            With the published split. A clip that is known to be broken, or cannot be read, is there with the reason.

        Raises
        ------
        UserError
            If an archive is not in the user's folder, cannot be downloaded, or is not the published one.
        """
        songs = _songs(self._locate("fma_metadata"), self.size)
        clips = self._locate(f"fma_{self.size}")
        put = partial(_write_audio, clips=clips, audio=audio, max_bytes=round(self.max_file_mb * 1e6))
        batches = [list(batch) for _, batch in groupby(songs, lambda song: int(song.source_id) // 1000)]
        collected = list(chain.from_iterable(parallel_map(put, batches, "collecting, folder by folder", self.compute)))
        if not any(song.file for song in collected):
            raise UserError(
                f"Expected clips like {_clip(clips, 2)} in {clips}, but none of the {len(collected)} could be had. "
                f"The first, song {collected[0].source_id}: {collected[0].detail}."
            )
        return collected

    def _locate(self, name: str) -> Path:
        """Find a published archive: the zip file that is right, or the folder that was extracted."""
        zipped = f"{name}.zip"
        if self.folder is None:
            fetch(self.url + zipped, self.downloads / zipped, self.checksums[zipped], self.timeout_s, self.retries)
            return self.downloads / zipped
        folder = self.folder.expanduser()
        if (folder / zipped).is_file():
            self._check(folder / zipped)
            return folder / zipped
        if (folder / name).is_dir():
            return folder / name
        raise UserError(
            f"Expected {zipped}, or the folder {name} that is in it, in {folder.absolute()}, but found neither. "
            f"Put it there, or leave scraping.folder in params.yaml empty to download it from {self.url}."
        )

    def _check(self, path: Path) -> None:
        got = sha1_of(path)
        if got != self.checksums[path.name]:
            raise UserError(
                f"Expected the SHA-1 of {path} to be {self.checksums[path.name]}, got {got}. "
                f"Download it again from {self.url}{path.name}."
            )


def _songs(metadata: Path, size: str) -> list[Track]:
    """The songs of one of the sizes; without their audio yet."""
    tracks = _tracks(metadata)
    tracks = tracks[tracks["subset"].isin(SIZES[: SIZES.index(size) + 1])]
    if tracks.empty:
        raise UserError(f"Expected songs of the {size} data set in {TRACKS} of {metadata}, but it has none.")
    return [
        Track(
            source=INFO.name,
            source_id=str(row["track"]),
            file=None,
            genres=(row["genre"],) if row["genre"] else (),
            title=row["title"],
            artist=row["artist"],
            license=row["license"],
            collection=f"fma_{size}",
            primary_genre=row["genre"],
            split=SPLITS.get(row["split"]),
        )
        for row in tracks.to_dict("records")
    ]


def _tracks(metadata: Path) -> pd.DataFrame:
    """The columns that are used of the table of all songs, which would fill a gigabyte; None where they are empty."""
    try:
        with _open_archive(metadata) as opened:
            with opened(TRACKS) as file:
                header = pd.read_csv(file, header=None, nrows=2, dtype="str", keep_default_na=False)
            positions = _positions(list(zip(*header.to_numpy(), strict=True)), metadata)
            with opened(TRACKS) as file:
                tracks = _rows(file, positions)
    except BROKEN as error:
        raise UserError(
            f"Expected {TRACKS} in {metadata} to be the table of songs of fma_metadata.zip, but it cannot "
            f"be read: {_text(error)}. Download {metadata.name} again."
        ) from None
    return tracks.astype(object).where(tracks.notna(), None)


def _positions(columns: list[tuple[str, str]], metadata: Path) -> dict[int, str]:
    """Where the columns are that are used; the first is the number of the song."""
    missing = [column for column in COLUMNS.values() if column not in columns]
    if missing:
        raise UserError(
            f"Expected the columns {_join_names(missing)} in {TRACKS} of {metadata}, "
            f"but it has {_join_names(columns)}. Use the table of the published fma_metadata.zip."
        )
    return {0: "track"} | {columns.index(column): name for name, column in COLUMNS.items()}


def _join_names(columns: list[tuple[str, str]]) -> str:
    return ", ".join(" ".join(column) for column in columns)


def _rows(file: IO[bytes], positions: dict[int, str]) -> pd.DataFrame:
    rows = pd.read_csv(
        file,
        header=None,
        skiprows=3,
        usecols=list(positions),
        dtype=dict.fromkeys(positions, "str") | {0: "int64"},
        keep_default_na=False,
        na_values=[""],
    )
    return rows.rename(columns=positions)


def _write_audio(songs: list[Track], clips: Path, audio: Path, max_bytes: int) -> list[Track]:
    """Put the audio of some songs into a folder."""
    with _open_archive(clips) as opened:
        return [_copy_audio(song, _clip(clips, int(song.source_id)), opened, audio, max_bytes) for song in songs]


def _clip(clips: Path, track_id: int) -> str:
    """What a clip is called in its archive."""
    return f"{clips.stem}/{track_id // 1000:03d}/{track_id:06d}.mp3"


def _copy_audio(song: Track, clip: str, opened: Callable[[str], IO[bytes]], audio: Path, max_bytes: int) -> Track:
    seconds = CUT_SHORT_S.get(int(song.source_id))
    if seconds is not None:
        detail = f"a known broken clip of the published archive, which holds {seconds:g} s of its 30 s"
        return replace(song, reason="truncated", detail=detail)
    try:
        with opened(clip) as file:
            content = file.read(max_bytes + 1)
    except BROKEN as error:
        return replace(song, reason="unreadable", detail=f"{clip} cannot be read: {_text(error)}")
    if len(content) > max_bytes:
        return replace(song, reason="unreadable", detail=f"{clip} is larger than {max_bytes / 1e6:g} MB")
    file_name = f"{song.track_id}.mp3"
    (audio / file_name).write_bytes(content)
    return replace(song, file=file_name)


@contextmanager
def _open_archive(archive: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """Open a published archive, zipped or extracted: gives what opens a file in it by its name."""
    if archive.is_dir():
        yield partial(_open_extracted, archive)
        return
    try:
        zipped = zipfile.ZipFile(archive)
    except BROKEN as error:
        raise UserError(
            f"Expected {archive} to be a zip archive, but it cannot be read: {_text(error)}. Download it again."
        ) from None
    with zipped:
        yield partial(_open_zipped, zipped)


def _open_extracted(folder: Path, name: str) -> IO[bytes]:
    path = folder.parent / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"a link leads out of {folder.name}")
    if not path.is_file():
        raise ValueError("it is missing")
    return path.open("rb")


def _open_zipped(zipped: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a file in a zip archive so that no more of it is decompressed than is read.

    That is so of `zipfile` with the ordinary method, deflate, but not with bzip2, which the published archives use.
    """
    if name not in zipped.NameToInfo:
        raise ValueError("it is missing")
    member = zipped.getinfo(name)
    if member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return zipped.open(member)
    if member.compress_type != zipfile.ZIP_BZIP2:
        raise ValueError(f"it is compressed by method {member.compress_type}, not by bzip2 or deflate")
    compressed = copy(member)
    compressed.compress_type, compressed.file_size = zipfile.ZIP_STORED, member.compress_size
    del compressed.CRC
    return bz2.open(zipped.open(compressed))


def _text(error: BaseException) -> str:
    return str(error) or "it ends too early"
