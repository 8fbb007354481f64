"""GTZAN in a folder: ten genres with a hundred excerpts each, a common benchmark.

The folder contains the ten sub-folders of the archive, directly or below ``genres`` or ``genres_original``. The
fault-filtered split is used if its three lists are in the folder. Without them, songs of one recording or artist are in
both training and test, and the accuracy is too high.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from songgenre.errors import UserError
from songgenre.sources.base import SourceInfo, Track

INFO = SourceInfo(
    name="gtzan",
    description="GTZAN: 1,000 excerpts of 30 s, a hundred of each of ten genres, without artists and titles",
    homepage="http://marsyas.info/downloads/datasets.html",
    citation=(
        "G. Tzanetakis and P. Cook, 'Musical genre classification of audio signals', IEEE Transactions on Speech and "
        "Audio Processing 10(5), 2002. Its faults: B. L. Sturm, 'The GTZAN dataset: Its contents, its faults, their "
        "effects on evaluation, and its future use', arXiv:1306.1461, 2013. The fault-filtered split: C. Kereliuk, "
        "B. L. Sturm and J. Larsen, 'Deep learning and music adversaries', IEEE Transactions on Multimedia 17(11), "
        "2015."
    ),
    license="Unknown.",
    terms="For research only: it was compiled without permission for the music.",
)

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
EXCERPT = re.compile(rf"({'|'.join(GENRES)})/\1\.\d{{5}}\.(wav|au)")
CORRUPT = "jazz/jazz.00054"
LISTS = {"train": "train_filtered.txt", "validation": "valid_filtered.txt", "test": "test_filtered.txt"}


def find(folder: Path) -> Path | None:
    """Find the ten genres of GTZAN.

    Parameters
    ----------
    folder : Path
        Folder of music.

    Returns
    -------
    Path or None
        Folder with the ten sub-folders: `folder`, or ``genres`` or ``genres_original`` in it; None if there is none.
    """
    places = (folder, folder / "genres", folder / "genres_original")
    return next((place for place in places if all(_has_excerpts(place / genre) for genre in GENRES)), None)


def describe(songs: list[Track], folder: Path) -> list[Track]:
    """Add the fault-filtered split to songs of GTZAN, and mark the corrupt one.

    Parameters
    ----------
    songs : list of Track
        Songs in the folder of `find`; a song with another name than in GTZAN is returned unchanged.
    folder : Path
        Folder with all lists of the fault-filtered split, ``train_filtered.txt``, ``valid_filtered.txt`` and
        ``test_filtered.txt``, or none of them. A line is like ``blues/blues.00029.wav``; the suffix is ignored.

    Returns
    -------
    list of Track
        The songs with their split. The corrupt song, and songs in none of the lists, have a reason and no audio.

    Raises
    ------
    UserError
        If some of the lists are missing, or a list names a missing song or a song of another list.
    """
    ours = {song.source_id for song in songs if EXCERPT.fullmatch(song.source_id)}
    splits = _splits(folder)
    unknown = set(splits) - {_strip_suffix(source_id) for source_id in ours} - {CORRUPT}
    if unknown:
        raise UserError(
            f"{folder}: the lists name {min(unknown)}, which is missing. Complete the folder or remove the lists."
        )
    return [_describe(song, splits) if song.source_id in ours else song for song in songs]


def _has_excerpts(genre: Path) -> bool:
    names = [path.name for path in genre.glob("*")] if os.path.isdir(genre) else []
    return any(EXCERPT.fullmatch(f"{genre.name}/{name}") for name in names)


def _strip_suffix(source_id: str) -> str:
    return source_id.removesuffix(".wav").removesuffix(".au")


def _splits(folder: Path) -> dict[str, str]:
    """Read the split of each listed song; empty without lists."""
    missing = [name for name in LISTS.values() if not (folder / name).is_file()]
    if len(missing) == len(LISTS):
        return {}
    if missing:
        raise UserError(f"{folder}: {' and '.join(missing)} is missing. Add it, or remove the other lists.")
    splits: dict[str, str] = {}
    for split, name in LISTS.items():
        for song in _lines(folder / name):
            if splits.setdefault(song, split) != split:
                raise UserError(
                    f"{folder}: {song} is in {LISTS[splits[song]]} and in {name}. Remove it from one of them."
                )
    return splits


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}). It must be UTF-8 text with one song per line.") from None
    return [_strip_suffix(line.strip()) for line in lines if line.strip()]


def _describe(song: Track, splits: dict[str, str]) -> Track:
    name = _strip_suffix(song.source_id)
    song = replace(song, collection="gtzan", split=splits.get(name))
    if song.source_id == f"{CORRUPT}.wav":
        detail = "known to be corrupt in the wav edition of GTZAN"
        return replace(song, file=None, reason="unreadable", detail=detail)
    if splits and name not in splits:
        detail = "not in the fault-filtered lists: repeated, distorted or wrongly labelled"
        return replace(song, file=None, reason="duplicate", detail=detail)
    return song
