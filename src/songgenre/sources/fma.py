"""FMA source: clips of 30 s from the Free Music Archive, with genres, licences and an official split.

The data set is published as zip archives: ``fma_metadata.zip`` describes all songs; ``fma_small.zip``,
``fma_medium.zip`` and ``fma_large.zip`` contain the clips, each including those of the smaller sizes.
"""

from __future__ import annotations

import bz2
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import IO, Any, Literal

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
    license="Metadata: CC BY 4.0. Clips: the licence in the catalogue, chosen by the artist.",
    terms="For research. Cite the paper, and respect the licence of each clip that you share.",
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
GENRES = "fma_metadata/genres.csv"
COLUMNS = {
    "split": ("set", "split"),
    "subset": ("set", "subset"),
    "genre": ("track", "genre_top"),
    "title": ("track", "title"),
    "license": ("track", "license"),
    "artist": ("artist", "name"),
}
ALL_GENRES = {"genres": ("track", "genres")}
"""Column with the numbers of a song's genres among the 161 of the hierarchy."""

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
"""Durations in s of the clips that were cut at the wrong place in the published archives.

The first six are in all sizes, the others not in the small one (https://github.com/mdeff/fma/wiki).
"""

BROKEN = (EOFError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)
"""Exceptions of reading a damaged or encrypted archive, a missing file or a damaged table."""


@dataclass(frozen=True)
class Fma(Source):
    """The Free Music Archive data set as a source.

    Parameters
    ----------
    size : {"small", "medium", "large"}
        8,000, 25,000 or 106,574 clips.
    genres : {"top", "all"}
        The one of 16 top-level genres that a song has, if it has one; or those of 161 genres that its artist chose.
    folder : Path or None
        Folder in which the user already has the archives, zipped or extracted; it is only read. None to download them.
    url : str
        Address under which the archives are published, with a slash at the end.
    downloads : Path
        Folder for downloaded archives.
    max_file_mb : float
        Largest clip in MB; a larger one is excluded.
    timeout_s : float
        Longest silence of the server, in s.
    retries : int
        Retries of a request.
    compute : Compute
        Section ``compute`` of ``params.yaml``, which says where clips are copied.
    checksums : mapping of str to str
        SHA-1 of each archive.
    about : SourceInfo
        Description of the source.
    """

    size: Literal["small", "medium", "large"]
    genres: Literal["top", "all"]
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
        """Copy the clips of the chosen size into a folder.

        Parameters
        ----------
        audio : Path
            Existing folder.

        Returns
        -------
        list of Track
            All songs with the official split; a clip that is damaged or cannot be read has a reason.

        Raises
        ------
        UserError
            If an archive is missing in the user's folder, cannot be downloaded, or has another SHA-1 than published.
        """
        songs = _songs(self._locate("fma_metadata"), self.size, self.genres)
        clips = self._locate(f"fma_{self.size}")
        put = partial(_write_audio, clips=clips, audio=audio, max_bytes=round(self.max_file_mb * 1e6))
        batches = [list(batch) for _, batch in groupby(songs, lambda song: int(song.source_id) // 1000)]
        collected = list(chain.from_iterable(parallel_map(put, batches, "collecting, folder by folder", self.compute)))
        if not any(song.file for song in collected):
            raise UserError(
                f"{clips}: none of the {len(collected)} clips can be read; their names are like {_clip(clips, 2)}. "
                f"The first one, {collected[0].source_id}: {collected[0].detail}. Download the archive again."
            )
        return collected

    def genre_parents(self) -> dict[str, str | None]:
        """Read the tree of the 161 genres.

        Returns
        -------
        dict
            From each genre to its parent, or to None if it is at the top; empty if `genres` is ``"top"``.

        Raises
        ------
        UserError
            If the table of genres cannot be read.
        """
        if self.genres == "top":
            return {}
        genres = _genres(self._locate("fma_metadata"))
        return {genre: genres["title"].get(parent) for genre, parent in genres.itertuples(index=False)}

    def _locate(self, name: str) -> Path:
        """Find a published archive: its zip file, which is checked, or the extracted folder."""
        zipped = f"{name}.zip"
        if self.folder is None:
            fetch(self.url + zipped, self.downloads / zipped, self.checksums[zipped], self.timeout_s, self.retries)
            return self.downloads / zipped
        folder = self.folder.expanduser()
        if (folder / zipped).is_file():
            self._check(folder / zipped)
            return folder / zipped
        for extracted in (folder / name / name, folder / name):  # some packers put the folder into one of its name
            if extracted.is_dir():
                return extracted
        raise UserError(
            f"{folder.absolute()}: contains neither {zipped} nor its extracted folder {name}. "
            f"Put it there, or leave scraping.folder in params.yaml empty to download it from {self.url}."
        )

    def _check(self, path: Path) -> None:
        got = sha1_of(path)
        if got != self.checksums[path.name]:
            raise UserError(
                f"{path}: the SHA-1 is {got} instead of {self.checksums[path.name]}. "
                f"Download it again from {self.url}{path.name}."
            )


def _songs(metadata: Path, size: str, genres: str) -> list[Track]:
    """Read the songs of a size, without audio."""
    tracks = _tracks(metadata, COLUMNS if genres == "top" else COLUMNS | ALL_GENRES)
    tracks = tracks[tracks["subset"].isin(SIZES[: SIZES.index(size) + 1])]
    if tracks.empty:
        raise UserError(f"{metadata}: {TRACKS} has no songs of the size {size}. Download {metadata.name} again.")
    names = _genres(metadata)["title"].to_dict() if genres == "all" else {}
    return [
        Track(
            source=INFO.name,
            source_id=str(row["track"]),
            file=None,
            genres=_genres_of(row, names),
            title=row["title"],
            artist=row["artist"],
            license=row["license"],
            collection=f"fma_{size}",
            primary_genre=None if names else row["genre"],
            split=SPLITS.get(row["split"]),
        )
        for row in tracks.to_dict("records")
    ]


def _genres_of(row: dict[str, Any], names: Mapping[int, str]) -> tuple[str, ...]:
    """List the genres of a song: the top-level one, or all if there are names of all."""
    if names:
        numbers = re.findall(r"\d+", row["genres"] or "")
        return tuple(names[int(number)] for number in numbers if int(number) in names)
    return (row["genre"],) if row["genre"] else ()


def _genres(metadata: Path) -> pd.DataFrame:
    """Read the titles of all genres and the numbers of their parents, a row per number; 0 is no parent."""
    columns = {"genre_id": "int64", "title": "str", "parent": "int64"}
    try:
        with _open_archive(metadata) as opened, opened(GENRES) as file:
            return pd.read_csv(file, usecols=list(columns), dtype=columns, index_col="genre_id")[["title", "parent"]]
    except BROKEN as error:
        raise UserError(
            f"{metadata}: {GENRES} cannot be read ({_text(error)}). Download {metadata.name} again."
        ) from None


def _tracks(metadata: Path, columns: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Read the used columns of the table of all songs, which would fill a gigabyte; empty cells become None."""
    try:
        with _open_archive(metadata) as opened:
            with opened(TRACKS) as file:
                header = pd.read_csv(file, header=None, nrows=2, dtype="str", keep_default_na=False)
            positions = _positions(list(zip(*header.to_numpy(), strict=True)), columns, metadata)
            with opened(TRACKS) as file:
                tracks = _rows(file, positions)
    except BROKEN as error:
        raise UserError(
            f"{metadata}: {TRACKS} cannot be read ({_text(error)}). Download {metadata.name} again."
        ) from None
    return tracks.astype(object).where(tracks.notna(), None)


def _positions(columns: list[tuple[str, str]], used: Mapping[str, tuple[str, str]], metadata: Path) -> dict[int, str]:
    """Locate the used columns; the first one is the number of the song."""
    missing = [column for column in used.values() if column not in columns]
    if missing:
        raise UserError(
            f"{metadata}: {TRACKS} lacks the columns {_join_names(missing)}; "
            f"it has {_join_names(columns)}. Use the published fma_metadata.zip."
        )
    return {0: "track"} | {columns.index(column): name for name, column in used.items()}


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
    """Copy the audio of some songs into a folder."""
    with _open_archive(clips) as opened:
        return [_copy_audio(song, _clip(clips, int(song.source_id)), opened, audio, max_bytes) for song in songs]


def _clip(clips: Path, track_id: int) -> str:
    """Return the name of a clip in its archive."""
    return f"{clips.stem}/{track_id // 1000:03d}/{track_id:06d}.mp3"


def _copy_audio(song: Track, clip: str, opened: Callable[[str], IO[bytes]], audio: Path, max_bytes: int) -> Track:
    seconds = CUT_SHORT_S.get(int(song.source_id))
    if seconds is not None:
        detail = f"known to be damaged in the published archive: {seconds:g} s instead of 30 s"
        return replace(song, reason="truncated", detail=detail)
    try:
        with opened(clip) as file:
            content = file.read(max_bytes + 1)
    except BROKEN as error:
        return replace(song, reason="unreadable", detail=f"{clip} cannot be read: {_text(error)}")
    if len(content) > max_bytes:
        return replace(
            song, reason="unreadable", detail=f"{clip} is larger than scraping.crawl.max_file_mb = {max_bytes / 1e6:g}"
        )
    file_name = f"{song.track_id}.mp3"
    (audio / file_name).write_bytes(content)
    return replace(song, file=file_name)


@contextmanager
def _open_archive(archive: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """Open a published archive, zipped or extracted; yield a function that opens a file by its name."""
    if archive.is_dir():
        yield partial(_open_extracted, archive)
        return
    try:
        zipped = zipfile.ZipFile(archive)
    except BROKEN as error:
        raise UserError(f"{archive}: not a readable zip archive ({_text(error)}). Download it again.") from None
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
    """Open a file in a zip archive that is decompressed only as far as it is read.

    `zipfile` does so for deflate, but not for bzip2, which the published archives use.
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
