"""Validate audio files: decode them completely and name what is wrong.

A file is ``truncated`` if it holds less than a reliable header announces: the size of the data in a wav, aiff or au
file, the number of frames in the Xing, Info or VBRI tag of an mp3, the number of samples of flac, the tables of mp4,
the headers of matroska, asf, ape, wavpack and tta, and the last page of ogg. Sizes of whole files and of ID3 tags, and
lengths that follow from a bit rate are not used: programs write them wrong, and the songs play.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from songgenre import audio
from songgenre.audio.ffmpeg import NoAudioStreamError
from songgenre.wrangling.levels import Levels

TOLERANCE_S = 1.0
TOLERANCE_SHARE = 0.02
"""Part of a song that may be missing at its end, in s or as a share of its length, whichever is longer."""
UNKNOWN_BYTES = 0x7FFFF000
"""Smallest size in the header of a wav, aiff or au file that means "unknown", as programs write it into a pipe."""
MAX_OGG_PAGE_BYTES = 1 << 16
MAX_TAG_BYTES = 1 << 24
"""Largest tags before an mp3."""
MIN_SAMPLE_RATE = 1000
"""Sample rates below this, in Hz, come from damaged headers."""

PlaceClips = Callable[[float], Sequence[tuple[float, float]]]
"""Function from the length of a song to start and length of its clips, all in s."""


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
    clips : tuple of (float, float)
        Start and length, in s, of the clips to analyse: those that are not silent.
    """

    reason: str = ""
    detail: str = ""
    duration_s: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    clips: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class _Rules:
    min_duration_s: float
    silence_threshold_db: float
    place_clips: PlaceClips


def validate_audio(
    path: Path, min_duration_s: float, silence_threshold_db: float, place_clips: PlaceClips
) -> AudioReport:
    """Decode a complete file, block by block, and find out whether it can be used.

    Parameters
    ----------
    path : Path
        The file; it may be missing, damaged or no audio.
    min_duration_s : float
        Duration in s below which a song is ``too_short``.
    silence_threshold_db : float
        Level in dB of full scale, without a constant offset, below which a clip is silent.
    place_clips : callable
        Function from the length of a song to start and length of its clips, all in s. If they are silent, it is called
        again for the longest part of the song that is not; a song without such a part is ``silent``.

    Returns
    -------
    AudioReport
        For every input; a file that cannot be used has a reason.
    """
    rules = _Rules(min_duration_s, silence_threshold_db, place_clips)
    try:
        with audio.open_bytes(path) as file:
            start = file.read(12)
        if not start:
            return AudioReport("empty", "the file has 0 bytes; copy or download it again")
        return _validate(path, start, rules)
    except OSError as error:
        return AudioReport("unreadable", f"cannot be read: {error.strerror}")


def _validate(path: Path, start: bytes, rules: _Rules) -> AudioReport:
    """Decode with libsndfile, and with FFmpeg what libsndfile finds damaged, truncated or too short."""
    report = _try(audio.open_with_libsndfile, path, rules)
    if report is None or report.reason in ("unreadable", "truncated", "too_short"):
        other = _try(audio.open_with_ffmpeg, path, rules)
        if other and (report is None or not other.reason or other.duration_s > report.duration_s + audio.END_S):
            report = other
    kind = audio.kind(start)
    if kind is None and (report is None or report.reason == "too_short"):
        return _not_audio(start)
    return report or AudioReport(
        "unreadable", f"begins like {kind}, but is damaged and cannot be decoded; copy or download it again"
    )


def _try(opener: audio.Opener, path: Path, rules: _Rules) -> AudioReport | None:
    """Decode with one library; None if it raises an error, unless the error is that there is nothing to decode."""
    try:
        with opener(path) as file:
            return _report(file, path, rules)
    except NoAudioStreamError as error:
        return AudioReport("not_audio", str(error))
    except audio.DECODING_ERRORS:
        return None


def _not_audio(start: bytes) -> AudioReport:
    return AudioReport(
        "not_audio", f"the content is no audio (first bytes {start!r}); supported formats: {audio.FORMATS}"
    )


def _report(file: audio.AudioFile, path: Path, rules: _Rules) -> AudioReport:
    levels = Levels(file.sample_rate)
    with np.errstate(invalid="ignore", over="ignore"):
        for y in file.mono():
            levels.add(y)
    duration_s = levels.frames / file.sample_rate
    properties: dict[str, Any] = {
        "duration_s": duration_s,
        "sample_rate": file.sample_rate,
        "channels": file.channels,
    }
    if fault := _truncation(file, path, duration_s) or _fault(file, levels, duration_s):
        return AudioReport(*fault, **properties)
    if duration_s < rules.min_duration_s:
        detail = f"lasts {duration_s:.2f} s, less than {rules.min_duration_s:g} s"
        return AudioReport("too_short", detail, **properties)
    clips = _sounding_clips(levels, duration_s, rules)
    if not clips:
        level_db = max(levels.level_db(*clip) for clip in rules.place_clips(duration_s))
        detail = f"its level is {level_db:.0f} dB, below {rules.silence_threshold_db:g} dB"
        return AudioReport("silent", detail, **properties)
    return AudioReport(**properties, clips=clips)


def _fault(file: audio.AudioFile, levels: Levels, duration_s: float) -> tuple[str, str] | None:
    """Find samples that are no music."""
    if file.sample_rate < MIN_SAMPLE_RATE:
        return "unreadable", f"its sample rate of {file.sample_rate} Hz is too low for music; export it again"
    if audio.is_damaged(file, duration_s):
        return "unreadable", f"{file.damaged_s:.2f} s of it are damaged; copy or download it again"
    if not np.isfinite(levels.peak):
        return "unreadable", "contains samples that are infinite or not a number; export it again"
    if levels.peak > audio.MAX_PEAK:
        if levels.median_rms > 1:
            return "unreadable", f"its samples reach {levels.peak:.0f}, not 1; export it with a full scale of 1"
        return "unreadable", f"contains a damaged sample, {levels.peak:.1e} times full scale; export it again"
    return None


def _truncation(file: audio.AudioFile, path: Path, duration_s: float) -> tuple[str, str] | None:
    announced_s = _announced_s(file, path, duration_s)
    if announced_s - duration_s > max(TOLERANCE_S, TOLERANCE_SHARE * announced_s):
        return (
            "truncated",
            f"announces {announced_s:.2f} s, contains {duration_s:.2f} s; copy or download it again",
        )
    if file.format == "ogg" and not _ends_with_its_last_page(path):
        return "truncated", f"ends after {duration_s:.2f} s, before its last page; copy or download it again"
    return None


def _sounding_clips(levels: Levels, duration_s: float, rules: _Rules) -> tuple[tuple[float, float], ...]:
    """Place the clips; if all of them are silent, place them in the longest part that is not."""

    def sounding(start_s: float, length_s: float) -> tuple[tuple[float, float], ...]:
        clips = ((round(start_s + clip_s, 2), length_s) for clip_s, length_s in rules.place_clips(length_s))
        return tuple(clip for clip in clips if levels.level_db(*clip) >= rules.silence_threshold_db)

    if clips := sounding(0.0, duration_s):
        return clips
    start_s, length_s = levels.longest_sound(rules.silence_threshold_db)
    return sounding(start_s, length_s) if length_s >= rules.min_duration_s else ()


def _announced_s(file: audio.AudioFile, path: Path, duration_s: float) -> float:
    """Return the length that a file announces in s, 0 if it announces none.

    Decoders estimate the length of an mp3 without a tag; this is not used. For a wav, aiff or au file that was cut,
    libsndfile returns the frames that are left; the size of the data in its header gives the original number, unless it
    means "unknown".
    """
    decoder_s = (file.frames or 0) / file.sample_rate
    if file.format == "mp3":
        tagged_s = _tagged_s(path, file.sample_rate)
        return min(tagged_s, decoder_s or tagged_s)
    if file.format in ("wav", "aiff", "au"):
        held, announced = _data_bytes(path)
        return duration_s * announced / held if 0 < held < announced < UNKNOWN_BYTES else 0.0
    return decoder_s


def _tagged_s(path: Path, sample_rate: int) -> float:
    """Read the length of an mp3 in s from the tag in its first frame; 0 without a tag."""
    with path.open("rb") as file:
        start = file.read(MAX_TAG_BYTES)
    frame = FRAME_WITH_TAG.search(start)
    if frame is None:
        return 0.0
    is_mpeg_1 = frame[1][0] & 8
    return int.from_bytes(frame[2] or frame[3], "big") * (1152 if is_mpeg_1 else 576) / sample_rate


FRAME_WITH_TAG = re.compile(
    rb"\xff([\xe2-\xff])[^\xff].(?:.{9,34}(?:Xing|Info)\0\0\0[\x01\x03\x05\x07\x09\x0b\x0d\x0f](.{4})|.{32}VBRI.{10}(.{4}))",
    re.DOTALL,
)
"""First frame of an mp3 with a tag that gives the number of frames."""


def _data_bytes(path: Path) -> tuple[int, int]:
    """Read how many bytes of samples a wav, aiff or au file holds and announces; 0 if it has none."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start.startswith(b".snd"):
            offset = int.from_bytes(start[4:8], "big")
            return size - offset, int.from_bytes(start[8:12], "big")
        order: Literal["little", "big"] = "big" if start.startswith(b"FORM") else "little"
        while len(header := file.read(8)) == 8:
            length = int.from_bytes(header[4:], order)
            if header[:4] in (b"data", b"SSND"):
                return size - file.tell(), length
            file.seek(length + length % 2, 1)
    return 0, 0


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
