"""An output that a user names never damages another file."""

import os
import re
from pathlib import Path

import pytest

from songgenre.atomic import GENERATOR, check_output_file
from songgenre.errors import UserError


@pytest.mark.parametrize("name", ["song.ogg", "missing/page.html", "folder.html", "link.html", "pipe.html", "page"])
def test_only_a_regular_file_with_the_right_ending_is_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "song.ogg").write_bytes(b"a song")
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "link.html").symlink_to(tmp_path / "song.ogg")
    os.mkfifo(tmp_path / "pipe.html")
    with pytest.raises(UserError, match=re.escape(name)):
        check_output_file(tmp_path / name, ".html", GENERATOR)


def test_new_empty_and_own_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "old.HTML").write_bytes(b"<!DOCTYPE html>\n" + GENERATOR)
    (tmp_path / "empty.html").touch()
    for name in ("new.html", "old.HTML", "empty.html"):
        check_output_file(tmp_path / name, ".html", GENERATOR)


@pytest.mark.parametrize(
    ("suffix", "marker", "content"),
    [(".html", GENERATOR, b"OggS"), (".html", GENERATOR, b"<p>Mine"), (".pdf", None, b"%PDF"), (".zip", None, b"PK")],
)
def test_foreign_file_is_replaced_only_by_force(
    tmp_path: Path, suffix: str, marker: bytes | None, content: bytes
) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match="--force"):
        check_output_file(path, suffix, marker)
    check_output_file(path, suffix, marker, force=True)
