"""Songs to listen to in a report: short excerpts that its page holds."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import soundfile
from IPython.display import HTML

from songgenre import audio

DURATION_S = 10.0
SAMPLE_RATE = 22_050
MP3_COMPRESSION_LEVEL = 0.9
"""Of soundfile's levels of compression: an excerpt takes some 30 KB."""


class Excerpt(NamedTuple):
    """An mp3.

    Parameters
    ----------
    content : np.ndarray [shape=(n_bytes,), dtype=uint8]
    """

    content: np.ndarray


def encode_excerpt(clip: audio.Clip) -> Excerpt:
    """Encode the middle of a clip as a small mp3.

    Parameters
    ----------
    clip : audio.Clip
        Of which `DURATION_S` are taken, or all if it is shorter.

    Returns
    -------
    Excerpt

    Raises
    ------
    UserError
        If the clip cannot be decoded.
    """
    y = audio.load_clip(clip, SAMPLE_RATE)
    skipped = max(0, len(y) - round(DURATION_S * SAMPLE_RATE)) // 2
    middle = np.clip(y[skipped : len(y) - skipped], -1, 1)
    buffer = io.BytesIO()
    soundfile.write(
        buffer, middle, SAMPLE_RATE, format="MP3", compression_level=MP3_COMPRESSION_LEVEL, bitrate_mode="CONSTANT"
    )
    return Excerpt(np.frombuffer(buffer.getvalue(), np.uint8))


def audio_player(clip: audio.Clip, label: str) -> str:
    """An excerpt and the controls to play it, as HTML.

    Parameters
    ----------
    clip : audio.Clip
    label : str
        What a screen reader says of it.
    """
    content = base64.b64encode(encode_excerpt(clip).content.tobytes()).decode()
    return f'<audio controls aria-label="{html.escape(label)}" src="data:audio/mpeg;base64,{content}"></audio>'


def excerpt_table(songs: pd.DataFrame, folder: Path) -> HTML:
    """A table of songs, each with a player.

    Parameters
    ----------
    songs : pd.DataFrame
        ``track_id``, ``title``, ``artist``, ``genre``, ``predicted``, ``audio_path``, ``clip_start_s`` and
        ``clip_duration_s``.
    folder : Path
        That of the collected audio.
    """
    shown = ["track_id", "title", "artist", "genre", "predicted"]
    players = [
        audio_player(clip, f"Excerpt of {track_id}")
        for clip, track_id in zip(audio.clips(songs, folder), songs["track_id"], strict=True)
    ]
    table = songs[shown].fillna("").map(html.escape).assign(excerpt=players)
    with pd.option_context("display.max_colwidth", None):
        return HTML(table.to_html(index=False, escape=False, border=0))
