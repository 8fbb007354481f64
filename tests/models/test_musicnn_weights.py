import functools
import hashlib
import http.server
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from songgenre.errors import UserError
from songgenre.models import musicnn_weights
from songgenre.models.musicnn_weights import (
    NETWORKS,
    Wheel,
    compute_hash,
    download_wheel,
    extract_weights,
    load_weights,
    shapes,
)

RNG = np.random.default_rng(0)
VARIABLES = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in shapes().items()}
OPTIMIZER = {
    f"{name}/{moment}": np.ones_like(values)
    for name, values in VARIABLES.items()
    if "moving" not in name
    for moment in ("Adam", "Adam_1")
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index page of a wheel, with checkpoints that lack a prefix and hold an optimiser's state."""
    folder = tmp_path_factory.mktemp("index")
    prefix = str(folder / "checkpoint")
    powers = {"beta1_power": np.float32(0.9), "beta2_power": np.float32(0.99)}
    everything = dict(sorted((VARIABLES | OPTIMIZER | powers).items()))
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(everything),
        shape_and_slices=[""] * len(everything),
        tensors=[tf.constant(value) for value in everything.values()],
    )
    place = folder / "simple" / "musicnn" / "musicnn-0.1.0-py3-none-any.whl"
    place.parent.mkdir(parents=True)
    about = "musicnn-0.1.0.dist-info"
    with zipfile.ZipFile(place, "w") as archive:
        for network in NETWORKS:
            for ending in (".index", ".data-00000-of-00001"):
                archive.write(prefix + ending, f"musicnn/{network}/{ending}")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: musicnn\nVersion: 0.1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/LICENSE.md", "Do as you like.")
        archive.writestr(f"{about}/RECORD", "")
    return place


@pytest.fixture(scope="module")
def wheel(published: Path) -> Wheel:
    return Wheel("musicnn", "0.1.0", hashlib.sha256(published.read_bytes()).hexdigest())


@pytest.fixture(scope="module")
def index(published: Path) -> Iterator[str]:
    """Address of a package index on this machine."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=published.parents[2])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have pip ask one index and nobody else."""

    def configure(address: str) -> None:
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", address)
        monkeypatch.setenv("PIP_RETRIES", "0")
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
            monkeypatch.delenv(name, raising=False)

    return configure


NOBODY = "http://127.0.0.1:9/simple"


@pytest.mark.integration
def test_weights_and_licence_come_through_pip(
    wheel: Wheel, index: str, ask: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(index)
    monkeypatch.setattr(musicnn_weights, "PUBLISHED", dict.fromkeys(NETWORKS, compute_hash(VARIABLES)))
    extract_weights(tmp_path / "wheels", tmp_path / "pretrained", wheel)
    assert sorted(path.name for path in (tmp_path / "pretrained").iterdir()) == [
        "LICENSE.md",
        "MSD_musicnn.npz",
        "MTT_musicnn.npz",
    ]
    assert (tmp_path / "pretrained" / "LICENSE.md").read_text() == "Do as you like."
    for network in NETWORKS:
        weights = load_weights(tmp_path / "pretrained", network)
        assert weights.keys() == VARIABLES.keys()
        for name, values in VARIABLES.items():
            np.testing.assert_array_equal(weights[name], values)


def test_wheel_put_there_needs_no_network_and_gives_the_same_bytes(
    published: Path, wheel: Wheel, ask: Callable[[str], None], tmp_path: Path
) -> None:
    ask(NOBODY)
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / wheel.file).write_bytes(published.read_bytes())
    written = []
    for _ in range(2):
        extract_weights(tmp_path / "wheels", tmp_path / "pretrained", wheel)
        written.append({path.name: path.read_bytes() for path in (tmp_path / "pretrained").iterdir()})
    assert written[0] == written[1]


@pytest.mark.integration
def test_without_a_network_the_message_says_what_to_do(
    wheel: Wheel, ask: Callable[[str], None], tmp_path: Path
) -> None:
    ask(NOBODY)
    with pytest.raises(UserError) as error:
        extract_weights(tmp_path / "wheels", tmp_path / "pretrained", wheel)
    assert "pip download --no-deps musicnn==0.1.0" in str(error.value)
    assert str(tmp_path / "wheels" / wheel.file) in str(error.value)
    assert "No matching distribution" in str(error.value)
    assert not (tmp_path / "pretrained").exists()


@pytest.mark.integration
def test_another_file_than_the_published_one_is_neither_opened_nor_kept(
    wheel: Wheel, index: str, ask: Callable[[str], None], tmp_path: Path
) -> None:
    ask(index)
    with pytest.raises(UserError, match=f"{wheel.file}.*{'0' * 64}.*{wheel.sha256}"):
        download_wheel(tmp_path, wheel._replace(sha256="0" * 64))
    assert list(tmp_path.iterdir()) == []


def test_another_file_put_there_is_named(wheel: Wheel, tmp_path: Path) -> None:
    (tmp_path / wheel.file).write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(UserError, match=str(tmp_path / wheel.file)):
        extract_weights(tmp_path, tmp_path / "pretrained", wheel)
    assert not (tmp_path / "pretrained").exists()


def _zeroed(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.zeros_like(values) for name, values in variables.items()}


def _without_one(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return dict(list(variables.items())[1:])


@pytest.mark.parametrize("change", [dict, _zeroed, _without_one])
def test_weights_that_are_not_the_published_ones_are_refused(
    change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]], tmp_path: Path
) -> None:
    np.savez(tmp_path / "MSD_musicnn.npz", allow_pickle=False, **change(VARIABLES))
    with pytest.raises(UserError, match=r"MSD_musicnn.*published"):
        load_weights(tmp_path, "MSD_musicnn")


@pytest.mark.parametrize("damage", [b"", b"PK\3\4", bytes(1000)])
def test_weights_that_cannot_be_read_are_named(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "MSD_musicnn.npz").write_bytes(damage)
    with pytest.raises(UserError, match="MSD_musicnn"):
        load_weights(tmp_path, "MSD_musicnn")


def test_missing_weights_say_how_to_fetch_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"MSD_musicnn.*dvc repro pretrained"):
        load_weights(tmp_path, "MSD_musicnn")
