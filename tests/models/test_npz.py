import hashlib
import io

import numpy as np

from songgenre.models.npz import write_npz

ARRAYS = {"layer/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "names": np.array(["folk", "jazz"])}


def test_numpy_reads_what_was_written() -> None:
    content = io.BytesIO()
    write_npz(content, ARRAYS)
    content.seek(0)
    read = np.load(content, allow_pickle=False)
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array)


SHA256 = "04067ac6abea3ffaffae0e0f95692cf9bf82c42ceabd1eeb45356b98c5901b1a"


def test_bytes_are_the_same_in_every_version_of_python() -> None:
    content = io.BytesIO()
    write_npz(content, ARRAYS)
    assert hashlib.sha256(content.getvalue()).hexdigest() == SHA256
