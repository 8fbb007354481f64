"""A stage, disturbed: it says what is wrong, leaves nothing half done, and the next run is as if nothing was."""

import hashlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
import pytest

from songgenre.paths import Project

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration
WAIT_S = 300
FOLDERS = ["data/raw", "data/clean", "data/features", "data/pretrained", "models", "reports/notebooks", "reports/html"]
FOLDERS += ["reports/metrics", "reports/plots", "reports/predictions"]

CHEAP = "wrangling"
AT_WORK = "decoding: 0/"
"""What this stage prints when its cells run."""

WRITES = {
    "scraping": "data/raw",
    CHEAP: "data/clean",
    "eda": "reports/notebooks",
    "features": "data/features",
    "sklearn": "models",
    "cnn": "models",
    "transfer": "data/features",
    "evaluation": "reports/notebooks",
}
"""A folder in which each stage writes; nothing there is read by it, but for `READ`."""

READ = "data/raw/folder.json"
"""What the stage scraping reads in the folder that it writes."""

WITHOUT_NOTEBOOK = {"pretrained": "data/pretrained", "report": "reports/html"}
"""What the stages write whose command runs no notebook."""

LEFT_FREE = 512 * 1024
"""Bytes: enough for what DVC notes, too little for what a stage writes."""

MOUNTS = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc"]
"""Run a script that may mount, in a namespace of its own; nobody else sees it, and it needs no root."""


class Run(NamedTuple):
    """A command in a process group of its own, as in a terminal, and the file with what it prints."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def printed(self) -> str:
        return self.log.read_text()

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.02)
        return found

    def fail(self) -> str:
        """Wait for its end, and give what it printed."""
        assert self.process.wait(WAIT_S) != 0, self.printed()
        return self.printed()


@pytest.fixture(scope="module")
def clone(small: "Clone", tmp_path_factory: pytest.TempPathFactory) -> "Clone":
    return small.copy(tmp_path_factory.mktemp("faults") / "clone")


@pytest.fixture(scope="module")
def undisturbed(clone: "Clone") -> dict[str, Any]:
    return clone.written(*FOLDERS)


@pytest.fixture(scope="module")
def namespaces() -> None:
    """Mounts that need no root."""
    if subprocess.run([*MOUNTS, "mount -t tmpfs tmpfs /mnt"], capture_output=True).returncode != 0:
        pytest.skip("This system lets nobody but root mount, not even in a namespace")


@pytest.fixture
def start(clone: "Clone", tmp_path: Path) -> "Iterator[Callable[..., Run]]":
    """Start one stage, with something mounted and environment variables if that is asked for; it ends with the test."""
    started = []

    def begin(stage: str, mounts: str = "", **variables: str) -> Run:
        command = ["dvc", "repro", "--single-item", stage]
        if mounts:
            command = [*MOUNTS, f'{mounts}; exec "$@"', "sh", *command]
        log = tmp_path / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=clone.root,
                env=os.environ | {"NO_COLOR": "1"} | variables,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # SIGINT is ignored where tests run in the background
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        started.append(process)
        return Run(process, log)

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def kernel(run: Run) -> psutil.Process | None:
    """The process that runs the cells, if it is there."""
    for child in psutil.Process(run.process.pid).children(recursive=True):
        try:
            if "ipykernel_launcher" in child.cmdline():
                return child
        except psutil.NoSuchProcess:
            continue
    return None


def at_work(run: Run) -> psutil.Process:
    """The process that runs the cells, while it does."""
    return run.wait_for(lambda: AT_WORK in run.printed() and kernel(run))


def with_full_disk(start: "Callable[..., Run]", stage: str) -> None:
    mount = f"mount -t tmpfs -o size=4k tmpfs {WRITES[stage]}"
    said = start(stage, f"exec 3< {READ}; {mount}; test -e {READ} || cat <&3 > {READ}").fail()
    assert re.search("No space left on device|rror 28", said), said
    assert "free some space" in said, said
    assert "Traceback" not in said, said


def with_read_only_reports(start: "Callable[..., Run]", stage: str) -> None:
    said = start(stage, "mount --bind reports reports && mount -o remount,bind,ro reports").fail()
    assert "Read-only file system" in said, said
    assert "writable" in said, said
    assert "Traceback" not in said, said


def with_ctrl_c(start: "Callable[..., Run]", stage: str) -> None:
    run = start(stage)
    process = at_work(run)
    os.killpg(run.process.pid, signal.SIGINT)
    assert "interrupted" in run.fail(), run.printed()  # the kernel may have last words of its own
    process.wait(WAIT_S)


def with_a_killed_kernel(start: "Callable[..., Run]", stage: str) -> None:
    run = start(stage)
    at_work(run).kill()
    said = run.fail()
    assert re.search("kernel .*died", said), said
    assert "memory" in said, said
    assert "Traceback" not in said, said


def with_all_but_the_kernel_killed(start: "Callable[..., Run]", stage: str) -> None:
    """Nobody is left to say why, nor to remove what was half written under another name; the kernel has to notice."""
    run = start(stage)
    process = at_work(run)
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait(WAIT_S)
    process.wait(WAIT_S)


def with_dvc_alone_killed(start: "Callable[..., Run]", stage: str, **variables: str) -> None:
    """The command of the stage is left behind, and would write while the next run does."""
    run = start(stage, **variables)
    process = at_work(run)
    process.suspend()  # else the cells may end before the stage notices
    family = psutil.Process(run.process.pid).children(recursive=True)
    os.kill(run.process.pid, signal.SIGTERM)
    run.process.wait(WAIT_S)
    assert psutil.wait_procs(family, timeout=WAIT_S)[1] == [], run.printed()
    assert "interrupted" in run.printed()


def with_dvc_alone_killed_above_a_shell(start: "Callable[..., Run]", stage: str) -> None:
    """Some shells, such as dash in Debian 11, wait for a command instead of being replaced by it."""
    with tempfile.TemporaryDirectory() as folder:
        shell = Path(folder, "shell")
        shell.write_text('#!/bin/sh\n/bin/sh "$@"\nexit $?\n')
        shell.chmod(0o755)
        with_dvc_alone_killed(start, stage, SHELL=str(shell))


def assert_next_run_is_as_if_nothing_was(clone: "Clone", undisturbed: dict[str, Any], stage: str) -> None:
    assert f"Running stage '{stage}'" in clone.run("dvc", "repro")
    assert clone.written(*FOLDERS) == undisturbed
    assert list(clone.root.glob("reports/failed/*")) == []
    assert clone.run("git", "status", "--porcelain", "--", "notebooks") == ""


def assert_nothing_is_half_done(clone: "Clone", undisturbed: dict[str, Any], stage: str, outs: list[str]) -> None:
    others = {path for path in undisturbed if not path.startswith(tuple(outs))} - {"dvc.lock"}
    left = {path: known for path, known in clone.written(*FOLDERS).items() if ".partial" not in path}
    assert stage not in left.pop("dvc.lock")["stages"]
    assert left == {path: undisturbed.get(path) for path in left}
    assert left.keys() >= others


def test_stopped_stage_says_why_and_the_next_run_is_as_if_nothing_was(
    clone: "Clone", undisturbed: dict[str, Any], start: "Callable[..., Run]"
) -> None:
    outs = clone.forget(CHEAP)
    for disturb in (
        with_ctrl_c,
        with_a_killed_kernel,
        with_all_but_the_kernel_killed,
        with_dvc_alone_killed,
        with_dvc_alone_killed_above_a_shell,
    ):
        disturb(start, CHEAP)
        assert_nothing_is_half_done(clone, undisturbed, CHEAP, outs)
    assert_next_run_is_as_if_nothing_was(clone, undisturbed, CHEAP)


@pytest.mark.usefixtures("namespaces")
def test_stage_that_cannot_write_says_why_and_leaves_nothing_half_done(
    clone: "Clone", undisturbed: dict[str, Any], start: "Callable[..., Run]"
) -> None:
    outs = clone.forget(CHEAP)
    for disturb in (with_full_disk, with_read_only_reports):
        disturb(start, CHEAP)
        assert_nothing_is_half_done(clone, undisturbed, CHEAP, outs)
    assert_next_run_is_as_if_nothing_was(clone, undisturbed, CHEAP)


@pytest.mark.slow
@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("stage", [stage for stage in WRITES if stage != CHEAP])
def test_full_disk_in_every_other_stage(
    clone: "Clone", undisturbed: dict[str, Any], start: "Callable[..., Run]", stage: str
) -> None:
    outs = clone.forget(stage)
    with_full_disk(start, stage)
    assert_nothing_is_half_done(clone, undisturbed, stage, outs)
    assert_next_run_is_as_if_nothing_was(clone, undisturbed, stage)


def command(out: Path) -> psutil.Process | None:
    """The process of a stage without a notebook, once it has begun to write."""
    partial = next(out.parent.glob(f".{out.name}.*.partial"), None)
    return psutil.Process(int(partial.suffixes[-2][1:])) if partial else None


@pytest.mark.slow
@pytest.mark.parametrize("stage", WITHOUT_NOTEBOOK)
def test_disturbed_stage_without_a_notebook_too(
    clone: "Clone", undisturbed: dict[str, Any], start: "Callable[..., Run]", stage: str
) -> None:
    out = clone.root / WITHOUT_NOTEBOOK[stage]
    for disturbance in (signal.SIGINT, signal.SIGKILL):
        clone.forget(stage)
        run = start(stage)
        process = run.wait_for(lambda: command(out))
        os.killpg(run.process.pid, disturbance)
        assert "Traceback" not in run.fail(), run.printed()
        process.wait(WAIT_S)
        assert not out.exists()
    clone.run("dvc", "repro")
    assert clone.written(*FOLDERS) == undisturbed
    assert list(out.parent.glob("*.partial")) == []


FILLS_UP = """
mount -t tmpfs tmpfs "$1"
cp -a . "$1/clone"
cd "$1/clone"
mount -o "remount,size=$(($(df --output=used -B1 "$1" | tail -1) + $3))" "$1"
if dvc repro --single-item "$2"; then exit 1; fi
test ! -e "$4"
mount -o remount,size=50% "$1"
dvc repro
cp -a . "$5"
"""


@pytest.mark.slow
@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("stage", WITHOUT_NOTEBOOK)
def test_disk_that_fills_up_in_a_stage_without_a_notebook(
    clone: "Clone", undisturbed: dict[str, Any], stage: str, tmp_path: Path
) -> None:
    """The stage reads from the folder that it writes to, so the whole clone is on that disk."""
    (tmp_path / "disk").mkdir()
    there, afterwards = clone.copy(tmp_path / "forgotten"), type(clone)(tmp_path / "afterwards")
    there.forget(stage)
    arguments = [tmp_path / "disk", stage, LEFT_FREE, WITHOUT_NOTEBOOK[stage], afterwards.root]
    said = there.run(*MOUNTS, FILLS_UP, "sh", *map(str, arguments))
    assert "free some space" in said, said
    assert afterwards.written(*FOLDERS) == undisturbed


@pytest.mark.slow
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


@pytest.mark.slow
def test_second_run_at_the_same_time_says_who_is_at_work(
    clone: "Clone", undisturbed: dict[str, Any], start: "Callable[..., Run]"
) -> None:
    clone.forget(CHEAP)
    first = start(CHEAP)
    first.wait_for(lambda: kernel(first))
    os.killpg(first.process.pid, signal.SIGSTOP)
    second = subprocess.run(["dvc", "repro"], cwd=clone.root, capture_output=True, text=True)
    assert second.returncode != 0
    assert f"(PID {first.process.pid}): " in second.stderr
    os.killpg(first.process.pid, signal.SIGCONT)
    assert first.process.wait(WAIT_S) == 0, first.printed()
    clone.run("dvc", "repro")
    assert clone.written(*FOLDERS) == undisturbed
