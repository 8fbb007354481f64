"""Short excerpts of songs, embedded in the page of a report."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import soundfile
from IPython.display import HTML

from songgenre import audio
from songgenre.errors import UserError

DURATION_S = 10.0
SAMPLE_RATE = 22_050
MP3_COMPRESSION_LEVEL = 0.9
"""Compression level of soundfile, with which an excerpt takes about 30 KB."""


class Excerpt(NamedTuple):
    """An excerpt of a song.

    Parameters
    ----------
    content : np.ndarray [shape=(n_bytes,), dtype=uint8]
        Bytes of an MP3 file.
    """

    content: np.ndarray


def encode_excerpt(clip: audio.Clip) -> Excerpt:
    """Encode the middle of a clip as a small MP3.

    Parameters
    ----------
    clip : audio.Clip
        Clip from whose middle the excerpt is taken.

    Returns
    -------
    Excerpt
        `DURATION_S` seconds, or the whole clip if it is shorter.

    Raises
    ------
    UserError
        If the clip cannot be decoded.
    """
    y = audio.load_clip(clip, SAMPLE_RATE)
    margin = max(0, len(y) - round(DURATION_S * SAMPLE_RATE)) // 2
    middle = np.clip(y[margin : len(y) - margin], -1, 1)
    buffer = io.BytesIO()
    soundfile.write(
        buffer, middle, SAMPLE_RATE, format="MP3", compression_level=MP3_COMPRESSION_LEVEL, bitrate_mode="CONSTANT"
    )
    return Excerpt(np.frombuffer(buffer.getvalue(), np.uint8))


def audio_player(clip: audio.Clip, label: str) -> str:
    """Create a player of an excerpt.

    Parameters
    ----------
    clip : audio.Clip
        Clip from whose middle the excerpt is taken.
    label : str
        Text alternative of the player, for screen readers.

    Returns
    -------
    str
        HTML with the embedded excerpt.

    Raises
    ------
    UserError
        If the clip cannot be decoded.
    """
    content = base64.b64encode(encode_excerpt(clip).content.tobytes()).decode()
    return f'<audio controls aria-label="{html.escape(label)}" src="data:audio/mpeg;base64,{content}"></audio>'


def excerpt_table(songs: pd.DataFrame, players: Iterable[str]) -> HTML:
    """Create a table of songs, each with a player.

    Parameters
    ----------
    songs : pd.DataFrame
        A row per song, without the player.
    players : iterable of str
        Result of `audio_player` for each song.

    Returns
    -------
    HTML
        The table without its index, and with the players in the first column.
    """
    table = songs.astype(object).fillna("").map(lambda cell: html.escape(str(cell)))
    table.insert(0, "excerpt", list(players))
    with pd.option_context("display.max_colwidth", None):
        return HTML(table.to_html(index=False, escape=False, border=0))


def first_excerpts(catalogue: pd.DataFrame, folder: Path, n: int) -> HTML:
    """Create a table of the first songs of several genres, each with a player.

    Parameters
    ----------
    catalogue : pd.DataFrame
        `songgenre.tables.catalogue.CATALOGUE`.
    folder : Path
        Folder of the collected audio.
    n : int
        Number of songs, one of each genre; songs that cannot be decoded are passed over.

    Returns
    -------
    HTML
        Table with a player, genre, title and artist; a sentence if no song can be decoded.
    """
    players: dict[str, str] = {}
    rows = []
    for song in catalogue.dropna(subset="audio_path").explode("genres").dropna(subset="genres").itertuples():
        if len(players) == n:
            break
        if song.genres not in players:
            with suppress(UserError):
                path = folder / song.audio_path
                clip = audio.Clip(path, *audio.center_clip(audio.duration_s(path), DURATION_S))
                players[song.genres] = audio_player(clip, f"Excerpt of a song of the genre {song.genres}")
                rows.append((song.genres, song.title, song.artist))
    if not rows:
        return HTML("No song can be decoded.")
    return excerpt_table(pd.DataFrame(rows, columns=["genre", "title", "artist"]), players.values())
