"""From the catalogue to the songs that are used and the ledger of those that are not."""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.wrangling import duplicates
from songgenre.wrangling.check import Decoded, decode
from songgenre.wrangling.split import artist_group


class Checked(NamedTuple):
    """A decoded file and the fingerprint of its clip (empty if the file cannot be used)."""

    decoded: Decoded
    fingerprint: np.ndarray


def middle(duration_s: float, clip_duration_s: float) -> tuple[float, float]:
    """Start and length, in seconds, of the clip from the middle of a song; of all of it if it is shorter."""
    length_s = float(min(duration_s, clip_duration_s))
    return math.floor((duration_s - length_s) / 2 * 100) / 100, length_s


def wrangle(
    catalogue: pd.DataFrame,
    folder: Path,
    clip_duration_s: float,
    min_duration_s: float,
    silence_db: float,
    two_genres: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decode every song of the catalogue and decide which are used.

    Parameters
    ----------
    catalogue : pd.DataFrame
    folder : Path
        Where the audio of the catalogue lies.
    clip_duration_s : float
        Length of the clip from the middle of each song; all of a shorter song is used.
    min_duration_s : float
        A song shorter than this is excluded.
    silence_db : float
        Level, in dB of full scale, below which a song is silent.
    two_genres : str
        What happens to a song that is filed under several genres: ``"drop"`` it, or use the ``"first"``.

    Returns
    -------
    used : pd.DataFrame
        `songgenre.tables.TRACKS` without the split.
    excluded : pd.DataFrame
        `songgenre.tables.EXCLUDED`. Together they hold each song of the catalogue exactly once.

    Raises
    ------
    UserError
        If no song is left.
    """
    check = partial(_check, clip_duration_s=clip_duration_s, min_duration_s=min_duration_s, silence_db=silence_db)
    paths = [folder / name for name in catalogue["audio_path"]]
    checked = list(parallel_map(check, paths, "decoding"))
    songs = pd.concat(
        [catalogue.reset_index(drop=True), pd.DataFrame([asdict(song.decoded) for song in checked])], axis=1
    )
    _exclude_by_genre(songs, two_genres)
    _exclude_duplicates(songs, [song.fingerprint for song in checked], two_genres)
    return _used(songs[songs["reason"] == ""], clip_duration_s), _excluded(songs[songs["reason"] != ""])


def _check(path: Path, clip_duration_s: float, min_duration_s: float, silence_db: float) -> Checked:
    decoded = decode(path, min_duration_s, silence_db)
    if decoded.reason:
        return Checked(decoded, np.empty(0, dtype=np.uint32))
    sample_rate = duplicates.SAMPLE_RATE
    y = audio.load(audio.Clip(path, *middle(decoded.duration_s, clip_duration_s)), sample_rate)
    return Checked(decoded, duplicates.fingerprint(y, sample_rate))


def _exclude(songs: pd.DataFrame, index: int, reason: str, detail: str) -> None:
    songs.loc[index, ["reason", "detail"]] = [reason, detail]


def _exclude_by_genre(songs: pd.DataFrame, two_genres: str) -> None:
    for index, genres in songs.loc[songs["reason"] == "", "genres"].items():
        if len(genres) == 0:
            _exclude(songs, index, "missing_genre", "the source names no genre")
        elif len(genres) > 1 and two_genres == "drop":
            _exclude(songs, index, "ambiguous_genre", f"filed under {' and '.join(genres)}")


def _exclude_duplicates(songs: pd.DataFrame, fingerprints: list[np.ndarray], two_genres: str) -> None:
    """Of each recording the song with a known artist and the most bytes stays."""
    usable = songs[songs["reason"] == ""]
    best_first = usable.assign(unknown=usable["artist"].isna(), size=-usable["bytes"]).sort_values(
        ["unknown", "size", "track_id"]
    )
    first = duplicates.find_duplicates([fingerprints[index] for index in best_first.index])
    for _, group in best_first.groupby(first):
        kept = group.iloc[0]
        genres = sorted({genres[0] for genres in group["genres"]})
        if len(genres) > 1 and two_genres == "drop":
            for index in group.index:
                detail = f"the same recording is filed under {' and '.join(genres)}"
                _exclude(songs, index, "ambiguous_genre", detail)
            continue
        for index, song in group.iloc[1:].iterrows():
            same = "the same bytes" if song["sha256"] == kept["sha256"] else "the same recording"
            _exclude(songs, index, "duplicate", f"{same} as {kept['track_id']}")


def _used(songs: pd.DataFrame, clip_duration_s: float) -> pd.DataFrame:
    if songs.empty:
        raise UserError(
            "Expected at least one usable song in the catalogue, but all are excluded. "
            "The ledger of exclusions says why; is wrangling.min_duration_s longer than the songs?"
        )
    clips = [middle(duration_s, clip_duration_s) for duration_s in songs["duration_s"]]
    return pd.DataFrame(
        {
            "track_id": songs["track_id"],
            "audio_path": songs["audio_path"],
            "genre": songs["genres"].str[0].astype("str"),
            "title": songs["title"],
            "artist": songs["artist"],
            "artist_group": [
                artist_group(artist, track_id)
                for artist, track_id in zip(songs["artist"], songs["track_id"], strict=True)
            ],
            "collection": songs["collection"],
            "duration_s": songs["duration_s"],
            "sample_rate": songs["sample_rate"],
            "channels": songs["channels"],
            "clip_start_s": [start_s for start_s, _ in clips],
            "clip_duration_s": [length_s for _, length_s in clips],
        }
    ).reset_index(drop=True)


def _excluded(songs: pd.DataFrame) -> pd.DataFrame:
    return songs[["track_id", "reason", "detail"]].astype("str").reset_index(drop=True)
