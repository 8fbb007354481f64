"""Decoding (soundfile) and resampling (soxr) of audio files."""

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
"""Endings of audio files that libsndfile cannot decode."""

FORMATS = "wav, aiff, au, flac, ogg, opus or mp3"

BLOCK = 1 << 18
"""Samples, over all channels, that are decoded at once: 1 MiB, independent of the number of channels."""

DECODING_ERRORS = (RuntimeError, ValueError, MemoryError)
"""Errors that soundfile raises if a file is damaged, is not audio or has an impossible header."""


class Clip(NamedTuple):
    """Part of an audio file (wav, au, aiff, flac, ogg, opus or mp3).

    Parameters
    ----------
    path : Path or str
        A file, or a URL that fsspec can open, for example ``s3://bucket/audio/song.mp3``.
    start_s, duration_s : float
        Start and length of the clip, in seconds.
    """

    path: Path | str
    start_s: float
    duration_s: float


def clips(tracks: pd.DataFrame, folder: Path | str) -> list[Clip]:
    """List the clips of tracks.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    folder : Path or str
        Folder of the collected audio, or the URL of a copy.

    Returns
    -------
    list of Clip
        One per track, in the order of `tracks`.
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
        Length of the song, in seconds.
    clip_duration_s : float
        Length of the clip, in seconds. A song that is shorter becomes the clip.

    Returns
    -------
    start_s, duration_s : float
        Start (rounded down to 0.01 s) and length of the clip, in seconds.

    Examples
    --------
    >>> center_clip(60.0, clip_duration_s=30.0)
    (15.0, 30.0)
    >>> center_clip(12.0, clip_duration_s=30.0)
    (0.0, 12.0)
    """
    length_s = float(min(duration_s, clip_duration_s))
    return math.floor((duration_s - length_s) / 2 * 100) / 100, length_s


def _join(folder: Path | str, name: str) -> Path | str:
    return f"{folder.rstrip('/')}/{name}" if isinstance(folder, str) else folder / name


def open_bytes(path: Path) -> BinaryIO:
    """Open a regular file for reading; opening a pipe or a device might block for ever.

    Parameters
    ----------
    path : Path
        File to open.

    Returns
    -------
    BinaryIO
        The open file.

    Raises
    ------
    OSError
        If the file is missing, is not a regular file or is not readable.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return path.open("rb")


@contextmanager
def open_audio(path: Path | str) -> Iterator[soundfile.SoundFile]:
    """Open an audio file for decoding and suppress the messages of the decoders.

    Parameters
    ----------
    path : Path or str
        A file, or a URL that fsspec can open; the content of a URL is read into memory.

    Yields
    ------
    soundfile.SoundFile
        The open file.

    Raises
    ------
    UserError
        If the URL cannot be read.
    OSError
        If the file is missing, is not a regular file or is not readable.
    RuntimeError, ValueError, MemoryError
        If the file cannot be decoded.
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
    except Exception as error:  # each file system raises its own errors
        raise UserError(f"{url}: cannot be read ({error}). Check the address and your access to it.") from None


def blocks(file: soundfile.SoundFile, frames: int | None = None) -> Iterator[np.ndarray]:
    """Decode a file block by block, from its current position.

    Parameters
    ----------
    file : soundfile.SoundFile
        Open file.
    frames : int, optional
        Largest number of frames to decode; all remaining frames by default.

    Yields
    ------
    np.ndarray [shape=(n, n_channels), dtype=float32]
        At most `BLOCK` samples.
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
        Part of an audio file.
    sample_rate : int
        Sample rate of the result, in Hz.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Mean of the channels, ``round(clip.duration_s * sample_rate)`` samples.

    Raises
    ------
    UserError
        If the file cannot be decoded, or ends before the end of the clip.

    Examples
    --------
    Write a tone of 440 Hz, 2 s long, and read its second half:

    >>> from tempfile import TemporaryDirectory
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * 8000) / 8000)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tone.wav"
    ...     soundfile.write(path, tone, 8000)
    ...     y = load_clip(Clip(path, start_s=1.0, duration_s=1.0), sample_rate=16000)
    >>> y.shape
    (16000,)
    >>> int(np.argmax(np.abs(np.fft.rfft(y))))
    440
    """
    y, native_rate = _load_native(clip)
    if native_rate != sample_rate:
        y = soxr.resample(y, native_rate, sample_rate)
    n = round(clip.duration_s * sample_rate)
    if len(y) < n - 1:
        raise UserError(
            f"{clip.path}: only {len(y) / sample_rate:.2f} s of audio from second {clip.start_s:g}; the clip needs "
            f"{clip.duration_s:g} s. Fetch the file again."
        )
    return np.pad(y, (0, max(0, n - len(y))))[:n]


def level_db(clip: Clip) -> float:
    """Compute the root mean square of a clip, in dB of full scale.

    Parameters
    ----------
    clip : Clip
        Part of an audio file.

    Returns
    -------
    float
        Level in dB; minus infinity for digital silence.

    Raises
    ------
    UserError
        If the file cannot be decoded.
    """
    y, _ = _load_native(clip)
    return float(10 * np.log10(np.mean(np.square(y, dtype=np.float64))))


def duration_s(path: Path | str) -> float:
    """Read the length of a file from its header.

    Parameters
    ----------
    path : Path or str
        A file, or a URL that fsspec can open.

    Returns
    -------
    float
        Length in seconds.

    Raises
    ------
    UserError
        If the file cannot be decoded.
    """
    with _decoding(path) as file:
        return file.frames / file.samplerate


def _load_native(clip: Clip) -> tuple[np.ndarray, int]:
    """Read the available part of a clip as mono, and its sample rate."""
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
        raise UserError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from None
    except DECODING_ERRORS:
        raise UserError(f"{path}: damaged, or not {FORMATS}. Fetch it again, or convert it to flac or mp3.") from None
