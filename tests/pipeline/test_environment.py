"""The same pipeline, on the same machine but elsewhere and otherwise set, writes the same bytes."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Clone

ELSEWHERE = {
    "OMP_NUM_THREADS": "1",
    "LC_ALL": "C",
    "TZ": "Pacific/Auckland",
    "PYTHONHASHSEED": "42",
    "COLUMNS": "60",
}


def test_another_folder_and_other_settings_give_the_same_lock(
    small: "Clone", small_clone: "Callable[..., Clone]"
) -> None:
    other = small_clone("a folder with a space, and ümlauts")
    other.run("dvc", "repro", umask=0o077, **ELSEWHERE)
    assert (other.root / "dvc.lock").read_text() == (small.root / "dvc.lock").read_text()
