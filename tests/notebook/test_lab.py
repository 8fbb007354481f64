"""The kernel that `make lab` starts: that of the pipeline, and it takes up what is edited."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from rich.text import Text

from songgenre.notebook.runner import KERNEL_ENVIRONMENT

ROOT = Path(__file__).parents[2]
Run = Callable[[str], str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    """Run code in a kernel started as `make lab` does; gives all that it puts out."""
    recipe = subprocess.check_output(
        ["make", "--no-print-directory", "--dry-run", "lab"], cwd=ROOT, text=True
    ).splitlines()[-1]
    named = re.search(r"JUPYTER_PATH=(\S+) jupyter lab", recipe)
    assert named
    monkeypatch.setenv("JUPYTER_PATH", named[1])
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for name in KERNEL_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    manager, client = start_new_kernel(startup_timeout=120, kernel_name="python3", cwd=tmp_path)

    def execute(code: str) -> str:
        put_out = io.StringIO()

        def note(message: dict[str, Any]) -> None:
            content = message["content"]
            put_out.write(content.get("text", "") or content.get("data", {}).get("text/plain", ""))

        reply = client.execute_interactive(code, output_hook=note, timeout=120)
        assert reply["content"]["status"] == "ok", reply["content"]
        return put_out.getvalue()

    yield execute
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_kernel_is_that_of_the_pipeline(run: Run) -> None:
    assert run("import sys; print(sys.executable)").strip() == sys.executable
    said = json.loads(run(f"import json, os; print(json.dumps([os.environ[n] for n in {list(KERNEL_ENVIRONMENT)}]))"))
    assert said == list(KERNEL_ENVIRONMENT.values())


def test_module_that_is_edited_is_reloaded_without_a_word_in_the_notebook(run: Run, tmp_path: Path) -> None:
    module = tmp_path / "edited.py"
    module.write_text("def answer():\n    return 1\n")
    assert run("from edited import answer; print(answer())") == "1\n"
    module.write_text("def answer():\n    return 40 + 2\n")
    os.utime(module, (2e9, 2e9))
    assert run("print(answer())") == "42\n"


def test_long_steps_are_drawn_as_they_go(run: Run) -> None:
    drawn = run(
        "import time\nfrom songgenre.progress import track\n"
        "for _ in track(range(4), 'decoding', total=4):\n    time.sleep(0.3)"
    )
    plain = Text.from_ansi(drawn).plain
    assert plain.startswith("Output()")
    assert {f"{done}/4" for done in range(5)} == set(re.findall(r"\d/4", plain))
