"""Published weights of musicnn, read from a wheel of the package index, which is never installed."""

from __future__ import annotations

import hashlib
import io
import math
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.models.npz import write_npz
from songgenre.progress import echo

NETWORKS = ("MSD_musicnn", "MTT_musicnn")
PUBLISHED = {
    "MSD_musicnn": "43b153f5832a422202b25ae472af87516967edaec1dc33ff190ee2f38f3c89f9",
    "MTT_musicnn": "26307d8f700d6b3d99d0fd166c0380cae63a59b496c1cf9b4ecff98ce1f324e0",
}
"""SHA-256 of the published weights of each network, see `compute_hash`."""

CONVOLUTIONS: list[tuple[int, ...]] = [
    (7, 38, 1, 204), (7, 67, 1, 204), (128, 1, 1, 51), (64, 1, 1, 51), (32, 1, 1, 51),
    (7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64),
]  # fmt: skip
DENSE_LAYERS: list[tuple[int, ...]] = [(1506, 200), (200, 50)]
NORMALIZED = [1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]
"""Shapes of the kernels, and sizes of the batch normalizations, in the order of their numbers."""


class Wheel(NamedTuple):
    """A wheel of the package index, and the SHA-256 of its file."""

    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.name}-{self.version}-py3-none-any.whl"


HINT = "Delete the file and run this again; in a project, `dvc repro --force pretrained` fetches the weights again."

MUSICNN = Wheel("musicnn", "0.1.0", "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa")


def download_wheel(folder: Path, wheel: Wheel = MUSICNN) -> bytes:
    """Read the wheel from a folder; download it with pip first if it is missing.

    Parameters
    ----------
    folder : Path
        Folder of the wheel.
    wheel : Wheel
        Name, version and hash of the wheel.

    Returns
    -------
    bytes
        Content of the wheel, with a verified hash.

    Raises
    ------
    UserError
        If the download fails or the hash differs.
    """
    path = folder / wheel.file
    if not path.exists():
        echo(f"fetching {wheel.name} {wheel.version} through pip")
        with TemporaryDirectory() as temporary:
            _download(Path(temporary), wheel, path)
            content = _check_hash(Path(temporary) / wheel.file, wheel)
            with replacing(path) as partial:
                partial.write_bytes(content)
    return _check_hash(path, wheel)


def extract_weights(wheels: Path, pretrained: Path, wheel: Wheel = MUSICNN) -> None:
    """Write the weights of both networks and their licence.

    Parameters
    ----------
    wheels : Path
        Folder of the wheel; a downloaded one is kept there.
    pretrained : Path
        Folder to write ``MSD_musicnn.npz``, ``MTT_musicnn.npz`` and ``LICENSE.md`` to.
    wheel : Wheel
        Name, version and hash of the wheel.

    Raises
    ------
    UserError
        If the download fails or the hash differs.
    """
    content = io.BytesIO(download_wheel(wheels, wheel))
    with replacing(pretrained) as folder, zipfile.ZipFile(content) as archive:
        folder.mkdir()
        for network in NETWORKS:
            variables = _variables(archive, f"{wheel.name}/{network}")
            write_npz(folder / f"{network}.npz", variables)
        licence = archive.read(f"{wheel.name}-{wheel.version}.dist-info/LICENSE.md")
        (folder / "LICENSE.md").write_bytes(licence)


def load_weights(pretrained: Path, network: str) -> dict[str, np.ndarray]:
    """Load the weights of a network that `extract_weights` wrote.

    Parameters
    ----------
    pretrained : Path
        Folder of the weights.
    network : str
        One of `NETWORKS`.

    Returns
    -------
    dict of np.ndarray
        From the name of a variable to its values.

    Raises
    ------
    UserError
        If the weights are missing, damaged or not the published ones.
    """
    path = pretrained / f"{network}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            weights = dict(file)
    except FileNotFoundError:
        raise UserError(
            f"{path}: not found. Fetch the weights of the pretrained networks with `dvc repro pretrained`."
        ) from None
    except Exception as error:  # NumPy and zipfile raise errors of a dozen types for damaged files
        raise UserError(f"{path}: the weights of the pretrained network cannot be read: {error}. {HINT}") from None
    if compute_hash(weights) != PUBLISHED[network]:
        raise UserError(f"{path}: not the published weights of {network}; damaged or changed. {HINT}")
    return weights


def compute_hash(weights: Mapping[str, np.ndarray]) -> str:
    """Compute a hash of the names, types, shapes and values of weights.

    Parameters
    ----------
    weights : mapping
        From the name of a variable to its values.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.
    """
    sha256 = hashlib.sha256()
    for name, values in sorted(weights.items()):
        sha256.update(f"{name} {values.dtype} {values.shape}".encode())
        sha256.update(values.tobytes())
    return sha256.hexdigest()


def _download(folder: Path, wheel: Wheel, path: Path) -> None:
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        *options,
        "--dest",
        str(folder),
        f"{wheel.name}=={wheel.version}",
    ]
    ended = subprocess.run(command, text=True, capture_output=True)
    if ended.returncode or not (folder / wheel.file).is_file():
        errors = re.findall(r"^(?:ERROR: )?(\S.*)$", ended.stderr, re.MULTILINE)
        reason = f" pip says: {errors[-1]}" if errors else ""
        raise UserError(
            f"{wheel.file}: pip cannot download it.{reason}\n"
            "Without a network, fetch it where there is one: "
            f"pip download --no-deps {wheel.name}=={wheel.version}\n"
            f"put it at {path}\nand run this again. With a mirror, tell pip: pip config set global.index-url ADDRESS"
        )


def _check_hash(path: Path, wheel: Wheel) -> bytes:
    """Read a file and verify its hash."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != wheel.sha256:
        raise UserError(
            f"{path}: the published file has the SHA-256 {wheel.sha256}, this one {digest}. It is damaged or another "
            "file. Replace it by the published file, or delete it and run this again."
        )
    return content


def shapes() -> dict[str, tuple[int, ...]]:
    """List the variables of a network.

    Returns
    -------
    dict
        From the name of a variable to its shape, in the order of the names.
    """
    found: dict[str, tuple[int, ...]] = {}
    for layer, kernels in (("conv2d", CONVOLUTIONS), ("dense", DENSE_LAYERS)):
        for number, kernel in enumerate(kernels):
            name = variable_name(layer, number)
            found |= {f"{name}/kernel": kernel, f"{name}/bias": kernel[-1:]}
    for number, n in enumerate(NORMALIZED):
        name = variable_name("batch_normalization", number)
        found |= {f"{name}/{statistic}": (n,) for statistic in ("beta", "gamma", "moving_mean", "moving_variance")}
    return dict(sorted(found.items()))


def variable_name(layer: str, number: int) -> str:
    """Name a layer as TensorFlow does.

    Parameters
    ----------
    layer : str
        Kind of layer.
    number : int
        Number among the layers of this kind, from 0.

    Returns
    -------
    str
        Such as ``conv2d`` for the first and ``conv2d_1`` for the second.
    """
    return f"{layer}_{number}" if number else layer


def _variables(archive: zipfile.ZipFile, folder: str) -> dict[str, np.ndarray]:
    """Read the variables of a checkpoint of TensorFlow, which need not be installed.

    The file holds float32 values in the order of the names of the variables. Each variable that is trained is followed
    by the two moments of the Adam optimizer, which has two variables of its own.
    """
    values = np.frombuffer(archive.read(f"{folder}/.data-00000-of-00001"), "<f4")
    variables: dict[str, np.ndarray] = {}
    start = 0
    for name, shape in sorted((shapes() | {"beta1_power": (), "beta2_power": ()}).items()):
        size = math.prod(shape)
        variables[name] = values[start : start + size].reshape(shape)
        start += size if "moving" in name or not shape else 3 * size
    return {name: variables[name] for name in shapes()}
