import os
import subprocess
import sys
from pathlib import Path

import pytest

from songgenre.atomic import replacing
from songgenre.errors import UserError
from songgenre.paths import Project


def test_project_is_found_from_a_folder_within(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").touch()
    (tmp_path / "dvc.yaml").touch()
    within = tmp_path / "notebooks" / "deeper"
    within.mkdir(parents=True)
    assert Project.find(within).root == tmp_path.resolve()


def test_nearest_project_wins(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    for folder in (tmp_path, inner):
        (folder / "params.yaml").touch()
        (folder / "dvc.yaml").touch()
    assert Project.find(inner).root == inner.resolve()


def test_copy_that_dvc_made_knows_its_origin(tmp_path: Path) -> None:
    assert Project(tmp_path / ".dvc" / "tmp" / "exps" / "tmpabc").origin == tmp_path
    assert Project(tmp_path / ".dvc" / "tmp" / "exps" / "tmpabc" / "part").origin == tmp_path
    assert Project(tmp_path / "project").origin == tmp_path / "project"


def test_outside_a_project_the_error_says_where_and_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").touch()
    with pytest.raises(UserError, match=r"dvc\.yaml") as error:
        Project.find(tmp_path)
    assert str(tmp_path.resolve()) in str(error.value)


def test_file_is_replaced_and_its_parent_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    for content in ("old", "new"):
        with replacing(path) as partial:
            partial.write_text(content)
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_folder_is_replaced_with_all_that_was_in_it(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for name in ("old", "new"):
        with replacing(path) as partial:
            partial.mkdir()
            (partial / name).touch()
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_the_old_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with replacing(path) as partial:
            partial.write_text("half")
            raise ZeroDivisionError

    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_the_old_folder_is_there_and_nothing_else(tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with replacing(path) as partial:
            partial.mkdir()
            (partial / "half").touch()
            raise ZeroDivisionError

    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert [file.name for file in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_for_which_nothing_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert [file.name for file in path.iterdir()] == ["old"]


@pytest.mark.integration
def test_what_a_killed_process_has_left_is_removed_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f".folder.{ended.pid}.partial"
    left.mkdir()
    (left / "half").touch()
    (tmp_path / f".file.txt.{ended.pid}.partial").touch()
    (tmp_path / f".folder.{os.getpid()}.partial").mkdir()
    (tmp_path / f".folder.{os.getppid()}.partial").mkdir()
    (tmp_path / ".folder.of mine.partial").touch()
    with replacing(tmp_path / "folder") as partial:
        partial.mkdir()
    with replacing(tmp_path / "file.txt") as partial:
        partial.touch()
    kept = {"folder", "file.txt", f".folder.{os.getppid()}.partial", ".folder.of mine.partial"}
    assert {path.name for path in tmp_path.iterdir()} == kept
