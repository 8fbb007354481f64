"""ID3 tags at the beginning of a file, in the forms that TinyTag and FFmpeg misread."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO, NamedTuple

HEADER_BYTES = 10
MAX_FRAMES = 2_000
"""Largest number of frames of all tags; TinyTag and FFmpeg take a time that grows with its square."""
MAX_TAGS = 100
"""Largest number of tags at the beginning of a file."""
AUDIO_BYTES = 1 << 16
"""Bytes behind a tag by which FFmpeg recognises the format."""

UNSYNCHRONISED, EXTENDED, FOOTER = 0x80, 0x40, 0x10
"""Flags of a tag."""
FRAME_UNSYNCHRONISED, FRAME_LENGTH = 0x02, 0x01
"""Flags of a frame of ID3v2.4: the first, and a length before the content."""


class Frame(NamedTuple):
    """Frame of a tag.

    Parameters
    ----------
    header, content : bytes
        Name, size and flags, and what follows.
    """

    header: bytes
    content: bytes


class Id3Tag(NamedTuple):
    """An ID3 tag without its extended header.

    Parameters
    ----------
    version : int
        2, 3 or 4, for ID3v2.2 to ID3v2.4.
    flags : int
        Flags of the tag.
    body : bytes
        Frames and padding.
    """

    version: int
    flags: int
    body: bytes

    def frames(self) -> Iterator[Frame]:
        """Read the frames.

        Yields
        ------
        Frame
            Each frame, until the padding or the end.
        """
        place, n_header = 0, 6 if self.version == 2 else HEADER_BYTES
        while place + n_header <= len(self.body) and self.body[place]:
            header = self.body[place : place + n_header]
            size = header[3:6] if self.version == 2 else header[4:8]
            end = place + n_header + (_synchsafe(size) if self.version == 4 else int.from_bytes(size, "big"))
            yield Frame(header, self.body[place + n_header : end])
            place = end

    @property
    def is_plain(self) -> bool:
        """Whether every reader understands the tag."""
        return not self.flags & (UNSYNCHRONISED | EXTENDED)

    def to_bytes(self) -> bytes:
        """Write the tag without extended header, footer and unsynchronisation.

        Returns
        -------
        bytes
            The tag.
        """
        body = b"".join(map(_simplify, self.frames())) if self.version == 4 else self.body
        return b"ID3" + bytes([self.version, 0, 0]) + _to_synchsafe(len(body)) + body


def read_id3(file: BinaryIO) -> list[Id3Tag]:
    """Read the tags at the beginning of a file; the file is left behind them.

    Parameters
    ----------
    file : BinaryIO
        File open for reading, at its beginning.

    Returns
    -------
    list of Id3Tag
        The tags, at most one more than `MAX_TAGS`; empty if there is none of a known version.
    """
    return list(islice(iter(lambda: _read_tag(file), None), MAX_TAGS + 1))


def has_too_many_frames(tags: Sequence[Id3Tag]) -> bool:
    """Tell whether there are more tags than `MAX_TAGS`, or more frames in them than `MAX_FRAMES`.

    Parameters
    ----------
    tags : sequence of Id3Tag
        All tags of a file.

    Returns
    -------
    bool
        True if there are more; no further frames are read.
    """
    frames = chain.from_iterable(tag.frames() for tag in tags)
    return len(tags) > MAX_TAGS or next(islice(frames, MAX_FRAMES, None), None) is not None


def _read_tag(file: BinaryIO) -> Id3Tag | None:
    """Read a tag; without one, the file stays where it is."""
    header = file.read(HEADER_BYTES)
    if not header.startswith(b"ID3") or len(header) < HEADER_BYTES or header[3] not in (2, 3, 4):
        file.seek(-len(header), io.SEEK_CUR)
        return None
    version, flags = header[3], header[5]
    body = file.read(_synchsafe(header[6:10]))
    if flags & FOOTER and version == 4:
        file.seek(HEADER_BYTES, io.SEEK_CUR)
    if flags & UNSYNCHRONISED and version < 4:
        body = body.replace(b"\xff\0", b"\xff")
    if flags & EXTENDED and version > 2:
        body = body[_synchsafe(body[:4]) if version == 4 else 4 + int.from_bytes(body[:4], "big") :]
    return Id3Tag(version, flags, body)


def _simplify(frame: Frame) -> bytes:
    """Write a frame of ID3v2.4 without unsynchronisation and length; other flags, as of compressed frames, stay."""
    (header, content), flags = frame, frame.header[9]
    if flags & FRAME_LENGTH:
        content = content[4:]
    if flags & FRAME_UNSYNCHRONISED:
        content = content.replace(b"\xff\0", b"\xff")
    if flags & ~(FRAME_UNSYNCHRONISED | FRAME_LENGTH):
        return header + frame.content
    return header[:4] + _to_synchsafe(len(content)) + header[8:9] + b"\0" + content


def _synchsafe(digits: bytes) -> int:
    """Read a number of seven bits to a byte."""
    return sum((digit & 0x7F) << 7 * place for place, digit in enumerate(reversed(digits)))


def _to_synchsafe(number: int) -> bytes:
    return bytes(number >> 7 * place & 0x7F for place in (3, 2, 1, 0))
