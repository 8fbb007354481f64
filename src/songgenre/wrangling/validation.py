"""Validate audio files: decode them completely and name what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from songgenre import audio

TOLERANCE_S = 0.1
"""Longest part, in s, that decoders leave out at the ends of a complete file."""
UNKNOWN_BYTES = 0x7FFFF000
"""Smallest size in the header of a wav, aiff or au file that means "unknown", as programs write it into a pipe."""
MAX_OGG_PAGE_BYTES = 1 << 16

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
}


@dataclass(frozen=True)
class AudioReport:
    """Result of decoding a complete file.

    Parameters
    ----------
    reason : str
        Why the song cannot be used, one of `songgenre.tables.columns.REASONS`; empty if it can be used.
    detail : str
        The same in a sentence; empty if it can be used.
    duration_s : float
        Duration of the decoded audio in s.
    sample_rate : int
        Sample rate in Hz.
    channels : int
        Number of channels.
    """

    reason: str = ""
    detail: str = ""
    duration_s: float = 0.0
    sample_rate: int = 0
    channels: int = 0


def validate_audio(path: Path, min_duration_s: float, silence_threshold_db: float) -> AudioReport:
    """Decode a complete file, block by block, and find out whether it can be used.

    Parameters
    ----------
    path : Path
        The file; it may be missing, damaged or no audio.
    min_duration_s : float
        Duration in s below which a song is ``too_short``.
    silence_threshold_db : float
        Root mean square in dB of full scale below which a song is ``silent``.

    Returns
    -------
    AudioReport
        For every input; a file that cannot be used has a reason.
    """
    try:
        with audio.open_bytes(path) as file:
            start = file.read(12)
        if not start:
            return AudioReport("empty", "the file has 0 bytes; copy or download it again")
        return _validate(path, start, min_duration_s, silence_threshold_db)
    except OSError as error:
        return AudioReport("unreadable", f"cannot be read: {error.strerror}")


def _validate(path: Path, start: bytes, min_duration_s: float, silence_threshold_db: float) -> AudioReport:
    try:
        with audio.open_audio(path) as file:
            return _report(file, path, start, min_duration_s, silence_threshold_db)
    except audio.DECODING_ERRORS:
        if (kind := _kind(start)) is None:
            return _not_audio(start)
        return AudioReport(
            "unreadable", f"begins like {kind}, but is damaged and cannot be decoded; copy or download it again"
        )


def _kind(start: bytes) -> str | None:
    """Recognise a format by its first bytes; None if they match no format."""
    if _is_mpeg_frame(start):
        return "mp3"
    return next((kind for first, kind in FIRST_BYTES.items() if start.startswith(first)), None)


def _is_mpeg_frame(start: bytes) -> bool:
    """Whether a frame of an mp3 or mp2 begins here: sync word, version, layer, bit rate and sample rate.

    The byte order mark of a text in UTF-16, ``FF FE``, matches a sync word, but its layer is invalid.
    """
    if len(start) < 4 or start[0] != 0xFF or start[1] < 0xE0:
        return False
    version, layer = start[1] >> 3 & 3, start[1] >> 1 & 3
    bit_rate, sample_rate = start[2] >> 4, start[2] >> 2 & 3
    return version != 1 and layer in (1, 2) and bit_rate not in (0, 15) and sample_rate != 3


def _not_audio(start: bytes) -> AudioReport:
    return AudioReport(
        "not_audio", f"the content is no audio (first bytes {start!r}); supported formats: {audio.FORMATS}"
    )


def _report(
    file: soundfile.SoundFile, path: Path, start: bytes, min_duration_s: float, silence_threshold_db: float
) -> AudioReport:
    frames, energy = 0, 0.0
    for y in audio.blocks(file):
        frames += len(y)
        energy += float(np.square(y, dtype=np.float64).mean(axis=1).sum())
    duration_s = frames / file.samplerate
    properties: dict[str, Any] = {
        "duration_s": duration_s,
        "sample_rate": file.samplerate,
        "channels": file.channels,
    }
    if not np.isfinite(energy):
        return AudioReport(
            "unreadable", "contains samples that are infinite or not a number; export it again", **properties
        )
    announced_s = _announced_frames(path, file.frames) / file.samplerate
    if duration_s < announced_s - TOLERANCE_S:
        return AudioReport(
            "truncated",
            f"announces {announced_s:.2f} s, contains {duration_s:.2f} s; copy or download it again",
            **properties,
        )
    if _kind(start) == "ogg" and not _ends_with_its_last_page(path):
        return AudioReport(
            "truncated", f"ends after {duration_s:.2f} s, before its last page; copy or download it again", **properties
        )
    if duration_s < min_duration_s:
        if _kind(start) is None:
            return _not_audio(start)
        return AudioReport(
            "too_short",
            f"lasts {duration_s:.2f} s, less than wrangling.min_duration_s = {min_duration_s:g} s",
            **properties,
        )
    level_db = 10 * np.log10(max(energy / frames, 1e-20))
    if level_db < silence_threshold_db:
        return AudioReport(
            "silent",
            f"its level is {level_db:.0f} dB, below wrangling.silence_threshold_db = {silence_threshold_db:g} dB",
            **properties,
        )
    return AudioReport(**properties)


def _announced_frames(path: Path, frames: int) -> float:
    """Return the number of frames that a file announces, 0 if it announces none; `frames` is that of libsndfile.

    An mp3 file announces it only by a tag in its first frame. For a wav, aiff or au file that was cut, libsndfile
    returns the frames that are left; the size in its header gives the original number, unless it means "unknown".
    """
    with path.open("rb") as file:
        start = file.read(12)
        if start.startswith((b"RIFF", b"FORM", b".snd")):
            held, announced = path.stat().st_size, _announced_bytes(start)
            return frames * announced / held if held < announced < UNKNOWN_BYTES else frames
        if start.startswith(b"ID3"):
            high, *rest = start[6:10]
            size = high << 21 | rest[0] << 14 | rest[1] << 7 | rest[2]
            file.seek(10 + size)
        elif not _is_mpeg_frame(start):
            return frames
        else:
            file.seek(0)
        frame = file.read(64)
    announces = not _is_mpeg_frame(frame) or any(tag in frame for tag in (b"Xing", b"Info", b"VBRI"))
    return frames if announces else 0


def _announced_bytes(start: bytes) -> int:
    """Read the size of a wav, aiff or au file from its header."""
    if start.startswith(b".snd"):
        return int.from_bytes(start[4:8], "big") + int.from_bytes(start[8:12], "big")
    order: Literal["little", "big"] = "little" if start.startswith(b"RIFF") else "big"
    return 8 + int.from_bytes(start[4:8], order)


def _ends_with_its_last_page(path: Path) -> bool:
    """Whether the last page of an ogg file is whole and marked as the end of the stream (RFC 3533, section 6)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MAX_OGG_PAGE_BYTES))
        end = file.read()
    page = end[max(0, end.rfind(b"OggS")) :]
    if len(page) < 27:
        return False
    is_last, segments = bool(page[5] & 4), page[26]
    return is_last and len(page) >= 27 + segments + sum(page[27 : 27 + segments])
