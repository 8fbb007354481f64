"""The kernel that `make lab` starts: that of the pipeline, and it takes up what is edited."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jupyter_client.manager import start_new_kernel
from rich.text import Text

from songgenre.notebook.runner import KERNEL_ENVIRONMENT

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.integration


class Kernel(NamedTuple):
    """Runs code, and gives all that it puts out."""

    run: Callable[[str], str]
    folder: Path


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One started as `make lab` does."""
    recipe = subprocess.check_output(
        ["make", "--no-print-directory", "--dry-run", "lab"], cwd=ROOT, text=True
    ).splitlines()[-1]
    path, _, *command = shlex.split(recipe)
    assert path.startswith("JUPYTER_PATH=")
    assert command[:2] == ["jupyter", "lab"]
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", path.partition("=")[2])
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        for name in KERNEL_ENVIRONMENT:
            patch.delenv(name, raising=False)
        manager, client = start_new_kernel(startup_timeout=120, kernel_name="python3", cwd=folder)

    def run(code: str) -> str:
        put_out = io.StringIO()

        def note(message: dict[str, Any]) -> None:
            content = message["content"]
            put_out.write(content.get("text", "") or content.get("data", {}).get("text/plain", ""))

        reply = client.execute_interactive(code, output_hook=note, timeout=120)
        assert reply["content"]["status"] == "ok", reply["content"]
        return put_out.getvalue()

    yield Kernel(run, folder)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_kernel_is_that_of_the_pipeline(kernel: Kernel) -> None:
    assert kernel.run("import sys; print(sys.executable)").strip() == sys.executable
    names = list(KERNEL_ENVIRONMENT)
    said = json.loads(kernel.run(f"import json, os; print(json.dumps([os.environ[n] for n in {names}]))"))
    assert said == list(KERNEL_ENVIRONMENT.values())


def test_module_that_is_edited_is_reloaded_without_a_word_in_the_notebook(kernel: Kernel) -> None:
    module = kernel.folder / "edited.py"
    module.write_text("def answer():\n    return 1\n")
    assert kernel.run("from edited import answer; print(answer())") == "1\n"
    module.write_text("def answer():\n    return 40 + 2\n")
    os.utime(module, (2e9, 2e9))
    assert kernel.run("print(answer())") == "42\n"


@pytest.mark.parametrize(("user", "is_root"), [("0", True), ("1000", False)])
def test_jupyter_is_allowed_root_only_where_the_user_is_root(tmp_path: Path, user: str, is_root: bool) -> None:
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (tmp_path / "id").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    recipe = subprocess.check_output(["make", "--dry-run", "lab"], cwd=ROOT, env=environment, text=True)
    assert ("--allow-root" in recipe.split()) == is_root


STEPS = """
import time
from rich.progress import Progress
from songgenre.progress import progress_bar

drawn, draw = [], Progress.get_renderable

def noted(bars):
    drawn.extend(task.completed for task in bars.tasks)
    return draw(bars)

Progress.get_renderable = noted
for done in progress_bar(range(4), "decoding", total=4):
    while drawn.count(done) < 2:
        time.sleep(0.01)
"""
"""Each step lasts until it is drawn for the second time."""


def test_long_steps_are_drawn_as_they_go(kernel: Kernel) -> None:
    plain = Text.from_ansi(kernel.run(STEPS)).plain
    assert plain.startswith("Output()")
    assert {f"{done}/4" for done in range(5)} == set(re.findall(r"\d/4", plain))
