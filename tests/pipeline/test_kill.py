"""Collecting and cleaning, killed at any moment: run again, it gives the same bytes as if nothing had happened."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
import pytest

from songgenre.paths import Project

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.slow
SETTINGS = [
    "scraping.demo.songs_per_genre=6",
    "scraping.demo.artists_per_genre=6",
    "sklearn.folds=4",
    "sklearn.grids.k_nearest_neighbours.n_neighbors=[3]",
    "transfer.folds=4",
]
SONGS = 50
WAIT_S = 300


class Run(NamedTuple):
    """A run of the pipeline in a session of its own, and the file with what it says."""

    process: subprocess.Popen[bytes]
    said: Path

    def processes(self) -> list[psutil.Process]:
        """All that belong to it, also those that are in other sessions."""
        dvc = psutil.Process(self.process.pid)
        return [dvc, *dvc.children(recursive=True)]


class Moment(NamedTuple):
    """When to kill which stage."""

    stage: str
    has_come: Callable[[Project, str], bool]


def is_there(songs: int) -> Callable[[Project, str], bool]:
    return lambda project, said: len(list(project.downloads.glob("*/*.mp3"))) >= songs


MOMENTS = {
    "the first song has come": Moment("scraping", is_there(1)),
    "half of the songs have come": Moment("scraping", is_there(SONGS // 2)),
    "the audio is in place, the catalogue is not": Moment("scraping", lambda project, said: project.audio.is_dir()),
    "the decoding begins": Moment("wrangling", lambda project, said: "decoding: 0/" in said),
    "the first of the two tables is written": Moment("wrangling", lambda project, said: project.tracks.is_file()),
}


@pytest.fixture(scope="module")
def clone(fresh_clone: "Callable[..., Clone]") -> "Clone":
    """A clone that has collected and cleaned a small corpus without a disturbance."""
    clone = fresh_clone()
    clone.run("dvc", "exp", "run", *(f"--set-param={setting}" for setting in SETTINGS), "wrangling")
    return clone


@pytest.fixture(scope="module")
def undisturbed(clone: "Clone") -> dict[str, Any]:
    return clone.written("data", "reports/notebooks")


def run_until(moment: Moment, clone: "Clone", said: Path) -> Run:
    """Start the pipeline; it is still at work in the moment when this returns."""
    clone.forget(moment.stage)
    with said.open("w") as output:
        process = subprocess.Popen(
            ["dvc", "repro", "wrangling"],
            cwd=clone.root,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + WAIT_S
    while not moment.has_come(Project(clone.root), said.read_text()):
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.005)
    return Run(process, said)


def at_work(processes: list[psutil.Process]) -> list[str]:
    """Those that have not ended; one that has may stay as a zombie where nobody asks how."""
    alive = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(" ".join(process.cmdline()))
        except psutil.NoSuchProcess:
            continue
    return alive


def assert_runs_again(clone: "Clone", stage: str, undisturbed: dict[str, Any]) -> None:
    said = clone.run("dvc", "repro", "wrangling")
    assert f"Running stage '{stage}'" in said
    assert clone.written("data", "reports/notebooks") == undisturbed


@pytest.mark.parametrize(
    "name",
    [
        "the first song has come",
        "the audio is in place, the catalogue is not",
        "the first of the two tables is written",
    ],
)
def test_killed_with_all_that_it_started_it_runs_again(
    clone: "Clone", undisturbed: dict[str, Any], tmp_path: Path, name: str
) -> None:
    run = run_until(MOMENTS[name], clone, tmp_path / "said")
    processes = run.processes()
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()
    assert_runs_again(clone, MOMENTS[name].stage, undisturbed)
    assert at_work(processes) == []


@pytest.mark.parametrize("name", ["half of the songs have come", "the decoding begins"])
def test_processes_of_a_killed_runner_end_by_themselves(
    clone: "Clone", undisturbed: dict[str, Any], tmp_path: Path, name: str
) -> None:
    run = run_until(MOMENTS[name], clone, tmp_path / "said")
    processes = run.processes()
    [runner] = [process for process in processes if process.cmdline()[-3:-1] == ["notebook", "run"]]
    assert any("ipykernel_launcher" in process.cmdline() for process in processes)
    runner.kill()
    deadline = time.monotonic() + WAIT_S
    while at_work(processes) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert at_work(processes) == []
    assert run.process.wait() != 0
    assert_runs_again(clone, MOMENTS[name].stage, undisturbed)
