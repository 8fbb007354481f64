"""Execute a notebook as a stage: typed parameters in, normalised notebook out, or one clear message."""

from __future__ import annotations

import ast
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
from tempfile import TemporaryDirectory, TemporaryFile
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
from songgenre.models.classical import check_grids
from songgenre.notebook.normalise import normalize
from songgenre.notebook.provenance import inputs_and_versions, publish, run_environment
from songgenre.paths import Project
from songgenre.redaction import redact

KERNEL_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
"""With another number of threads, OpenBLAS adds numbers up in another order, and the last bits differ."""
BFLOAT16_ENVIRONMENT = {"ONEDNN_MAX_CPU_ISA": "ALL"}
"""With AVX2 alone oneDNN has no convolution in bfloat16, which TensorFlow asks for where the processor has AVX-512."""
SHORT_OF_MEMORY = ("BrokenProcessPool", "MemoryError", "ResourceExhaustedError", "TerminatedWorkerError")


def run(project: Project, name: str, console: Console) -> None:
    """Execute a notebook with its section of ``params.yaml``.

    Writes ``reports/notebooks/<name>.ipynb`` and, with the commit, the machine, the seconds and the memory it took,
    ``reports/logs/<name>.json``.

    Parameters
    ----------
    project : Project
    name : str
        Of the notebook, for example ``"04_features"``; the part behind the number names its section.
    console : rich.console.Console
        Where progress is drawn.

    Raises
    ------
    UserError
        If there is no such notebook, a parameter is wrong, a cell fails, its kernel dies or it is interrupted. A
        failed notebook is kept under ``reports/failed/``.
    OSError
        If the reports cannot be written.
    """
    source = _source(project, name)
    settings = params.load_params(project.params)
    parameters = settings.section(name.partition("_")[2])
    _check_parameters(source, parameters)
    check_grids(settings.sklearn.grids)
    for path in (project.executed(name), project.log(name)):
        _check_that_it_is_writable(path.parent)
    project.failed(name).unlink(missing_ok=True)
    bfloat16 = settings.cnn.hardware.precision == "mixed_bfloat16"
    environment = KERNEL_ENVIRONMENT | (BFLOAT16_ENVIRONMENT if bfloat16 else {})
    with TemporaryDirectory() as folder, progress.listening(console) as address:
        executed = Path(folder) / source.name
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
                    config=_local_sockets(Path(folder) / "kernel"),
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
                raise UserError(f"{_explain_death(name)} No cell had run.") from None
            except KeyboardInterrupt:
                raise UserError(_explain_interrupt(name)) from None
        _save(executed, project.executed(name), songgenre=inputs_and_versions(project, name))
    publish(project)


def parameters_cell(notebook: Path) -> dict[str, Any]:
    """The parameters that a notebook declares, with their defaults.

    Raises
    ------
    UserError
        If the notebook has no single cell tagged ``parameters``, or it holds anything but literals.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise UserError(f"Expected one cell tagged 'parameters' in {notebook}, got {len(tagged)}.")
    try:
        return {
            statement.targets[0].id: ast.literal_eval(statement.value) for statement in ast.parse(tagged[0].source).body
        }
    except (AttributeError, ValueError):
        raise UserError(f"Expected only `name = literal` in the parameters cell of {notebook}.") from None


def _source(project: Project, name: str) -> Path:
    source = project.notebooks / f"{name}.ipynb"
    if not source.is_file():
        known = ", ".join(path.stem for path in sorted(project.notebooks.glob("*.ipynb")))
        raise UserError(f"Expected the name of a notebook ({known}), got {name!r}.")
    return source


def _check_parameters(source: Path, parameters: Mapping[str, Any]) -> None:
    declared = parameters_cell(source)
    if set(declared) != set(parameters):
        raise UserError(
            f"Expected the parameters cell of {source} to declare {', '.join(sorted(parameters))}, "
            f"as its section of params.yaml does; it declares {', '.join(sorted(declared))}."
        )


def _local_sockets(prefix: Path) -> Config:
    """Connect to the kernel through sockets in a folder that only this user can open."""
    return Config(KernelManager=Config(transport="ipc", ip=str(prefix)))


def _check_that_it_is_writable(folder: Path) -> None:
    """Rather now than after hours of work."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


class _Loop(asyncio.SelectorEventLoop):
    """One in which Ctrl-C raises KeyboardInterrupt, and does not end the kernel as if it had died by itself."""

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        """Refuse, as loops of other threads do; nbclient does without."""
        raise RuntimeError("Signals are left to the main thread")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Say nothing of the cell that was interrupted: nobody waits for it any more."""
        if not isinstance(context.get("exception"), CellExecutionError):
            super().call_exception_handler(context)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have nbclient run in such a loop."""
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
    """Nested content of a notebook without the secrets that are in its texts."""
    if isinstance(content, str):
        return redact(content)
    if isinstance(content, dict):
        return {key: _redact_texts(value) for key, value in content.items()}
    return [_redact_texts(item) for item in content] if isinstance(content, list) else content


def _explain(error: PapermillExecutionError, name: str, project: Project) -> str:
    return "\n".join(
        [
            f"{name} failed in code cell {error.exec_count} with {error.ename}: {error.evalue}",
            *_hints(error),
            _explain_where(name, project),
        ]
    )


def _explain_interrupt(name: str) -> str:
    return f"{name} was interrupted. {HINT_RERUN}"


def _explain_death(name: str) -> str:
    return f"The kernel of {name}, the process that runs its cells, died. {HINT_MEMORY}"


def _explain_where(name: str, project: Project) -> str:
    return f"The notebook as far as it ran is kept in {project.failed(name)}."


def _hints(error: PapermillExecutionError) -> list[str]:
    """What to do, where the system is at fault and not the notebook."""
    if error.ename.endswith(SHORT_OF_MEMORY):
        return [HINT_MEMORY]
    numbers = map(int, re.findall(r"\[Errno (\d+)\]", error.evalue))
    return [ERRNO_HINTS[number] for number in numbers if number in ERRNO_HINTS]


@contextmanager
def _measure(project: Project, name: str, console: Console) -> Iterator[None]:
    """Log the circumstances, and seconds and peak memory of the processes that are started in the meantime."""
    known: dict[str, Any] = dict(run_environment(project))
    started, clock = datetime.now(UTC), time.perf_counter()
    peak, finished = [0], threading.Event()
    others = set(psutil.Process().children(recursive=True))
    watcher = threading.Thread(target=_watch_memory, args=(peak, finished, others))
    watcher.start()
    try:
        yield
        known["finished"] = True
    finally:
        finished.set()
        watcher.join()
        seconds, mib = time.perf_counter() - clock, peak[0] / 2**20
        console.print(f"{name}: {seconds:.0f} s, at most {mib:.0f} MiB of anonymous memory")
        known |= {
            "started": started.isoformat(),
            "seconds": round(seconds, 1),
            "peak_anonymous_mib": round(mib),
        }
        with replacing(project.log(name)) as partial:
            partial.write_text(json.dumps(known, indent=2) + "\n")


def _watch_memory(peak: list[int], finished: threading.Event, others: set[psutil.Process]) -> None:
    while not finished.wait(0.2):
        peak[0] = max(peak[0], sum(map(_anonymous_memory, set(psutil.Process().children(recursive=True)) - others)))


def _anonymous_memory(process: psutil.Process) -> int:
    """Anonymous resident memory of a process in bytes; all its resident memory where the system does not tell."""
    try:
        status = Path(f"/proc/{process.pid}/status")
        if not status.exists():
            return int(process.memory_info().rss)
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields.get("RssAnon", "0 kB").split()[0]) * 1024
    except (psutil.NoSuchProcess, OSError):
        return 0
