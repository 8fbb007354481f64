"""Execution of a notebook as a stage: with checked parameters, to a normalised notebook or one error message."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import nbformat
import papermill
import psutil
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from rich.console import Console
from traitlets.config import Config

from songgenre import params, progress
from songgenre.atomic import replacing
from songgenre.errors import ERRNO_HINTS, HINT_MEMORY, HINT_RERUN, UserError
from songgenre.models.pipelines import check_models
from songgenre.notebook.normalise import normalize
from songgenre.notebook.parameters import find_differences, find_notebook, parameters_cell, section_of
from songgenre.notebook.provenance import inputs_and_versions, publish, run_environment
from songgenre.notebook.stage import STAGE_VARIABLE
from songgenre.paths import Project
from songgenre.redaction import redact
from songgenre.runtime.temporary import temporary_folder
from songgenre.sources.own_music import check_source

KERNEL_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "SKLEARN_WORKING_MEMORY": "128",
}
"""Environment of every kernel.

The number of OpenBLAS threads determines the order of sums, and thus the last bits. The working memory, in MiB, is that
of a block of distances of nearest neighbors; their sorted indices need as much again.
"""
BFLOAT16_ENVIRONMENT = {"ONEDNN_MAX_CPU_ISA": "ALL"}
"""Additional environment for training in bfloat16.

On processors with AVX-512, TensorFlow calls convolutions in bfloat16, which oneDNN does not have when limited to AVX2.
"""
SHORT_OF_MEMORY = ("BrokenProcessPool", "MemoryError", "ResourceExhaustedError", "TerminatedWorkerError")
"""Errors whose probable cause is a lack of memory."""


def run(project: Project, name: str, console: Console) -> None:
    """Execute a notebook with its section of ``params.yaml``.

    The function writes the executed notebook to ``reports/notebooks/<name>.ipynb``, and commit, machine, time and
    memory to ``reports/logs/<name>.json``. A notebook that fails is written to ``reports/failed/``.

    Parameters
    ----------
    project : Project
        Project of the notebook.
    name : str
        Name of the notebook, for example ``"04_features"``; the part behind the number is the name of its section.
    console : rich.console.Console
        Console on which progress is drawn.

    Raises
    ------
    UserError
        If the notebook is missing, a parameter is not valid, a cell fails, the kernel dies or the run is interrupted.
    OSError
        If the reports cannot be written.
    """
    source = find_notebook(project, name)
    settings = params.load_params(project.params)
    check_source(project, settings.scraping)
    parameters = settings.section(section_of(name))
    _check_parameters(source, parameters)
    check_models(settings.sklearn)
    for path in (project.executed(name), project.log(name)):
        _check_that_it_is_writable(path.parent)
    for difference in find_differences(project, name, settings):
        console.print(f"{name}: {difference}, which is used", highlight=False, markup=False)
    project.failed(name).unlink(missing_ok=True)
    bfloat16 = settings.cnn.hardware.precision == "mixed_bfloat16"
    environment = KERNEL_ENVIRONMENT | (BFLOAT16_ENVIRONMENT if bfloat16 else {}) | {STAGE_VARIABLE: name}
    with temporary_folder() as folder, progress.listening(console, folder / "progress") as address:
        executed = folder / source.name
        with _environment(environment | address), _interruptible(), _measure(project, name, console):
            try:
                papermill.execute_notebook(
                    source,
                    executed,
                    parameters,
                    kernel_name="python3",
                    language="python",
                    cwd=project.notebooks,
                    progress_bar=False,
                    log_output=False,
                    config=_local_kernel(folder),
                )
            except PapermillExecutionError as error:
                if error.ename == "KeyboardInterrupt":
                    raise UserError(_explain_interrupt(name)) from None
                _save(executed, project.failed(name))
                raise UserError(_explain(error, name, project)) from None
            except DeadKernelError:
                _save(executed, project.failed(name))
                raise UserError(f"{_explain_death(name)}\n{_explain_where(name, project)}") from None
            except RuntimeError as error:
                if "Kernel died" not in str(error):
                    raise
                raise UserError(f"{_explain_death(name)} No cell was executed.") from None
            except KeyboardInterrupt:
                raise UserError(_explain_interrupt(name)) from None
        _save(executed, project.executed(name), songgenre=inputs_and_versions(project, name))
    publish(project)


def _check_parameters(source: Path, parameters: Mapping[str, Any]) -> None:
    defaults = parameters_cell(source)
    if set(defaults) != set(parameters):
        raise UserError(
            f"{source}: the parameters cell declares {', '.join(sorted(defaults))}. "
            f"Declare the parameters of its section in params.yaml: {', '.join(sorted(parameters))}."
        )


def _local_kernel(folder: Path) -> Config:
    """Keep the sockets and the connection file of the kernel in a folder that only this user can open."""
    files = Config(transport="ipc", ip=str(folder / "kernel"), connection_file=str(folder / "kernel.json"))
    return Config(KernelManager=files)


def _check_that_it_is_writable(folder: Path) -> None:
    """Check that a folder is writable before hours of work depend on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


class _Loop(asyncio.SelectorEventLoop):
    """Event loop in which Ctrl-C raises KeyboardInterrupt.

    With the handler of nbclient, Ctrl-C would end the kernel, and the error would be that of a dead kernel.
    """

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        """Refuse, as loops of other threads do; nbclient accepts this error."""
        raise RuntimeError("Only the main thread handles signals")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Ignore the error of the interrupted cell, because no task waits for the cell any more."""
        if not isinstance(context.get("exception"), CellExecutionError):
            super().call_exception_handler(context)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Make nbclient run in a `_Loop`."""
    before = asyncio.get_event_loop_policy()
    policy = asyncio.DefaultEventLoopPolicy()
    policy._loop_factory = _Loop  # type: ignore[attr-defined]
    asyncio.set_event_loop_policy(policy)
    try:
        yield
    finally:
        asyncio.set_event_loop_policy(before)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ |= variables
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def _save(executed: Path, path: Path, **metadata: Any) -> None:
    notebook = nbformat.from_dict(_redact_texts(normalize(nbformat.read(executed, as_version=4))))
    notebook.metadata |= metadata
    with replacing(path) as partial:
        nbformat.write(notebook, partial)


def _redact_texts(content: Any) -> Any:
    """Redact secrets in all texts of a notebook's nested content."""
    if isinstance(content, str):
        return redact(content)
    if isinstance(content, dict):
        return {key: _redact_texts(value) for key, value in content.items()}
    return [_redact_texts(item) for item in content] if isinstance(content, list) else content


def _explain(error: PapermillExecutionError, name: str, project: Project) -> str:
    return "\n".join(
        [
            f"{name}: code cell {error.exec_count} failed with {error.ename}: {error.evalue}",
            *_hints(error),
            _explain_where(name, project),
        ]
    )


def _explain_interrupt(name: str) -> str:
    return f"{name}: interrupted. {HINT_RERUN}"


def _explain_death(name: str) -> str:
    return f"The kernel of {name}, the process that executes its cells, died. {HINT_MEMORY}"


def _explain_where(name: str, project: Project) -> str:
    return f"The cells that were executed are in {project.failed(name)}."


def _hints(error: PapermillExecutionError) -> list[str]:
    """Select a hint, if the cause is the system and not the notebook."""
    if error.ename.endswith(SHORT_OF_MEMORY):
        return [HINT_MEMORY]
    numbers = map(int, re.findall(r"\[Errno (\d+)\]", error.evalue))
    return [ERRNO_HINTS[number] for number in numbers if number in ERRNO_HINTS]


@contextmanager
def _measure(project: Project, name: str, console: Console) -> Iterator[None]:
    """Log commit, machine, time, and the peak memory of the processes that are started within the context."""
    facts: dict[str, Any] = dict(run_environment(project))
    started, clock = datetime.now(UTC), time.perf_counter()
    peak, finished = [0], threading.Event()
    others = set(psutil.Process().children(recursive=True))
    watcher = threading.Thread(target=_watch_memory, args=(peak, finished, others))
    watcher.start()
    try:
        yield
        facts["finished"] = True
    finally:
        finished.set()
        watcher.join()
        seconds, mib = time.perf_counter() - clock, peak[0] / 2**20
        console.print(f"{name}: {seconds:.0f} s, at most {mib:.0f} MiB of anonymous memory")
        facts |= {
            "started": started.isoformat(),
            "seconds": round(seconds, 1),
            "peak_anonymous_mib": round(mib),
        }
        with replacing(project.log(name)) as partial:
            partial.write_text(json.dumps(facts, indent=2) + "\n")


def _watch_memory(peak: list[int], finished: threading.Event, others: set[psutil.Process]) -> None:
    while not finished.wait(0.2):
        peak[0] = max(peak[0], sum(map(_anonymous_memory, set(psutil.Process().children(recursive=True)) - others)))


def _anonymous_memory(process: psutil.Process) -> int:
    """Read the anonymous resident memory of a process in bytes; on systems without this number, all resident memory."""
    try:
        status = Path(f"/proc/{process.pid}/status")
        if not status.exists():
            return int(process.memory_info().rss)
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields.get("RssAnon", "0 kB").split()[0]) * 1024
    except (psutil.NoSuchProcess, OSError):
        return 0
