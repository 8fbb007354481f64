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
        check_output_file(tmp_path / name, ".html")


def test_new_empty_and_own_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "old.HTML").write_bytes(b"<!DOCTYPE html>\n" + GENERATOR)
    (tmp_path / "empty.html").touch()
    for name in ("new.html", "old.HTML", "empty.html"):
        check_output_file(tmp_path / name, ".html")


@pytest.mark.parametrize(
    ("suffix", "content"), [(".html", b"OggS"), (".html", b"<p>Mine"), (".pdf", b"%PDF"), (".zip", b"PK\3\4")]
)
def test_foreign_file_is_replaced_only_by_force(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match="--force"):
        check_output_file(path, suffix)
    check_output_file(path, suffix, force=True)
