"""The genre tag of an audio file, which is replaced without a change of anything else in the file."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from songgenre.atomic import replacing
from songgenre.audio import open_bytes
from songgenre.audio.tags import CONTAINERS
from songgenre.errors import UserError
from songgenre.library.journal import Stamp, read_stamp

FileType = Any
"""Type `mutagen.FileType`, whose annotations do not describe the tags."""

ID3_KEY, ID3V22_KEY = "TCON", "TCO"
ID3V24_SYNONYMS = {"TDOR", "TDRC", "TIPL", "TMCL"}
"""Frames that have other names in ID3v2.3."""
UTF_8 = 3
"""Encoding of ID3 texts, which mutagen replaces by UTF-16 in ID3v2.3."""


def require_mutagen() -> None:
    """Check that the package that writes tags is installed.

    Raises
    ------
    UserError
        If it is missing.
    """
    try:
        import mutagen  # noqa: F401
    except ModuleNotFoundError:
        raise UserError("mutagen: not installed. Install the extra [tag], or run `pip install mutagen`.") from None


def read_genres(path: Path) -> list[str]:
    """Read the genres in the tags of a file.

    Parameters
    ----------
    path : Path
        Audio file.

    Returns
    -------
    list of str
        The genres as they are in the file, such as ``(17)`` for a genre that ID3 numbers; empty if there are none.

    Raises
    ------
    OSError
        If the file is missing, is not a regular file or is not readable.
    UserError
        If the format of the file has no genre tag that can be written.
    """
    song = _load(path)
    with _parsing(path):
        return _genres(song, path)


def write_genres(path: Path, genres: Sequence[str], before_replacing: Callable[[Stamp], None]) -> None:
    """Replace the genres in the tags of a file.

    The tags of a copy are changed. The copy replaces the file only if its audio and its other tags are the same. It has
    the mode and, if that is permitted, the owner of the file, but the present time, so that backups notice the change.

    Parameters
    ----------
    path : Path
        Audio file.
    genres : sequence of str
        New genres; empty to remove the tag.
    before_replacing : callable
        Called with the state of the copy before it replaces the file.

    Raises
    ------
    OSError
        If the file or its folder cannot be read or written.
    UserError
        If the file is read-only, or the tag cannot be written without another change.
    """
    if not os.access(path, os.W_OK):
        raise UserError(f"{path}: read-only. Make the file writable.")
    song, stamp = _load(path), read_stamp(path)
    with replacing(path) as copy:
        shutil.copyfile(path, copy)
        _copy_attributes(path, copy)
        with _parsing(path):
            changed = type(song)(copy)
            _set_genres(changed, genres)
            _check_unchanged(song, type(song)(copy), path, copy)
        _sync(copy)
        if read_stamp(path) != stamp:
            raise UserError(f"{path}: changed while its genre was written. Run the command again.")
        before_replacing(read_stamp(copy))


def _load(path: Path) -> FileType:
    import mutagen

    open_bytes(path).close()
    with _parsing(path):
        song = mutagen.File(path)
        if song is not None and song.tags is None:
            song.add_tags()
    if song is None or _key(song) is None:
        raise UserError(f"{path}: its format has no genre tag that can be written. Convert it, for example to flac.")
    return song


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    """Explain the errors of parsers, which are of any class if a file is damaged."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}: its genre cannot be read or written ({error}). Repair or convert it.") from None


def _key(song: FileType) -> str | None:
    """Name the genre in the kind of tags that a file has."""
    from mutagen._vorbis import VComment
    from mutagen.apev2 import APEv2
    from mutagen.asf import ASFTags
    from mutagen.id3 import ID3
    from mutagen.mp4 import MP4Tags

    keys = {ID3: ID3_KEY, MP4Tags: "\xa9gen", VComment: "genre", APEv2: "Genre", ASFTags: "WM/Genre"}
    return next((key for kind, key in keys.items() if isinstance(song.tags, kind)), None)


def _genres(song: FileType, path: Path) -> list[str]:
    """Read the genres as the file has them; by default, mutagen replaces the numbers of ID3 genres by names."""
    key = _key(song)
    if key == ID3_KEY:
        tags = type(song)(path, translate=False).tags or {}
        values = tags.get(ID3_KEY, tags.get(ID3V22_KEY, []))
    else:
        values = song.tags.get(key, [])
    return [str(value) for value in getattr(values, "text", values)]


def _set_genres(song: FileType, genres: Sequence[str]) -> None:
    from mutagen.id3 import TCON

    if song.tags is None:
        song.add_tags()
    key = _key(song)
    is_id3 = key == ID3_KEY
    is_id3v23 = is_id3 and song.tags.version < (2, 4)
    if is_id3v23:
        _convert_to_id3v23(song)
    if genres:
        song.tags[key] = TCON(encoding=UTF_8, text=list(genres)) if is_id3 else list(genres)
    elif key in song.tags:
        del song.tags[key]
    if not song.tags:
        song.delete()
    elif is_id3v23:
        song.save(v2_version=3, v23_sep=None)
    else:
        song.save()


def _convert_to_id3v23(song: FileType) -> None:
    """Undo the conversion to ID3v2.4 of `mutagen.File`, but keep frames that many programs write into ID3v2.3, too."""
    frames = dict(song.tags)
    song.tags.update_to_v23()
    for key in frames.keys() - song.tags.keys() - ID3V24_SYNONYMS:
        song.tags[key] = frames[key]


def _check_unchanged(song: FileType, changed: FileType, path: Path, copy: Path) -> None:
    if _other_tags(changed) != _other_tags(song):
        raise UserError(f"{path}: writing the genre would change other tags, so it is not written.")
    if _audio_hash(copy) != _audio_hash(path):
        raise UserError(f"{path}: writing the genre would change the audio, so it is not written.")


def _other_tags(song: FileType) -> dict[str, Any]:
    if song.tags is None:
        return {}
    genre = str(_key(song)).lower()
    return {key: song.tags[key] for key in song.tags.keys() if key.lower() != genre}  # noqa: SIM118


def _audio_hash(path: Path) -> str:
    """Compute a hash of the encoded audio: of each packet with its time."""
    import av

    digest = hashlib.sha256()
    with (
        open_bytes(path) as file,
        av.open(file, "r", metadata_errors="replace", options={"format_whitelist": CONTAINERS}) as container,
    ):
        for packet in container.demux(container.streams.audio):
            digest.update(f"{packet.stream_index} {packet.pts} {packet.size} ".encode() + bytes(packet))
    return digest.hexdigest()


def _copy_attributes(path: Path, copy: Path) -> None:
    shutil.copystat(path, copy)
    state = path.stat()
    for user, group in ((-1, state.st_gid), (state.st_uid, -1)):
        with suppress(PermissionError):
            os.chown(copy, user, group)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
