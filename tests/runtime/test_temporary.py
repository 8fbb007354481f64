import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from songgenre.runtime.temporary import MIN_AGE_S, PREFIX, temporary_folder

CODE = """
from songgenre.runtime.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "song").touch()
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the temporary folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def grow_old(folder: Path) -> None:
    then = time.time() - 2 * MIN_AGE_S
    os.utime(folder, (then, then))


def test_folder_is_for_this_user_alone_and_removed(place: Path) -> None:
    with temporary_folder() as folder:
        (folder / "song").touch()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(place.iterdir()) == []


@pytest.mark.integration
def test_folder_of_a_killed_process_is_removed_and_that_of_a_running_one_stays(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CODE],
        env=os.environ | {"TMPDIR": str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        grow_old(left)
        with temporary_folder():
            assert left.is_dir()
        process.kill()
    grow_old(left)
    with temporary_folder():
        assert not left.exists()


def test_young_folders_and_others_stay(place: Path) -> None:
    young, other = place / f"{PREFIX}young", place / "songgenre-cache-0"
    link = place / f"{PREFIX}link"
    for folder in (young, other):
        folder.mkdir()
    grow_old(other)
    link.symlink_to(other)
    with temporary_folder():
        pass
    assert set(place.iterdir()) == {young, other, link}
