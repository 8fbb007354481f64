"""NumPy archives with the same bytes in every version of Python."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from os import PathLike
from typing import BinaryIO

import numpy as np


def write_npz(file: str | PathLike[str] | BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as `numpy.savez` does, but with headers that do not depend on the version of Python.

    `numpy.savez` writes each array as a stream of unknown length, for which `zipfile` has other headers since Python
    3.11.4.

    Parameters
    ----------
    file : path or BinaryIO
        File to write, or open for writing.
    arrays : mapping
        From name to array, without Python objects.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
