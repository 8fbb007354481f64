"""Parallel work: on the cores of this machine, or on a Dask cluster where ``compute.scheduler`` names one."""

from __future__ import annotations

import hashlib
import os
import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor
from contextlib import closing, contextmanager
from functools import cache, partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import joblib
from joblib.externals.loky import ProcessPoolExecutor

from songgenre.errors import UserError
from songgenre.params import LOCAL, Compute
from songgenre.progress import progress_bar

if TYPE_CHECKING:
    from dask.distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

IDLE_S = 10
TIMEOUT_S = 10
"""How long a cluster may take to answer."""

TASKS_PER_THREAD = 4
"""How many tasks a cluster is given ahead; so many results of every thread wait at most."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LIBRARIES = ("joblib", "librosa", "numba", "numpy", "pandas", "scikit-learn", "scipy", "soundfile", "soxr")


def parallel_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    compute: Compute = LOCAL,
    remote_ok: bool = False,
) -> Generator[Result, None, None]:
    """Apply a function to every item, one worker process per core, results in order.

    Parameters
    ----------
    function : callable
        Must be picklable. BLAS and FFT threads are pinned to one in the workers.
    items : sequence
    description : str
        What is being done, for the progress display.
    compute : Compute
        The section of ``params.yaml`` that may name a cluster.
    remote_ok : bool
        Whether the items say where a machine that does not share this folder finds what they need. Others stay here,
        unless the machines of the cluster share it.

    Yields
    ------
    The results, in the order of `items`, as they become ready.

    Raises
    ------
    UserError
        If a cluster is named but cannot do it.
    """
    if compute.scheduler and (remote_ok or not compute.audio_url):
        with _cluster(compute.scheduler) as client:
            if not compute.audio_url:
                _check_that_folder_is_shared(client)
            yield from progress_bar(_map_on_cluster(client, function, items), description, total=len(items))
    else:
        with _local_backend():
            results = joblib.Parallel(n_jobs=-1, return_as="generator")(
                joblib.delayed(function)(item) for item in items
            )
            yield from progress_bar(results, description, total=len(items))


@contextmanager
def joblib_backend(compute: Compute = LOCAL) -> Iterator[None]:
    """Have joblib, and so scikit-learn, use the cores of this machine or the cluster, as `parallel_map` does.

    Parameters
    ----------
    compute : Compute
        The section of ``params.yaml`` that may name a cluster.

    Raises
    ------
    UserError
        If a cluster is named but cannot do it, or, in contrast to `parallel_map`, a worker is lost.
    """
    if compute.scheduler is None:
        with _local_backend():
            yield
    else:
        with _cluster(compute.scheduler) as client, joblib.parallel_config(backend="dask", client=client):
            yield


@cache
def workers() -> Executor:
    """One worker process per core, for tasks that come one by one; they end when they have been idle for a while."""
    executor: Executor = ProcessPoolExecutor(
        max_workers=joblib.cpu_count(),
        timeout=IDLE_S,
        env=ONE_THREAD,
        initializer=_exit_with_parent,
        initargs=(os.getpid(),),
    )
    return executor


def _local_backend() -> joblib.parallel_config:
    return joblib.parallel_config(
        backend="loky", inner_max_num_threads=1, initializer=_exit_with_parent, initargs=(os.getpid(),)
    )


def _exit_with_parent(parent: int) -> None:
    """Have a worker end soon after the process that started it, also if that is killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _cluster(address: str) -> Iterator[Client]:
    """A connection to a cluster whose workers would compute the same as this machine."""
    from dask.distributed import Client, KilledWorker
    from distributed.security import Security

    if address.startswith("tls://") and not Security().get_connection_args("client")["ssl_context"]:
        raise UserError(
            f"Expected certificates for {address} in Dask's configuration, but it names none. "
            "See docs/scaling.md for what to put there."
        )
    try:
        client = Client(address, timeout=TIMEOUT_S, set_as_default=False)
    except OSError as error:
        raise UserError(
            f"Expected a Dask scheduler at {address}, as compute.scheduler in params.yaml says, but it cannot be "
            f"reached: {error}. Start one with `dask scheduler`, or set compute.scheduler to null to work here."
        ) from None
    with closing(client):
        _check_workers(client, address)
        try:
            yield client
        except KilledWorker as error:
            raise UserError(
                f"Workers of the Dask cluster at {address} died again and again over the same task, most often for "
                f"want of memory: {error} Start fewer workers on each machine."
            ) from None
        except CancelledError:
            raise UserError(
                f"The Dask cluster at {address} has lost data together with its scheduler or a worker. "
                "See that all of them run, then run this again."
            ) from None


def _check_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=TIMEOUT_S)
    except TimeoutError:
        raise UserError(
            f"Expected workers at the Dask scheduler {address}, but it has none. "
            f"Start some with `dask worker --nthreads 1 {address}`."
        ) from None
    try:
        environments = client.run(_environment)
    except Exception as error:  # whatever importing it there raised
        raise UserError(
            f"Expected songgenre as it is here on every worker of the Dask scheduler {address}: {error}. "
            "Install it there from the same commit and requirements.lock, and start the workers anew."
        ) from None
    for worker, environment in environments.items():
        _check_environment(environment, _expected_environment(), worker)


def _check_that_folder_is_shared(client: Client) -> None:
    folder = Path.cwd()
    for worker, shares in client.run(os.path.isdir, folder).items():
        if not shares:
            raise UserError(
                f"Expected the workers of the Dask cluster to share {folder}, but {worker} does not see it. "
                "Set compute.audio_url and compute.cache_url in params.yaml to where they find the audio, for example "
                "s3://bucket/audio, and may keep the features."
            )


@cache
def _environment() -> dict[str, str]:
    """What a result depends on besides its input."""
    package = Path(__file__).parent
    sources = [path.read_bytes() for path in sorted(package.rglob("*.py"))]
    return {
        "songgenre": hashlib.sha256(b"".join(sources)).hexdigest()[:12],
        "Python": ".".join(platform.python_version_tuple()[:2]),
        **{library: version(library) for library in LIBRARIES},
        **{variable: os.environ.get(variable, "not set") for variable in ONE_THREAD},
    }


def _expected_environment() -> dict[str, str]:
    return _environment() | ONE_THREAD


def _check_environment(environment: Mapping[str, str], expected: Mapping[str, str], worker: str) -> None:
    differences = [
        f"{name} {environment[name]} instead of {value}"
        for name, value in expected.items()
        if environment[name] != value
    ]
    if differences:
        raise UserError(
            f"Expected the worker {worker} to compute what this machine would, but it has {', '.join(differences)}. "
            "Install songgenre there from the same commit and requirements.lock, and start it anew "
            "with `dask worker --nthreads 1`."
        )


def _map_on_cluster(client: Client, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    batches = _submit(client, partial(_run_on_worker, function, _expected_environment()), items)
    waiting = deque(islice(batches, TASKS_PER_THREAD))
    while waiting:
        results = client.gather(waiting.popleft())
        waiting.extend(islice(batches, 1))
        yield from results


def _submit(client: Client, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[list[Future[Result]]]:
    """A task for every item, in batches of one for each thread that the cluster has at the time."""
    left = iter(items)
    while batch := list(islice(left, max(1, sum(client.nthreads().values())))):
        yield client.map(task, batch, pure=False)


def _run_on_worker(function: Callable[[Item], Result], expected: Mapping[str, str], item: Item) -> Result:
    """One item, on a worker, which may have joined the cluster only just now."""
    _check_environment(_environment(), expected, platform.node())
    return function(item)
