"""Decoding with FFmpeg (PyAV) of what libsndfile does not read, for example m4a, webm and wma."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, groupby
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    import av

DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,iff,matroska,webm,mov,mp4,m4a,mp3,mpc,mpc8,"
    "mpeg,mpegts,ogg,rm,tak,tta,w64,wav,wv"
)
"""Formats that are opened. Playlists are not among them, because they can name other files and addresses."""

EXACT_DURATION = {"aiff", "ape", "asf", "au", "caf", "dsf", "flac", "mov", "matroska", "tta", "w64", "wav", "wv"}
"""Formats whose headers give the length; FFmpeg estimates that of the others from their bit rate."""

BLOCK = 1 << 18
"""Samples, over all channels, that are collected before they are returned."""


class NoAudioStreamError(ValueError):
    """A file, such as a video without sound, has other streams, but no audio."""


class FFmpegFile:
    """An audio file that FFmpeg decodes, once, from its beginning; this is exact for every format.

    The first audio stream that the file marks as default is decoded; pictures and video are left out. The samples that
    encoders add at the beginning are skipped where the file says how many there are.

    Parameters
    ----------
    source : BinaryIO
        Content of the file.

    Raises
    ------
    RuntimeError, ValueError, MemoryError
        If the content cannot be decoded.
    """

    def __init__(self, source: BinaryIO) -> None:
        import av

        av.logging.set_level(None)
        with _as_runtime_error():
            self._container = av.open(source, "r", metadata_errors="replace", options={"format_whitelist": DEMUXERS})
        self.format = self._container.format.name.split(",")[0]
        streams = self._container.streams
        if len(streams) and not streams.audio:
            raise NoAudioStreamError("has video or pictures, but no audio")
        stream = streams.best("audio")
        if not isinstance(stream, av.AudioStream) or stream.codec_context is None:
            raise ValueError("no audio stream, or one that is encrypted")
        stream.codec_context.options = {"err_detect": "crccheck"}
        self.damaged_s = 0.0
        self.frames: int | None = None
        decoded = self._decode(stream)
        first = next(decoded, None)
        if first is None:
            raise ValueError("no audio in the stream")
        self._decoded = chain([first], decoded)
        self.sample_rate = first.sample_rate
        self.channels = first.layout.nb_channels
        self.frames = self._announced_frames(stream)

    def mono(self, start: int = 0, frames: int | None = None) -> Iterator[np.ndarray]:
        """Decode a part of the file; for one call.

        Parameters
        ----------
        start : int
            First frame.
        frames : int, optional
            Largest number of frames; all remaining frames by default.

        Yields
        ------
        np.ndarray [shape=(n,), dtype=float32]
            Mean of the channels.

        Raises
        ------
        RuntimeError, ValueError, MemoryError
            If the sample rate changes, or the content cannot be decoded.
        """
        left = frames
        for y in self._blocks():
            y, start = y[start:], max(0, start - len(y))
            y = y[:left]
            if len(y):
                yield y
            if left is not None and (left := left - len(y)) <= 0:
                return

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _blocks(self) -> Iterator[np.ndarray]:
        """Collect the short frames of FFmpeg; a stream may change the number of its channels."""
        for _, frames in groupby(self._checked(), key=lambda frame: frame.layout.nb_channels):
            waiting, n = [], 0
            for frame in frames:
                waiting.append(_channels(frame))
                n += waiting[-1].size
                if n >= BLOCK:
                    yield _mono(np.concatenate(waiting, axis=1))
                    waiting, n = [], 0
            if waiting:
                yield _mono(np.concatenate(waiting, axis=1))

    def _checked(self) -> Iterator[av.AudioFrame]:
        """Check the sample rate of the frames; the time stamps of flac tell how much is missing before a frame."""
        n = 0
        for frame in self._decoded:
            if frame.sample_rate != self.sample_rate:
                raise ValueError(f"the sample rate changes from {self.sample_rate} to {frame.sample_rate} Hz")
            if self.format == "flac" and frame.pts is not None:
                self.damaged_s = max(self.damaged_s, (frame.pts - n) / self.sample_rate)
            n += frame.samples
            yield frame

    def _decode(self, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
        """Decode packet by packet; a damaged packet is left out, and its length counted."""
        import av

        for packet in self._packets(stream):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self.damaged_s += float((packet.duration or 0) * (packet.time_base or 0))

    def _packets(self, stream: av.AudioStream) -> Iterator[av.Packet[av.AudioStream]]:
        """Read packets up to the end, or up to a fault if the length is known, which shows that the rest is missing."""
        packets = self._container.demux(stream)
        try:
            with _as_runtime_error():
                yield from packets
        except RuntimeError:
            if self.frames is None:
                raise

    def _announced_frames(self, stream: av.AudioStream) -> int | None:
        """Read the length from the header; None if it is missing, estimated or that of a video."""
        if self.format not in EXACT_DURATION:
            return None
        if stream.duration is not None and stream.time_base is not None:
            return round(stream.duration * stream.time_base * self.sample_rate)
        if self._container.duration is None or len(self._container.streams) > 1:
            return None
        return round(self._container.duration / 1_000_000 * self.sample_rate)


def _channels(frame: av.AudioFrame) -> np.ndarray:
    """Return the samples of a frame, a row for each channel."""
    y: np.ndarray = frame.to_ndarray()
    return y if frame.format.is_planar else y.reshape(-1, frame.layout.nb_channels).T


def _mono(y: np.ndarray) -> np.ndarray:
    """Convert samples to the mean of their channels, with a full scale of 1."""
    if y.dtype == np.uint8:
        y = (y.astype(np.float32) - 128) / 128
    elif np.issubdtype(y.dtype, np.integer):
        y = y / float(2 ** (8 * y.dtype.itemsize - 1))
    y = y.astype(np.float32, copy=False)
    return y[0] if len(y) == 1 else y.mean(axis=0)


@contextmanager
def _as_runtime_error() -> Iterator[None]:
    """Turn the errors of FFmpeg, some of which are an `OSError`, into one class."""
    import av

    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise RuntimeError(str(error)) from None
