"""Where a clone may lie, and from where its commands may be run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
BARE = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
"""The environment of a shell in which nothing is activated."""
DVC = (sys.executable, "-m", "dvc")
FETCHED = "data/pretrained/MSD_musicnn.npz"
MOUNTS = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-euc")


@pytest.fixture(scope="module")
def clone(fresh_clone: "Callable[..., Clone]", tmp_path_factory: pytest.TempPathFactory) -> "Clone":
    """A clone in a folder with spaces, with the installed packages as its virtual environment."""
    root = tmp_path_factory.mktemp("places") / "my (own) music's clone"
    root.mkdir()
    clone = fresh_clone(root)
    install(root)
    return clone


def install(root: Path) -> None:
    (root / ".venv").mkdir()
    (root / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (root / ".venv" / ".ready").touch()


def test_make_works_in_a_folder_with_spaces(clone: "Clone") -> None:
    page = clone.root / "reports" / "html" / "index.html"
    page.parent.mkdir(parents=True)
    page.touch()
    made = clone.run("make", "--silent", "reports", **BARE, BROWSER="true")
    assert made.splitlines() == [str(page)]
    assert f'JUPYTER_PATH="{clone.root}/src' in clone.run("make", "--dry-run", "lab", **BARE)


def test_stage_finds_the_environment_of_the_clone(clone: "Clone") -> None:
    clone.run(
        "sh", "-c", 'cd notebooks && "$@"', "sh", *DVC, "repro", "--single-item", "../dvc.yaml:pretrained", **BARE
    )
    assert (clone.root / FETCHED).is_file()


def test_worktree_is_a_clone(clone: "Clone", clone_at: "type[Clone]") -> None:
    worktree = clone_at(clone.root.parent / "a worktree")
    clone.run("git", "worktree", "add", "--quiet", str(worktree.root), "-b", "other")
    install(worktree.root)
    (worktree.root / "data" / "cache").mkdir(parents=True, exist_ok=True)
    (worktree.root / "data" / "cache" / "wheels").symlink_to(clone.root / "data" / "cache" / "wheels")
    worktree.run(*DVC, "repro", "--single-item", "pretrained", **BARE)
    assert (worktree.root / FETCHED).is_file()
    assert worktree.run("git", "status", "--porcelain", "--", "src") == ""


def test_clone_of_another_owner_is_refused_with_the_remedy(clone: "Clone") -> None:
    """The variable is that of git's own tests: every folder belongs to somebody else."""
    command = [str(Path(sys.executable).with_name("songgenre")), "reproduce"]
    another = os.environ | {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    ended = subprocess.run(command, cwd=clone.root, env=another, text=True, capture_output=True)
    assert ended.returncode == 1
    assert "safe.directory" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_experiment_in_a_copy_finds_a_relative_folder_of_music(
    clone: "Clone", write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> None:
    for number, genre in enumerate(("rock", "jazz")):
        write_audio(clone.root.parent / "music" / genre / "song.wav", melody(number, 2))
    settings = ("-S", "scraping.source=folder", "-S", "scraping.folder=../music")
    clone.run(*DVC, "exp", "run", "--temp", "--single-item", "scraping", *settings)


@pytest.mark.slow
def test_prediction_needs_no_folder_that_can_be_written_but_the_temporary_one(
    clone: "Clone", tmp_path: Path, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> None:
    if subprocess.run([*MOUNTS, "mount -t tmpfs tmpfs /mnt"], capture_output=True).returncode != 0:
        pytest.skip("This system lets nobody but root mount, not even in a namespace")
    song = write_audio(tmp_path / "song.wav", melody(0, 4))
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    temporary.mkdir()
    shutil.copytree(clone.root / "data" / "cache" / "wheels", home / ".cache" / "songgenre" / "wheels")
    script = (
        'for folder in "$1" "$2" "$3"; do mount --bind "$folder" "$folder"; mount -o remount,bind,ro "$folder"; done'
    )
    places = [str(clone.root), sys.prefix, str(home)]
    for folder in (str(clone.root), str(tmp_path)):
        command = f'{script}; cd "$4"; exec songgenre predict "$5" --csv'
        clone.run(*MOUNTS, command, "sh", *places, folder, str(song), HOME=str(home), TMPDIR=str(temporary))
