"""Every stage, disturbed: it says what is wrong, leaves nothing half done, and the next run is as if nothing was."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil
import pytest
from ruamel.yaml import YAML

from songgenre.paths import Project

if TYPE_CHECKING:
    from conftest import Clone

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
GENRES = ["Blues", "Pop"]
ARTISTS, SONGS = 5, 6
SECONDS, SR = 4, 22_050
PATIENCE_S = 120
FOLDERS = ["data/raw", "data/clean", "data/features", "data/pretrained", "models", "reports/notebooks", "reports/html"]
FOLDERS += ["reports/metrics", "reports/plots", "reports/predictions"]

WRITES = {
    "scraping": "data/raw",
    "wrangling": "data/clean",
    "eda": "reports/notebooks",
    "features": "data/features",
    "sklearn": "models",
    "cnn": "models",
    "transfer": "data/features",
    "evaluation": "reports/notebooks",
}
"""Where each stage writes first; nothing there is read by it."""

WITHOUT_NOTEBOOK = {"pretrained": "data/pretrained", "report": "reports/html"}
"""What the stages write whose command runs no notebook."""

LEFT_FREE = 512 * 1024
"""Bytes: enough for what DVC notes, too little for what a stage writes."""

SETTINGS: dict[str, dict[str, Any]] = {
    "wrangling": {"min_duration_s": 3.0, "clip_duration_s": 4.0},
    "eda": {"compared_genres": GENRES, "songs_per_genre": 1},
    "features": {"family": "study"},
    "sklearn": {
        "folds": 2,
        "repeats": 1,
        "grids": {"baseline": {}, "logistic_regression": {"C": [0.01]}},
        "voters": [],
        "importance_repeats": 1,
    },
    "cnn": {"epochs": 1, "ablation_epochs": 1},
    "transfer": {"folds": 2, "repeats": 1, "shrinkage": [0.2]},
    "evaluation": {"ensemble": ["logistic_regression", "cnn"], "bootstrap_samples": 100},
}


@pytest.fixture(scope="module")
def clone(
    fresh_clone: "Callable[[], Clone]",
    tmp_path_factory: pytest.TempPathFactory,
    melody: Callable[..., np.ndarray],
    write_audio: Callable[..., Path],
) -> "Clone":
    """A clone that has built everything on sixty short songs, without a disturbance."""
    music = tmp_path_factory.mktemp("music")
    rows = []
    for number, genre in enumerate(GENRES):
        for song in range(ARTISTS * SONGS):
            write_audio(music / genre / f"{song}.ogg", melody(100 * number + song, SECONDS))
            rows.append((f"{genre}/{song}.ogg", genre, f"{genre} band {song % ARTISTS}"))
    pd.DataFrame(rows, columns=["file", "genre", "artist"]).to_csv(music / "tracks.csv", index=False)
    clone = fresh_clone()
    if (ROOT / "data" / "cache" / "wheels").is_dir():
        shutil.copytree(ROOT / "data" / "cache" / "wheels", clone.root / "data" / "cache" / "wheels")
    yaml = YAML()
    content = yaml.load(clone.root / "params.yaml")
    content["scraping"] |= {"source": "folder", "folder": str(music)}
    for section, settings in SETTINGS.items():
        content[section] |= settings
    content["cnn"]["sampling"] |= {"crops_per_song": 1, "crop_frames": 64}
    content["cnn"]["network"]["widths"] = [4]
    yaml.dump(content, clone.root / "params.yaml")
    clone.run("dvc", "repro")
    return clone


@pytest.fixture(scope="module")
def undisturbed(clone: "Clone") -> dict[str, Any]:
    return clone.written(*FOLDERS)


@contextmanager
def mounted(*command: str, at: Path) -> Iterator[None]:
    """Something else in the place of a folder; what is in the folder is out of sight in the meantime."""
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *command, str(at)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"Cannot mount here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A disk of one page, so that nothing longer can be written."""
    with mounted("-t", "tmpfs", "-o", "size=4k", "tmpfs", at=folder):
        yield


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Also for root, who may write where permissions say otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    with mounted("--bind", "-o", "ro", str(folder), at=folder):
        yield


def start(clone: "Clone", stage: str) -> "subprocess.Popen[str]":
    """One stage, in a process group of its own, as in a terminal."""
    return subprocess.Popen(
        ["dvc", "repro", "--single-item", stage],
        cwd=clone.root,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which is ignored where tests run unattended
    )


def kernel(process: "subprocess.Popen[str]") -> psutil.Process:
    """The process that runs the cells, once it is there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                if "ipykernel_launcher" in child.cmdline():
                    return child
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.02)
    raise TimeoutError("no kernel has started")


def end(process: "subprocess.Popen[str]") -> str:
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0, said
    assert "Traceback" not in said, said
    return said


def with_full_disk(clone: "Clone", stage: str) -> None:
    with full_disk(clone.root / WRITES[stage]):
        said = end(start(clone, stage))
    assert "No space left on device" in said or "rror 28" in said, said
    assert "free some space" in said, said


def with_read_only_reports(clone: "Clone", stage: str) -> None:
    with read_only(clone.root / "reports"):
        said = end(start(clone, stage))
    assert "Read-only file system" in said, said
    assert "Make the folder writable" in said, said


def with_ctrl_c(clone: "Clone", stage: str) -> None:
    process = start(clone, stage)
    at_work = kernel(process)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_S)  # the kernel may have last words of its own
    assert process.returncode != 0, said
    assert "was interrupted. Then run the same command again" in said, said
    at_work.wait(PATIENCE_S)


def with_a_killed_kernel(clone: "Clone", stage: str) -> None:
    process = start(clone, stage)
    time.sleep(1)
    kernel(process).kill()
    said = end(process)
    assert "the process that runs its cells, died" in said, said
    assert "for want of memory" in said, said


def with_everything_killed(clone: "Clone", stage: str) -> None:
    """Nobody is left to say why, nor to remove what was half written under another name."""
    process = start(clone, stage)
    at_work = kernel(process)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    at_work.wait(PATIENCE_S)


EVERYWHERE = [with_full_disk, with_a_killed_kernel]
BY_TURNS = [with_everything_killed, with_ctrl_c, with_read_only_reports]
"""One more for each stage: what is done about these does not know of stages."""


@pytest.mark.parametrize("stage", WRITES)
def test_disturbed_stage_says_why_and_the_next_run_is_as_if_nothing_was(
    clone: "Clone", undisturbed: dict[str, Any], stage: str
) -> None:
    outs = tuple(clone.forget(stage))
    others = {path: known for path, known in undisturbed.items() if not path.startswith(outs) and path != "dvc.lock"}
    for disturb in [*EVERYWHERE, BY_TURNS[list(WRITES).index(stage) % len(BY_TURNS)]]:
        disturb(clone, stage)
        left = {path: known for path, known in clone.written(*FOLDERS).items() if ".partial" not in path}
        assert stage not in left.pop("dvc.lock")["stages"]
        assert left == {path: known for path, known in undisturbed.items() if path in left and path != "dvc.lock"}
        assert left.keys() >= others.keys()
    said = clone.run("dvc", "repro")
    assert f"Running stage '{stage}'" in said
    assert clone.written(*FOLDERS) == undisturbed
    assert [path.name for path in clone.root.glob("reports/failed/*")] == []


def command(process: "subprocess.Popen[str]", out: Path) -> psutil.Process:
    """The process of a stage without a notebook, once it has begun to write."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        partial = next(out.parent.glob(f".{out.name}.*.partial"), None)
        if partial is not None:
            return psutil.Process(int(partial.suffixes[-2][1:]))
        time.sleep(0.02)
    raise TimeoutError(f"nothing is written to {out}")


@pytest.mark.parametrize("stage", WITHOUT_NOTEBOOK)
def test_disturbed_stage_without_a_notebook_too(clone: "Clone", undisturbed: dict[str, Any], stage: str) -> None:
    out = clone.root / WITHOUT_NOTEBOOK[stage]
    for disturbance in (signal.SIGINT, signal.SIGKILL):
        clone.forget(stage)
        process = start(clone, stage)
        at_work = command(process, out)
        os.killpg(process.pid, disturbance)
        said, _ = process.communicate(timeout=PATIENCE_S)
        at_work.wait(PATIENCE_S)
        assert process.returncode != 0
        assert "Traceback" not in said, said
        assert not out.exists()
    clone.run("dvc", "repro")
    assert clone.written(*FOLDERS) == undisturbed
    assert list(out.parent.glob("*.partial")) == []


@pytest.mark.parametrize("stage", WITHOUT_NOTEBOOK)
def test_disk_that_fills_up_in_a_stage_without_a_notebook(
    clone: "Clone", undisturbed: dict[str, Any], stage: str, tmp_path: Path
) -> None:
    """The stage reads from the folder that it writes to, so the whole clone is on that disk."""
    disk = tmp_path / "disk"
    with mounted("-t", "tmpfs", "tmpfs", at=disk):
        there = type(clone)(disk / "clone")
        shutil.copytree(clone.root, there.root, symlinks=True, ignore=shutil.ignore_patterns("kernel-ipc-*"))
        there.forget(stage)
        subprocess.run(["mount", "-o", f"remount,size={shutil.disk_usage(disk).used + LEFT_FREE}", disk], check=True)
        said = end(start(there, stage))
        assert "free some space" in said, said
        assert not (there.root / WITHOUT_NOTEBOOK[stage]).exists()
        subprocess.run(["mount", "-o", "remount,size=50%", disk], check=True)
        there.run("dvc", "repro")
        assert there.written(*FOLDERS) == undisturbed


def test_corrupted_file_of_the_cache_is_found_and_made_again(clone: "Clone", undisturbed: dict[str, Any]) -> None:
    outs = undisturbed["dvc.lock"]["stages"]["wrangling"]["outs"]
    [md5] = [out["md5"] for out in outs if out["path"] == "data/clean/tracks.parquet"]
    cached = clone.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    content = bytearray(cached.read_bytes())
    content[len(content) // 2] ^= 255
    cached.chmod(0o644)
    cached.write_bytes(content)
    Project(clone.root).tracks.unlink()
    assert "Running stage 'wrangling'" in clone.run("dvc", "repro")
    assert clone.written(*FOLDERS) == undisturbed
    assert hashlib.md5(cached.read_bytes()).hexdigest() == md5


def test_second_run_at_the_same_time_says_who_is_at_work(clone: "Clone", undisturbed: dict[str, Any]) -> None:
    clone.forget("wrangling")
    first = start(clone, "wrangling")
    kernel(first)
    second = subprocess.run(["dvc", "repro"], cwd=clone.root, env=ENVIRONMENT, capture_output=True, text=True)
    assert second.returncode != 0
    assert "is busy, it is being blocked by" in second.stderr
    assert f"(PID {first.pid}): " in second.stderr
    said, _ = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0, said
    clone.run("dvc", "repro")
    assert clone.written(*FOLDERS) == undisturbed
