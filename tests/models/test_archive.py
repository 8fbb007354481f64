import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from songgenre.errors import UserError
from songgenre.models import musicnn
from songgenre.models.pretrained import archive
from songgenre.models.pretrained.archive import CARD, HEAD, MANIFEST, Archive, load_archive, save_archive
from songgenre.models.pretrained.head import ARRAYS, Head

SHAPES = {"weights": (musicnn.PENULTIMATE, 2), "bias": (2,), "signal_bias": (), "max_outside": ()}


def head(**arrays: np.ndarray) -> Head:
    rng = np.random.default_rng(0)
    drawn = {
        name: rng.random(SHAPES.get(name, (musicnn.PENULTIMATE,))).astype(np.float32) + np.float32(0.5)
        for name in ARRAYS
    }
    drawn["max_outside"] = np.float32(0.5)
    return Head(("jazz", "polka"), **{name: np.asarray(array) for name, array in (drawn | arrays).items()})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "jazz.songgenre"
    save_archive(Archive("jazz", head(), "# Card of jazz 🎷\n"), path)
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rewrite(path: Path, changed: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in changed.items():
            file.writestr(name, content)


def with_manifest(path: Path, **changes: object) -> None:
    parts = members(path)
    rewrite(path, parts | {MANIFEST: json.dumps(json.loads(parts[MANIFEST]) | changes).encode()})


def with_head(path: Path, content: bytes) -> None:
    parts = members(path) | {HEAD: content}
    rewrite(path, parts)
    with_manifest(path, sha256={name: hashlib.sha256(parts[name]).hexdigest() for name in (HEAD, CARD)})


def array_header(shape: tuple[int, ...], dtype: str) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": dtype, "fortran_order": False, "shape": shape})
    return content.getvalue()


def test_a_model_is_saved_and_loaded(saved: Path) -> None:
    loaded = load_archive(saved)
    assert (loaded.name, loaded.card) == ("jazz", "# Card of jazz 🎷\n")
    x = np.random.default_rng(1).random(musicnn.PENULTIMATE)
    assert loaded.head.predict(x).probabilities.equals(head().predict(x).probabilities)
    assert 0 <= loaded.head.predict(x).outside <= 1


def test_the_same_model_is_the_same_file(saved: Path, tmp_path: Path) -> None:
    save_archive(load_archive(saved), tmp_path / "again.songgenre")
    assert (tmp_path / "again.songgenre").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize("part", [HEAD, CARD])
def test_a_changed_part_is_refused(saved: Path, part: str) -> None:
    parts = members(saved)
    rewrite(saved, parts | {part: parts[part].replace(b"jazz", b"rock") + b" "})
    with pytest.raises(UserError, match="changed"):
        load_archive(saved)


def test_every_flipped_byte_is_noticed_or_without_influence(saved: Path) -> None:
    original, expected = saved.read_bytes(), load_archive(saved)
    for place in np.random.default_rng(0).choice(len(original), 200, replace=False):
        damaged = bytearray(original)
        damaged[place] ^= 0x55
        saved.write_bytes(damaged)
        try:
            loaded = load_archive(saved)
        except UserError:
            continue
        assert loaded.card == expected.card
        assert all(np.array_equal(getattr(loaded.head, name), getattr(expected.head, name)) for name in ARRAYS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"network_sha256": "0" * 64}, "musicnn"),
        ({"sha256": None}, "changed"),
    ],
)
def test_a_model_for_another_version_is_refused(saved: Path, changes: dict[str, object], message: str) -> None:
    with_manifest(saved, **changes)
    with pytest.raises(UserError, match=message):
        load_archive(saved)


@pytest.mark.parametrize(
    "arrays",
    [
        {"bias": np.zeros(3, np.float32)},
        {"scale": np.full(musicnn.PENULTIMATE, np.nan, np.float32)},
        {"weights": np.zeros((musicnn.PENULTIMATE, 2), np.float64)},
        {"mean": np.zeros(musicnn.PENULTIMATE, dtype=object)},
        {"scale": np.zeros(musicnn.PENULTIMATE, np.float32)},
        {"max_outside": np.float32(1e30)},
        {"classes": np.array([1, 2])},
        {"classes": np.array(["jazz", "jazz"])},
        {"classes": np.array(["other", "other"])},
        {"classes": np.array(["\x1b[31mjazz", "polka"])},
        {"classes": np.array([["jazz"], ["polka"]])},
        {"classes": np.array([], str), "weights": np.ones((musicnn.PENULTIMATE, 0), np.float32), "bias": np.ones(0)},
    ],
)
def test_arrays_that_would_predict_nonsense_are_refused(saved: Path, arrays: dict[str, np.ndarray]) -> None:
    content = io.BytesIO()
    valid = {name: getattr(head(), name) for name in ARRAYS} | {"classes": np.array(["jazz", "polka"])}
    np.savez(content, **(valid | arrays))
    with_head(saved, content.getvalue())
    with pytest.raises(UserError, match="not a model"):
        load_archive(saved)


@pytest.mark.parametrize(
    "content",
    [
        b"no array",
        b"\x93NUMPY\x01\x00\x04\x00((((",
        array_header((2**70,), "<f4"),
        array_header((10**7,), "<U0"),
    ],
)
@pytest.mark.parametrize("name", ["classes", "mean"])
def test_damaged_arrays_are_refused(saved: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(members(saved)[HEAD])) as file:
        arrays = {part: file.read(part) for part in file.namelist()}
    rewrite(saved.with_suffix(".npz"), arrays | {f"{name}.npy": content})
    with_head(saved, saved.with_suffix(".npz").read_bytes())
    with pytest.raises(UserError, match="not a model"):
        load_archive(saved)


def test_arrays_that_unpack_to_more_than_a_part_may_have_are_refused(saved: Path) -> None:
    content = io.BytesIO()
    np.savez_compressed(content, mean=np.zeros(archive.MAX_MEMBER_BYTES, np.int8))
    with_head(saved, content.getvalue())
    with pytest.raises(UserError, match="larger than"):
        load_archive(saved)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_compression_is_refused(saved: Path, method: int) -> None:
    parts = members(saved)
    with zipfile.ZipFile(saved, "w", method) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    damaged = bytearray(saved.read_bytes())
    for place in range(45, 100):
        damaged[place] ^= 0xFF
    saved.write_bytes(damaged)
    with pytest.raises(UserError, match="not a model"):
        load_archive(saved)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.songgenre")
    with pytest.raises(UserError, match="not a regular file"):
        load_archive(tmp_path / "pipe.songgenre")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"[]", b"\0" * 1000])
def test_other_files_are_no_models(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.songgenre"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a model"):
        load_archive(path)


@pytest.mark.parametrize("name", ["", "\x1b[31mred", "two\nlines", "\ud800", "x" * 101, None, ["jazz"]])
def test_a_name_that_is_no_line_of_text_is_refused(saved: Path, name: object) -> None:
    with_manifest(saved, name=name)
    with pytest.raises(UserError, match="its name"):
        load_archive(saved)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.songgenre: not found"):
        load_archive(tmp_path / "none.songgenre")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 100_000)
    rewrite(saved, members(saved) | {CARD: b" " * 1_000_000})
    with pytest.raises(UserError, match="larger than"):
        load_archive(saved)
