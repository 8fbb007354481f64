"""An output that a user names never damages another file."""

import os
import re
from pathlib import Path

import pytest

from songgenre.atomic import check_output_file
from songgenre.errors import UserError


@pytest.mark.parametrize("name", ["song.ogg", "missing/page.html", "folder.html", "link.html", "pipe.html", "page"])
def test_only_a_regular_file_with_the_right_ending_is_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "song.ogg").write_bytes(b"a song")
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "link.html").symlink_to(tmp_path / "song.ogg")
    os.mkfifo(tmp_path / "pipe.html")
    with pytest.raises(UserError, match=re.escape(name)):
        check_output_file(tmp_path / name, ".html")


def test_a_new_file_and_a_former_output_are_fine(tmp_path: Path) -> None:
    (tmp_path / "old.HTML").write_text("a page")
    for name in ("new.html", "old.HTML"):
        check_output_file(tmp_path / name, ".html")
