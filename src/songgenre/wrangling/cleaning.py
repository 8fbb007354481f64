"""Divide a catalogue into the songs that are used and the exclusion log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.params import LOCAL, Compute
from songgenre.runtime.temporary import temporary_folder
from songgenre.wrangling import duplicates
from songgenre.wrangling.split import artist_group, hash_to_unit_interval
from songgenre.wrangling.validation import AudioReport, validate_audio

PARAMETERS = {"too_short": "wrangling.min_duration_s", "silent": "wrangling.silence_threshold_db"}
"""Parameters on which a reason depends."""
OTHER = "other"
"""Genre of the songs of all rare genres."""


class CheckedAudio(NamedTuple):
    """A decoded file and the fingerprint of its clip.

    Parameters
    ----------
    decoded : AudioReport
        Result of the validation.
    fingerprint : np.ndarray [shape=(n_frames,), dtype=uint32]
        Audio fingerprint of the clip; empty if the file cannot be used.
    """

    decoded: AudioReport
    fingerprint: np.ndarray


def clean_catalogue(
    catalogue: pd.DataFrame,
    folder: Path,
    clip_duration_s: float,
    min_duration_s: float,
    silence_threshold_db: float,
    multi_genre: str,
    balance_genres: bool,
    seed: int,
    compute: Compute = LOCAL,
    min_songs_per_genre: int = 1,
    rare_genres: str = "drop",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decode every song of the catalogue that has audio, and decide which songs are used.

    Parameters
    ----------
    catalogue : pd.DataFrame
        `songgenre.tables.catalogue.CATALOGUE`. A song without audio is excluded with the reason in its row.
    folder : Path
        Folder with the audio of the catalogue.
    clip_duration_s : float
        Length of the clip from the middle of each song, in s; a shorter song is used completely.
    min_duration_s : float
        Shortest duration of a song that is used, in s.
    silence_threshold_db : float
        Level in dB of full scale below which a song is silent.
    multi_genre : {"drop", "first", "primary"}
        Rule for songs listed under several genres: exclude them; use the first genre; or use the genre that the source
        marks as primary, and exclude songs without one. Two copies of one recording under different genres are excluded
        as well; with ``"first"``, the best copy stays, with its genre.
    balance_genres : bool
        Whether to keep as many songs of each genre as the rarest genre has: those with the lowest hash of ``track_id``
        and seed, so a song that is added later replaces at most one other.
    seed : int
        Seed of the balancing.
    compute : Compute
        Section ``compute`` of ``params.yaml``, which says where files are decoded.
    min_songs_per_genre : int
        Number of songs below which a genre is rare. Songs that are excluded for another reason do not count.
    rare_genres : {"drop", "other"}
        Rule for the songs of rare genres: exclude them; or give them the genre `OTHER`, and exclude them only if all of
        these together are still too few.

    Returns
    -------
    used : pd.DataFrame
        `songgenre.tables.tracks.TRACKS` without the split.
    excluded : pd.DataFrame
        `songgenre.tables.excluded.EXCLUDED`. Each song of the catalogue is in exactly one of the two tables.
    """
    offered = catalogue[catalogue["reason"].isna()].drop(columns=["reason", "detail"])
    check = partial(
        check_audio,
        clip_duration_s=clip_duration_s,
        min_duration_s=min_duration_s,
        silence_threshold_db=silence_threshold_db,
    )
    paths = [folder / name for name in offered["audio_path"]]
    with temporary_folder() as temporary:
        checked = parallel_map(check, paths, "decoding", compute, on_crash=_crashed)
        properties, fingerprints = _collect(checked, temporary / "fingerprints")
        songs = pd.concat([offered.reset_index(drop=True), properties], axis=1)
        songs["genre"] = [
            _genre(genres, primary, multi_genre)
            for genres, primary in zip(songs["genres"], songs["primary_genre"], strict=True)
        ]
        _exclude_by_genre(songs)
        _exclude_duplicates(songs, fingerprints, multi_genre)
    if rare_genres == "other":
        songs["genre"] = songs["genre"].mask(_is_rare(songs, min_songs_per_genre), OTHER)
    _exclude_rare_genres(songs, min_songs_per_genre)
    if balance_genres:
        _exclude_over_limit(songs, seed)
    excluded = pd.concat([catalogue[catalogue["reason"].notna()], songs[songs["reason"] != ""]])
    used = songs[songs["reason"] == ""]
    return _tabulate_tracks(used), _tabulate_excluded(excluded)


def count_reasons(excluded: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Count the excluded songs by reason and genre.

    Parameters
    ----------
    excluded, catalogue : pd.DataFrame
        `songgenre.tables.excluded.EXCLUDED` and `songgenre.tables.catalogue.CATALOGUE`.

    Returns
    -------
    pd.DataFrame
        A row per reason and a column per genre, with sums; a song of several genres counts in each. Without rows if no
        song is excluded.
    """
    listed = excluded.merge(catalogue[["track_id", "genres"]], on="track_id").explode("genres")
    if listed.empty:
        return listed
    return pd.crosstab(listed["reason"], listed["genres"].fillna("none"), margins=True, margins_name="all")


def count_several_genres(catalogue: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """Count the songs that are listed under several genres.

    Parameters
    ----------
    catalogue, tracks : pd.DataFrame
        `songgenre.tables.catalogue.CATALOGUE` and `songgenre.tables.tracks.TRACKS`.

    Returns
    -------
    pd.DataFrame
        A row per combination of genres: number of songs, of those with a primary genre, and of those used.
    """
    several = catalogue[catalogue["genres"].str.len() > 1]
    listed = several.assign(
        genres=several["genres"].str.join(" and "), used=several["track_id"].isin(tracks["track_id"])
    )
    return listed.groupby("genres").agg(
        songs=("track_id", "size"), primary_named=("primary_genre", "count"), used=("used", "sum")
    )


def check_audio(path: Path, clip_duration_s: float, min_duration_s: float, silence_threshold_db: float) -> CheckedAudio:
    """Decode a song completely, and compute the fingerprint of its clip.

    Parameters
    ----------
    path : Path
        Audio file.
    clip_duration_s, min_duration_s, silence_threshold_db : float
        As for `clean_catalogue`.

    Returns
    -------
    CheckedAudio
        With a reason and without a fingerprint if the song cannot be used.
    """
    decoded = validate_audio(
        path, min_duration_s, silence_threshold_db, lambda duration_s: [audio.center_clip(duration_s, clip_duration_s)]
    )
    if decoded.reason in PARAMETERS:
        decoded = replace(decoded, detail=f"{decoded.detail}; see {PARAMETERS[decoded.reason]}")
    if decoded.reason:
        return _without_fingerprint(decoded)
    sample_rate = duplicates.SAMPLE_RATE
    try:
        y = audio.load_clip(audio.Clip(path, *decoded.clips[0]), sample_rate)
    except UserError:
        detail = "damaged: decodes from its beginning, but not from its middle; re-encode it, for example to FLAC"
        return _without_fingerprint(replace(decoded, reason="unreadable", detail=detail))
    return CheckedAudio(decoded, duplicates.fingerprint(y, sample_rate))


def _collect(checked: Iterable[CheckedAudio], path: Path) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Tabulate the properties of songs, and write their fingerprints to a file, which is opened as arrays."""
    properties, lengths = [], []
    with path.open("wb") as file:
        for song in checked:
            properties.append(asdict(song.decoded))
            lengths.append(len(song.fingerprint))
            file.write(song.fingerprint.data)
    fingerprints = np.split(duplicates.map_array(path, np.uint32), np.cumsum(lengths, dtype=int)[:-1])
    return pd.DataFrame(properties, columns=[field.name for field in fields(AudioReport)]), fingerprints


def _crashed(path: Path, what: str) -> CheckedAudio:
    return _without_fingerprint(AudioReport("unreadable", f"its decoder {what}; convert it, for example to FLAC"))


def _without_fingerprint(decoded: AudioReport) -> CheckedAudio:
    return CheckedAudio(decoded, np.empty(0, dtype=np.uint32))


def _exclude(songs: pd.DataFrame, index: int, reason: str, detail: str) -> None:
    songs.loc[index, ["reason", "detail"]] = [reason, detail]


def _genre(genres: Sequence[str], primary_genre: str | None, multi_genre: str) -> str | None:
    """Choose the genre of a song; None if it has none, or several and the rule does not choose one."""
    if multi_genre == "primary" and (primary_genre in genres or (len(genres) == 0 and isinstance(primary_genre, str))):
        return primary_genre
    return genres[0] if len(genres) == 1 or (len(genres) > 1 and multi_genre == "first") else None


def _exclude_by_genre(songs: pd.DataFrame) -> None:
    open_genre = (songs["reason"] == "") & songs["genre"].isna()
    for index, genres in songs.loc[open_genre, "genres"].items():
        if len(genres) == 0:
            _exclude(songs, index, "missing_genre", "the source gives no genre")
        else:
            _exclude(
                songs,
                index,
                "ambiguous_genre",
                f"listed under {' and '.join(genres)}; see wrangling.multi_genre",
            )


def _exclude_duplicates(songs: pd.DataFrame, fingerprints: list[np.ndarray], multi_genre: str) -> None:
    """Exclude copies; the copy with a known artist, then the largest file, stays."""
    usable = songs[songs["reason"] == ""]
    best_first = usable.assign(unknown=usable["artist"].isna(), size=-usable["bytes"]).sort_values(
        ["unknown", "size", "track_id"]
    )
    distinct = best_first.drop_duplicates("sha256")
    first = duplicates.find_duplicates([fingerprints[index] for index in distinct.index])
    recording = best_first["sha256"].map(dict(zip(distinct["sha256"], first, strict=True)))
    copies = recording.duplicated(keep=False)
    for _, group in best_first[copies].groupby(recording[copies]):
        best = group.iloc[0]
        genres = sorted(set(group["genre"]))
        if len(genres) > 1 and multi_genre != "first":
            for index in group.index:
                detail = f"copies of this recording are listed under {' and '.join(genres)}; see wrangling.multi_genre"
                _exclude(songs, index, "ambiguous_genre", detail)
            continue
        for index, song in group.iloc[1:].iterrows():
            same = "the same bytes" if song["sha256"] == best["sha256"] else "the same recording"
            _exclude(songs, index, "duplicate", f"{same} as {best['track_id']}")


def _is_rare(songs: pd.DataFrame, min_songs: int) -> pd.Series:
    """Tell which songs are usable, but have a genre with too few usable songs."""
    usable = songs["reason"] == ""
    return usable & (songs["genre"].map(songs.loc[usable, "genre"].value_counts()) < min_songs)


def _exclude_rare_genres(songs: pd.DataFrame, min_songs: int) -> None:
    for index, genre in songs.loc[_is_rare(songs, min_songs), "genre"].items():
        detail = f"{genre} has fewer than {min_songs} songs; see wrangling.min_songs_per_genre"
        _exclude(songs, index, "rare_genre", detail)


def _exclude_over_limit(songs: pd.DataFrame, seed: int) -> None:
    """Keep the songs of each genre with the lowest hashes, as many as the rarest genre has."""
    usable = songs[songs["reason"] == ""]
    fewest = usable["genre"].value_counts().min()
    position = pd.Series([hash_to_unit_interval(track_id, seed) for track_id in usable["track_id"]], usable.index)
    in_order = usable.loc[position.sort_values().index]
    beyond = in_order[in_order.groupby("genre").cumcount() >= fewest]
    for index, genre in beyond["genre"].items():
        _exclude(
            songs,
            index,
            "over_limit",
            f"{genre} has more than {fewest} songs, the number of the rarest genre; see wrangling.balance_genres",
        )


def _tabulate_tracks(songs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "track_id": songs["track_id"],
            "audio_path": songs["audio_path"],
            "sha256": songs["sha256"],
            "genre": songs["genre"].astype("str"),
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
            "clip_start_s": [clips[0][0] for clips in songs["clips"]],
            "clip_duration_s": [clips[0][1] for clips in songs["clips"]],
        }
    ).reset_index(drop=True)


def _tabulate_excluded(songs: pd.DataFrame) -> pd.DataFrame:
    return songs[["track_id", "reason", "detail"]].astype("str").reset_index(drop=True)
