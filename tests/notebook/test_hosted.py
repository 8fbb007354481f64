"""The cell that installs the package and runs a notebook on a hosted runtime, such as Colab."""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from conftest import Clone

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_documented_cell_runs_the_cnn_in_an_empty_folder(
    tmp_path: Path, small_clone: "Callable[..., Clone]", music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The libraries are installed before, as on such a runtime; the package is not."""
    [cell] = re.findall(r"```\n(%env REPOSITORY=.*?)```", (ROOT / "notebooks" / "README.md").read_text(), re.DOTALL)
    repository = small_clone(music).root
    cell = re.sub("(?<=REPOSITORY=).*", str(repository), cell, count=1)
    runtime = tmp_path / "runtime"
    subprocess.run([sys.executable, "-m", "uv", "--quiet", "venv", "--seed", runtime], check=True)
    [packages] = runtime.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    programs = [runtime / "bin", Path(sys.executable).parent, "/usr/bin", "/bin"]
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, programs)))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    empty = tmp_path / "content"
    empty.mkdir()
    manager, client = start_new_kernel(startup_timeout=120, cwd=empty)
    put_out: list[str] = []
    try:
        reply = client.execute_interactive(
            cell, output_hook=lambda message: put_out.append(str(message["content"])), timeout=600
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok", put_out
    executed = empty / "project" / "reports" / "notebooks" / "06_cnn.ipynb"
    assert executed.is_file(), "\n".join(put_out)
    assert list(packages.glob("song_genre_classification-*"))
    assert nbformat.read(executed, as_version=4).cells
