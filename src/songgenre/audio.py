"""Decode and resample: soundfile reads, soxr resamples."""

from __future__ import annotations

import errno
import io
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
import soundfile
import soxr

from songgenre.errors import UserError
from songgenre.native_stderr import suppress_native_stderr

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = frozenset({".wav", ".au", ".aif", ".aiff", ".flac", ".ogg", ".opus", ".mp3"})
UNSUPPORTED_SUFFIXES = frozenset({".m4a", ".mp4", ".aac", ".wma", ".ape", ".wv", ".mpc", ".webm"})
"""Of audio that libsndfile does not decode."""

FORMATS = "wav, aiff, au, flac, ogg, opus or mp3"

BLOCK = 1 << 18
"""Samples, over all channels, that are decoded at once: 1 MiB, however many channels a file claims."""

DECODING_ERRORS = (RuntimeError, ValueError, MemoryError)
"""What soundfile raises of a file that is damaged, is no audio, or claims what cannot be."""


class Clip(NamedTuple):
    """A part of a file that libsndfile reads: wav, au, aiff, flac, ogg, opus or mp3.

    Parameters
    ----------
    path : Path or str
        A file, or the URL of one that fsspec reaches, for example ``s3://bucket/audio/song.mp3``.
    start_s, duration_s : float
    """

    path: Path | str
    start_s: float
    duration_s: float


def clips(tracks: pd.DataFrame, folder: Path | str) -> list[Clip]:
    """Where the clips of tracks lie.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    folder : Path or str
        That of the collected audio, or the URL of a copy.
    """
    return [
        Clip(_join(folder, track.audio_path), track.clip_start_s, track.clip_duration_s)
        for track in tracks.itertuples()
    ]


def center_clip(duration_s: float, clip_duration_s: float) -> tuple[float, float]:
    """Place a clip in the middle of a song.

    Parameters
    ----------
    duration_s : float
        Of the song, in seconds.
    clip_duration_s : float
        Of the clip; a shorter song is the clip.

    Returns
    -------
    start_s, duration_s : float
    """
    length_s = float(min(duration_s, clip_duration_s))
    return math.floor((duration_s - length_s) / 2 * 100) / 100, length_s


def _join(folder: Path | str, name: str) -> Path | str:
    return f"{folder.rstrip('/')}/{name}" if isinstance(folder, str) else folder / name


def open_bytes(path: Path) -> BinaryIO:
    """Open a regular file; a pipe or a device might keep its reader waiting for ever.

    Raises
    ------
    OSError
        If it is not there, is not a regular file, or may not be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return path.open("rb")


@contextmanager
def open_audio(path: Path | str) -> Iterator[soundfile.SoundFile]:
    """Open an audio file to decode it, without a word from the decoders.

    Parameters
    ----------
    path : Path or str
        A file, or the URL of one that fsspec reaches, which is read into memory.

    Raises
    ------
    UserError
        If what is at a URL cannot be had.
    OSError
        As `open_bytes`.
    RuntimeError, ValueError, MemoryError
        If it cannot be decoded.
    """
    if isinstance(path, str):
        source: io.BytesIO | bytes = io.BytesIO(_fetch(path))
    else:
        open_bytes(path).close()
        source = os.fsencode(path)
    with suppress_native_stderr(), soundfile.SoundFile(source) as file:
        yield file


def _fetch(url: str) -> bytes:
    import fsspec

    try:
        file_system, path = fsspec.url_to_fs(url)
        return file_system.cat_file(path)
    except Exception as error:  # every file system has its own
        raise UserError(f"Expected an audio file at {url}, but it cannot be read: {error}.") from None


def blocks(file: soundfile.SoundFile, frames: int | None = None) -> Iterator[np.ndarray]:
    """Decode a file from where it stands, a block at a time.

    Parameters
    ----------
    file : soundfile.SoundFile
    frames : int, optional
        How many to decode, if there are so many; all by default.

    Yields
    ------
    np.ndarray [shape=(n, n_channels), dtype=float32]
        Of at most `BLOCK` samples.
    """
    left = file.frames if frames is None else frames
    while len(y := file.read(min(left, BLOCK // file.channels), dtype="float32", always_2d=True)):
        left -= len(y)
        yield y


def load_clip(clip: Clip, sample_rate: int) -> np.ndarray:
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
    y, native_rate = _load_native(clip)
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
    """Root mean square of a clip in dB of full scale.

    Raises
    ------
    UserError
        If the file cannot be decoded.
    """
    y, _ = _load_native(clip)
    return float(10 * np.log10(np.mean(np.square(y, dtype=np.float64))))


def duration_s(path: Path | str) -> float:
    """Length of a file in seconds, as it announces it.

    Raises
    ------
    UserError
        If the file cannot be decoded.
    """
    with _decoding(path) as file:
        return file.frames / file.samplerate


def _load_native(clip: Clip) -> tuple[np.ndarray, int]:
    """What there is of a clip, in mono, and its sample rate."""
    with _decoding(clip.path) as file:
        file.seek(min(round(clip.start_s * file.samplerate), file.frames))
        frames = round(clip.duration_s * file.samplerate)
        mono = [np.empty(0, np.float32), *(y.mean(axis=1) for y in blocks(file, frames))]
        return np.concatenate(mono), file.samplerate


@contextmanager
def _decoding(path: Path | str) -> Iterator[soundfile.SoundFile]:
    try:
        with open_audio(path) as file:
            yield file
    except OSError as error:
        raise UserError(f"Expected an audio file at {path}, but it cannot be read: {error.strerror}.") from None
    except DECODING_ERRORS:
        raise UserError(
            f"Expected {FORMATS} audio in {path}, but it is something else or damaged. "
            "Fetch it again, or convert it to flac or mp3."
        ) from None
