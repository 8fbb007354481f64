"""Is a file a song that can be used? Every way in which it may not be has a name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from songgenre.quiet import quiet_libraries

BLOCK = 1 << 18
TOLERANCE_S = 0.1
"""What decoders leave out at the ends of a file that is whole, in seconds."""
UNKNOWN_BYTES = 0x7FFFF000
"""Programs that write into a pipe put this size or a larger one into the header of a wav."""


@dataclass(frozen=True)
class Decoded:
    """What decoding a whole file told.

    Parameters
    ----------
    reason, detail : str
        Why the song cannot be used (one of `songgenre.tables.REASONS`), in short and in full; empty if it can.
    duration_s : float
    sample_rate : int
        In Hz.
    channels : int
    """

    reason: str = ""
    detail: str = ""
    duration_s: float = 0.0
    sample_rate: int = 0
    channels: int = 0


def decode(path: Path, min_duration_s: float, silence_db: float) -> Decoded:
    """Decode a whole file, block by block, and judge it.

    Parameters
    ----------
    path : Path
    min_duration_s : float
        A shorter song is ``too_short``.
    silence_db : float
        A song whose root mean square is below, in dB of full scale, is ``silent``.

    Returns
    -------
    Decoded
    """
    if path.stat().st_size == 0:
        return Decoded("empty", "the file has 0 bytes")
    try:
        with quiet_libraries(), soundfile.SoundFile(path) as file:
            return _judge(file, _announced_frames(path, file.frames), min_duration_s, silence_db)
    except soundfile.LibsndfileError as error:
        return Decoded("unreadable" if _looks_like_audio(path) else "not_audio", error.error_string)


def _looks_like_audio(path: Path) -> bool:
    """Whether the file begins as wav, aiff, au, flac, ogg or mp3 files do."""
    with path.open("rb") as file:
        start = file.read(4)
    return start.startswith((b"RIFF", b"FORM", b".snd", b"fLaC", b"OggS", b"ID3")) or _is_mp3_frame(start)


def _is_mp3_frame(start: bytes) -> bool:
    return start[:1] == b"\xff" and start[1:2] >= b"\xe0"


def _announced_frames(path: Path, frames: int) -> float:
    """How many frames a file says it has, given what libsndfile says of it; 0 if it does not say.

    An mp3 does only by a tag in its first frame. Of a wav or aiff that is cut, libsndfile tells what is left; the
    number of bytes in its header tells what there was, unless it is one of the large ones that mean unknown.
    """
    with path.open("rb") as file:
        start = file.read(10)
        order: Literal["little", "big"] = "big" if start.startswith(b"FORM") else "little"
        if start.startswith((b"RIFF", b"FORM")):
            held, announced = path.stat().st_size, 8 + int.from_bytes(start[4:8], order)
            return frames * announced / held if held < announced < UNKNOWN_BYTES else frames
        if start.startswith(b"ID3"):
            high, *rest = start[6:10]
            size = high << 21 | rest[0] << 14 | rest[1] << 7 | rest[2]
            file.seek(size, os.SEEK_CUR)
        elif not _is_mp3_frame(start):
            return frames
        else:
            file.seek(0)
        frame = file.read(64)
    says = not _is_mp3_frame(frame) or any(tag in frame for tag in (b"Xing", b"Info", b"VBRI"))
    return frames if says else 0


def _judge(file: soundfile.SoundFile, announced_frames: float, min_duration_s: float, silence_db: float) -> Decoded:
    frames, energy = 0, 0.0
    while len(y := file.read(BLOCK, dtype="float32", always_2d=True)):
        frames += len(y)
        energy += float(np.square(y, dtype=np.float64).mean(axis=1).sum())
    duration_s = frames / file.samplerate
    properties = {"duration_s": duration_s, "sample_rate": file.samplerate, "channels": file.channels}
    if not np.isfinite(energy):
        return Decoded("unreadable", "holds samples that are not finite numbers", **properties)
    if frames < announced_frames - TOLERANCE_S * file.samplerate:
        announced_s = announced_frames / file.samplerate
        return Decoded("truncated", f"announces {announced_s:.2f} s, holds {duration_s:.2f} s", **properties)
    if duration_s < min_duration_s:
        return Decoded("too_short", f"lasts {duration_s:.2f} s, below {min_duration_s:g} s", **properties)
    level_db = 10 * np.log10(max(energy / frames, 1e-20))
    if level_db < silence_db:
        return Decoded("silent", f"its level is {level_db:.0f} dB, below {silence_db:g} dB", **properties)
    return Decoded(**properties)
