"""Decoding (libsndfile, else FFmpeg) and resampling (soxr) of audio files."""

from __future__ import annotations

import errno
import io
import math
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

import numpy as np
import soundfile
import soxr

from songgenre.errors import UserError
from songgenre.runtime.native_stderr import suppress_native_stderr

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = frozenset(
    {".aif", ".aifc", ".aiff", ".au", ".caf", ".dff", ".dsf", ".w64", ".wav", ".wave"}
    | {".ape", ".flac", ".tta", ".wv"}
    | {".aac", ".ac3", ".amr", ".dts", ".eac3", ".mp2", ".mp3", ".mpc", ".oga", ".ogg", ".opus", ".wma"}
    | {".3gp", ".asf", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp4", ".webm"}
)

FORMATS = "wav, aiff, au, flac, ogg, opus, mp3, m4a, mp4, webm, mkv, wma, ape, wavpack or another format of FFmpeg"

BLOCK = 1 << 18
"""Samples, over all channels, that are decoded at once: 1 MiB, independent of the number of channels."""

SNDFILE_FORMATS = {"MPEG": "mp3", "WAVEX": "wav", "RF64": "w64"}
"""Formats that libsndfile names in another way than FFmpeg."""

UNKNOWN_FRAMES = 1 << 62
"""Smallest number of frames in a header that means "unknown"."""

END_S = 0.1
"""Longest part, in seconds, that decoders leave out at the ends of a complete file."""
DAMAGE_S = 0.1
DAMAGE_SHARE = 0.01
"""Damaged part that a song may have, in seconds or as a share of its length, whichever is longer."""

MAX_PEAK = 64.0
"""Largest sample, where full scale is 1. Mixes in floating point exceed full scale, but not by 36 dB."""
SILENCE_FLOOR_DB = -200.0
"""Level of digital silence."""

DECODING_ERRORS = (RuntimeError, ValueError, MemoryError)
"""Errors of a file that is damaged, is not audio or has an impossible header."""


FIRST_BYTES = {
    b"RIFF": "wav",
    b"RF64": "wav",
    b"riff": "w64",
    b"FORM": "aiff",
    b"caff": "caf",
    b".snd": "au",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"ID3": "mp3",
    b"\x1aE\xdf\xa3": "matroska or webm",
    b"0&\xb2u\x8ef\xcf\x11": "wma",
    b"MAC ": "ape",
    b"wvpk": "wavpack",
    b"TTA1": "tta",
    b"DSD ": "dsf",
    b"FRM8": "dff",
    b"#!AMR": "amr",
    b"\x0bw": "ac3",
    b"MPCK": "mpc",
    b"MP+": "mpc",
    b"G@": "mpegts",
    b"FLV\x01": "flv",
}


SAMPLE_DUMP = b"\xf0\x7e"
"""First bytes of a MIDI sample dump, about which libsndfile writes to standard output."""


class AudioFile(Protocol):
    """An open audio file.

    Parameters
    ----------
    format : str
        Container, for example ``"wav"``, in lower case.
    sample_rate : int
        Sample rate in Hz.
    channels : int
        Number of channels.
    frames : int or None
        Number of frames that the decoder announces; None if it is unknown. `songgenre.wrangling.validation` compares it
        with the frames that are decoded.
    damaged_s : float
        Length of the parts that were left out because they are damaged, so far, in seconds.
    """

    format: str
    sample_rate: int
    channels: int
    frames: int | None
    damaged_s: float

    def mono(self, start: int = 0, frames: int | None = None) -> Iterator[np.ndarray]:
        """Decode a part of the file, as the mean of the channels, block by block."""


Opener = Callable[["Path | str"], AbstractContextManager[AudioFile]]


class SndfileFile:
    """An audio file that libsndfile decodes.

    Parameters
    ----------
    file : soundfile.SoundFile
        The open file.
    """

    def __init__(self, file: soundfile.SoundFile) -> None:
        self.file = file
        self.format = SNDFILE_FORMATS.get(file.format, file.format.lower())
        self.sample_rate: int = file.samplerate
        self.channels: int = file.channels
        self.frames: int | None = file.frames if file.frames < UNKNOWN_FRAMES else None
        self.damaged_s = 0.0

    def mono(self, start: int = 0, frames: int | None = None) -> Iterator[np.ndarray]:
        """Decode a part of the file.

        Parameters
        ----------
        start : int
            First frame.
        frames : int, optional
            Largest number of frames; all remaining frames by default.

        Yields
        ------
        np.ndarray [shape=(n,), dtype=float32]
            Mean of the channels, from at most `BLOCK` samples.

        Raises
        ------
        RuntimeError
            If the file is damaged.
        """
        if start:
            self.file.seek(min(start, self.file.frames))
        left = self.file.frames if frames is None else frames
        while len(y := self.file.read(min(left, BLOCK // self.channels), dtype="float32", always_2d=True)):
            left -= len(y)
            yield y.mean(axis=1)


class Clip(NamedTuple):
    """Part of an audio file.

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


def kind(start: bytes) -> str | None:
    """Recognise a format by its first bytes.

    Parameters
    ----------
    start : bytes
        The first 12 bytes of a file.

    Returns
    -------
    str or None
        Name of the format; None if they match no format.
    """
    if _is_mpeg_frame(start):
        return "mp3"
    if start[4:8] == b"ftyp":
        return "mp4"
    if len(start) > 1 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:
        return "aac"
    return next((name for first, name in FIRST_BYTES.items() if start.startswith(first)), None)


def _is_mpeg_frame(start: bytes) -> bool:
    """Whether a frame of an mp3 or mp2 begins here: sync word, version, layer, bit rate and sample rate.

    The byte order mark of a text in UTF-16, ``FF FE``, matches a sync word, but its layer is invalid.
    """
    if len(start) < 4 or start[0] != 0xFF or start[1] < 0xE0:
        return False
    version, layer = start[1] >> 3 & 3, start[1] >> 1 & 3
    bit_rate, sample_rate = start[2] >> 4, start[2] >> 2 & 3
    return version != 1 and layer in (1, 2) and bit_rate not in (0, 15) and sample_rate != 3


@contextmanager
def open_audio(path: Path | str) -> Iterator[AudioFile]:
    """Open an audio file with the first decoder that recognises its content, whatever its name; libsndfile is faster.

    Parameters
    ----------
    path : Path or str
        A file, or a URL that fsspec can open; the content of a URL is read into memory.

    Yields
    ------
    AudioFile
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
    with ExitStack() as stack:
        try:
            file: AudioFile = stack.enter_context(open_with_libsndfile(path))
        except DECODING_ERRORS:
            file = stack.enter_context(open_with_ffmpeg(path))
        yield file


@contextmanager
def open_with_libsndfile(path: Path | str) -> Iterator[AudioFile]:
    """Open an audio file with libsndfile and suppress the messages of its decoders.

    libsndfile looks for mp3 frames in every file whose name ends so, and decodes only the first of several ogg streams;
    both are an error here.

    Parameters
    ----------
    path : Path or str
        As for `open_audio`.

    Yields
    ------
    AudioFile
        The open file.

    Raises
    ------
    UserError, OSError, RuntimeError, ValueError, MemoryError
        As `open_audio`.
    """
    with _open(path) as content:
        start = content.read(12)
        content.seek(0)
        is_chained = _is_chained(content)
        content.seek(0)
        source = content if isinstance(path, str) else os.fsencode(path)
        if start.startswith(SAMPLE_DUMP):
            raise RuntimeError("a MIDI sample dump")
        with suppress_native_stderr(), soundfile.SoundFile(source) as sndfile:
            file = SndfileFile(sndfile)
            if file.format == "mp3" and kind(start) not in ("mp3", None):
                raise RuntimeError("another format that contains something like mp3")
            if is_chained:
                raise RuntimeError("several streams in a row")
            yield file


def _is_chained(content: BinaryIO) -> bool:
    """Tell whether another stream begins in an ogg file after the first data (RFC 3533, sections 4 and 6)."""
    has_data = False
    while (page := content.read(27)).startswith(b"OggS") and len(page) == 27:
        is_first = bool(page[5] & 2)
        if is_first and has_data:
            return True
        has_data |= not is_first
        content.seek(sum(content.read(page[26])), os.SEEK_CUR)
    return False


@contextmanager
def open_with_ffmpeg(path: Path | str) -> Iterator[AudioFile]:
    """Open an audio file with FFmpeg, which reads more formats and passes over damaged parts.

    Parameters
    ----------
    path : Path or str
        As for `open_audio`.

    Yields
    ------
    AudioFile
        The open file; it can be decoded once.

    Raises
    ------
    UserError, OSError, RuntimeError, ValueError, MemoryError
        As `open_audio`.
    """
    from songgenre.audio.ffmpeg import FFmpegFile

    with (
        _open(path) as source,
        suppress_native_stderr(),
        closing(FFmpegFile(source)) as file,
    ):
        yield file


def _open(path: Path | str) -> BinaryIO:
    return io.BytesIO(_fetch(path)) if isinstance(path, str) else open_bytes(path)


def _fetch(url: str) -> bytes:
    import fsspec

    try:
        file_system, path = fsspec.url_to_fs(url)
        return file_system.cat_file(path)
    except Exception as error:  # each file system raises its own errors
        raise UserError(f"{url}: cannot be read ({error}). Check the address and your access to it.") from None


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
        If the file cannot be decoded, ends before the end of the clip, or has samples that are not finite or above
        `MAX_PEAK`.

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
    if not np.all(np.abs(y) <= MAX_PEAK):
        raise UserError(f"{clip.path}: contains samples that are not finite or far above full scale. Export it again.")
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
        Level in dB, `SILENCE_FLOOR_DB` or more.

    Raises
    ------
    UserError
        If the file cannot be decoded.
    """
    y, _ = _load_native(clip)
    power = np.mean(np.square(y, dtype=np.float64)) if len(y) else 0.0
    return float(10 * np.log10(max(power, 10 ** (SILENCE_FLOOR_DB / 10))))


def duration_s(path: Path | str) -> float:
    """Read the length of a file from its header, or decode the file if that gives no length or, as in mp3, an estimate.

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
    with _decoding(path), open_audio(path) as file:
        frames = sum(map(len, file.mono())) if file.frames is None or file.format == "mp3" else file.frames
        return frames / file.sample_rate


def _load_native(clip: Clip) -> tuple[np.ndarray, int]:
    """Read the available part of a clip as mono, and its sample rate.

    FFmpeg gets the files that libsndfile recognises but does not decode as far as the end of the clip.
    """
    with _decoding(clip.path):
        try:
            y, sample_rate = _read(open_with_libsndfile, clip)
        except DECODING_ERRORS:
            return _read(open_with_ffmpeg, clip)
        if len(y) >= round(clip.duration_s * sample_rate) - 1:
            return y, sample_rate
        with suppress(*DECODING_ERRORS):
            longer, sample_rate = _read(open_with_ffmpeg, clip)
            if len(longer) > len(y) + END_S * sample_rate:
                return longer, sample_rate
        return y, sample_rate


def _read(opener: Opener, clip: Clip) -> tuple[np.ndarray, int]:
    """Read the available part of a clip with one library."""
    with opener(clip.path) as file:
        start, frames = round(clip.start_s * file.sample_rate), round(clip.duration_s * file.sample_rate)
        y = np.concatenate([np.empty(0, np.float32), *file.mono(start, frames)])
        if is_damaged(file, clip.start_s + clip.duration_s):
            raise ValueError("damaged")
        return y, file.sample_rate


def is_damaged(file: AudioFile, duration_s: float) -> bool:
    """Tell whether too much of a file was left out because it is damaged.

    Parameters
    ----------
    file : AudioFile
        File that has been decoded.
    duration_s : float
        Length of the decoded part in seconds.

    Returns
    -------
    bool
        True if it is more than `DAMAGE_S` and than `DAMAGE_SHARE` of the length.
    """
    return file.damaged_s > max(DAMAGE_S, DAMAGE_SHARE * duration_s)


@contextmanager
def _decoding(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from None
    except DECODING_ERRORS:
        raise UserError(f"{path}: damaged, or not {FORMATS}. Fetch it again, or convert it to flac or mp3.") from None
