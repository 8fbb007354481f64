"""Stages killed at random moments, and two at once, end in the same files. `SONGGENRE_SOAK=10` tries ten times more."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from itertools import cycle, islice, product
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.slow
FACTOR = int(os.environ.get("SONGGENRE_SOAK", "1"))
STAGES = ["scraping", "sklearn"]
FOLDERS = ["data/raw", "models/sklearn", "reports/notebooks", "reports/metrics", "reports/predictions"]
WAIT_S = 300
LONGEST_S = 7
"""Last moment of a kill; a stage takes a little longer."""

SIGNALS = [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP]
RECIPIENTS: dict[str, Callable[[int, int], None]] = {"dvc": os.kill, "all": os.killpg}
KILLS = [kill for kill in product(SIGNALS, RECIPIENTS) if kill != (signal.SIGINT, "dvc")]
"""DVC leaves Ctrl-C to the command of the stage, which gets it from the terminal."""


def start(clone: "Clone", stage: str, temporary: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["dvc", "repro", "--single-item", stage],
        cwd=clone.root,
        env=os.environ | {"TMPDIR": str(temporary), "NO_COLOR": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # SIGINT is ignored where tests run in the background
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def left(temporary: Path) -> list[psutil.Process]:
    """The processes that were started with a temporary folder, by whomever."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(temporary) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_killed_stages_and_two_at_once_end_in_the_same_files(
    small: "Clone", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = small.copy(tmp_path / "clone")
    undisturbed = clone.written(*FOLDERS)
    chance = random.Random(FACTOR)
    outcomes: Counter[str] = Counter()
    kills = islice(cycle(KILLS), 3 * FACTOR)
    for number, (how, recipient) in enumerate(kills):
        stage = STAGES[number % len(STAGES)]
        temporary = tmp_path / f"t{number}"
        temporary.mkdir()
        clone.forget(stage)
        run = start(clone, stage, temporary)
        time.sleep(chance.uniform(0.5, LONGEST_S))
        is_over = run.poll() is not None
        if not is_over:
            RECIPIENTS[recipient](run.pid, how)
        run.communicate(timeout=WAIT_S)
        deadline = time.monotonic() + 30
        while (alive := left(temporary)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert alive == [], (how, recipient, stage)
        folders = [path.name for path in temporary.iterdir()]
        assert folders == [] or (how == signal.SIGKILL and all(name.startswith("songgenre-run-") for name in folders))
        outcomes["over before" if is_over else f"{how.name} to {recipient}"] += 1
        outcomes["folders left for the next command"] += len(folders)
    for number, stage in enumerate(islice(cycle(STAGES), FACTOR)):
        temporary = tmp_path / f"two{number}"
        temporary.mkdir()
        clone.forget(stage)
        both = [start(clone, stage, temporary) for _ in range(2)]
        errors = [run.communicate(timeout=WAIT_S)[1] for run in both]
        if 0 in [run.returncode for run in both]:
            outcomes["two at once"] += 1
        else:
            assert any("is being blocked by" in error for error in errors), errors
            outcomes["two at once, both refused by DVC"] += 1
    clone.run("dvc", "repro")
    assert clone.written(*FOLDERS) == undisturbed
    assert list(clone.root.rglob("*.partial")) == []
    with capsys.disabled():
        print(f"\nstages: {dict(outcomes)}; the files and dvc.lock are the same")
