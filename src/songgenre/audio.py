"""Decode and resample: soundfile reads, soxr resamples."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import soundfile
import soxr

from songgenre.errors import UserError
from songgenre.quiet import quiet_libraries

SUFFIXES = frozenset({".wav", ".au", ".aif", ".aiff", ".flac", ".ogg", ".opus", ".mp3"})


class Clip(NamedTuple):
    """A part of a file that libsndfile reads: wav, au, aiff, flac, ogg, opus or mp3."""

    path: Path
    start_s: float
    duration_s: float


def clips(tracks: pd.DataFrame, folder: Path) -> list[Clip]:
    """Where the clips of tracks lie.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.TRACKS`.
    folder : Path
        That of the collected audio.
    """
    return [Clip(folder / track.audio_path, track.clip_start_s, track.clip_duration_s) for track in tracks.itertuples()]


def load(clip: Clip, sample_rate: int) -> np.ndarray:
    """Read a clip as mono at a given sample rate.

    Parameters
    ----------
    clip : Clip
    sample_rate : int
        Of the result, in Hz.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        The mean of the channels, ``round(clip.duration_s * sample_rate)`` samples.

    Raises
    ------
    UserError
        If the file cannot be decoded, or ends before the part that was asked for.
    """
    try:
        with quiet_libraries(), soundfile.SoundFile(clip.path) as file:
            file.seek(min(round(clip.start_s * file.samplerate), file.frames))
            y = file.read(round(clip.duration_s * file.samplerate), dtype="float32", always_2d=True).mean(axis=1)
            native_rate = file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        raise UserError(f"Expected an audio file that libsndfile can decode at {clip.path}: {error}") from None
    if native_rate != sample_rate:
        y = soxr.resample(y, native_rate, sample_rate)
    n = round(clip.duration_s * sample_rate)
    if len(y) < n - 1:
        raise UserError(
            f"Expected {clip.duration_s:g} s of audio from second {clip.start_s:g} of {clip.path}, "
            f"got {len(y) / sample_rate:.2f} s."
        )
    return np.pad(y, (0, max(0, n - len(y))))[:n]


def level_db(clip: Clip) -> float:
    """Root mean square of a clip in dB of full scale."""
    with soundfile.SoundFile(clip.path) as file:
        native_rate = file.samplerate
    return float(10 * np.log10(np.mean(np.square(load(clip, native_rate), dtype=np.float64))))
