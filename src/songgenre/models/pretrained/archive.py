"""One file for a model: its head, its card and the hashes of both, without code."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.models import musicnn
from songgenre.models.musicnn_weights import MUSICNN
from songgenre.models.pretrained.embedding import NETWORK
from songgenre.models.pretrained.head import OTHER, UNREADABLE, Head, load_head, write_head

FORMAT = 1
MANIFEST, HEAD, CARD = "model.json", "head.npz", "MODEL_CARD.md"
NAME = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,100}"
MAX_MEMBER_BYTES = 10_000_000
"""Largest size of each part of a file that is loaded."""


class Archive(NamedTuple):
    """A model with its name and its card.

    Parameters
    ----------
    name : str
        Name of the model.
    head : Head
        Classifier of the embeddings.
    card : str
        Model card, Markdown.
    """

    name: str
    head: Head
    card: str


def save_archive(model: Archive, path: Path) -> None:
    """Save a model as one file; the same model gives the same bytes.

    Parameters
    ----------
    model : Archive
        Model to save.
    path : Path
        File to write, a zip archive that ends in `songgenre.paths.MODEL_SUFFIX`.
    """
    content = io.BytesIO()
    write_head(model.head, content)
    members = {HEAD: content.getvalue(), CARD: model.card.encode()}
    manifest = {
        "format": FORMAT,
        "name": model.name,
        "genres": list(model.head.classes),
        "network": NETWORK,
        "network_sha256": MUSICNN.sha256,
        "sha256": {name: hashlib.sha256(member).hexdigest() for name, member in members.items()},
    }
    members = {MANIFEST: json.dumps(manifest, indent=2).encode()} | members
    with replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member)


def load_archive(path: Path) -> Archive:
    """Load a model from a file that `save_archive` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Archive
        The model.

    Raises
    ------
    UserError
        If the file is missing, damaged or changed, or needs another network or another version of this package.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("not a regular file")
        with zipfile.ZipFile(path) as archive:
            members = {name: _read(archive, name) for name in (MANIFEST, HEAD, CARD)}
        manifest = json.loads(members.pop(MANIFEST))
        recorded = manifest["sha256"]
        version, name, network = manifest["format"], manifest["name"], manifest["network_sha256"]
    except FileNotFoundError:
        raise UserError(f"{path}: not found. Name a file that `songgenre model export` wrote.") from None
    except (*UNREADABLE, TypeError) as error:
        raise UserError(f"{path}: not a model ({error}). Export it again with `songgenre model export`.") from None
    if version != FORMAT:
        raise UserError(f"{path}: format {version!r:.20}; this version reads format {FORMAT}. Update songgenre.")
    if network != MUSICNN.sha256:
        raise UserError(f"{path}: made for weights of musicnn with another hash. Export it again.")
    if recorded != {part: hashlib.sha256(member).hexdigest() for part, member in members.items()}:
        raise UserError(f"{path}: changed since it was exported. Get the file again.")
    if not is_name(name):
        raise UserError(f"{path}: not a model (its name is not a line of text). Export it again.")
    try:
        _check_size(members[HEAD])
        head = load_head(io.BytesIO(members[HEAD]))
    except (*UNREADABLE, UserError) as error:
        raise UserError(f"{path}: not a model. {error}") from None
    _check_head(head, path)
    return Archive(name, head, members[CARD].decode(errors="replace"))


def is_name(name: object) -> bool:
    """Tell whether something can be the name of a model or a genre.

    Parameters
    ----------
    name : object
        Anything.

    Returns
    -------
    bool
        True if it is a text of one line, not empty, with at most 100 characters.

    Examples
    --------
    >>> is_name("Jazz | $1"), is_name(" "), is_name("a" + chr(10) + "b"), is_name(3)
    (True, False, False, False)
    """
    return isinstance(name, str) and bool(name.strip() and re.fullmatch(NAME, name))


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        content = member.read(MAX_MEMBER_BYTES + 1)
    if len(content) > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} is larger than {MAX_MEMBER_BYTES} bytes")
    return content


def _check_size(head: bytes) -> None:
    """Refuse arrays that are small only as long as they are compressed; zipfile reads no more than is announced."""
    with zipfile.ZipFile(io.BytesIO(head)) as arrays:
        size = sum(array.file_size for array in arrays.infolist())
    if size > MAX_MEMBER_BYTES:
        raise ValueError(f"The arrays are larger than {MAX_MEMBER_BYTES} bytes.")


def _check_head(head: Head, path: Path) -> None:
    """Refuse arrays with wrong shapes or values, which would give wrong predictions instead of an error."""
    d, n = musicnn.PENULTIMATE, len(head.classes)
    shapes = {"mean": (d,), "scale": (d,), "weights": (d, n), "bias": (n,), "signal_weights": (d,)}
    shapes |= {"signal_bias": (), "max_outside": ()}
    damaged = [name for name, shape in shapes.items() if not _is_finite(getattr(head, name), shape)]
    if len(set(head.classes)) < n or not set(head.classes) - {OTHER} or not all(map(is_name, head.classes)):
        damaged.append("classes")
    if not damaged and not (head.scale > 0).all():
        damaged.append("scale")
    if not damaged and not 0 <= head.max_outside <= 1:
        damaged.append("max_outside")
    if damaged:
        raise UserError(
            f"{path}: not a model ({damaged[0]} is damaged). Export it again with `songgenre model export`."
        )


def _is_finite(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    return array.shape == shape and array.dtype == np.float32 and bool(np.isfinite(array).all())
