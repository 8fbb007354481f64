"""Parallel computation on the cores of this machine or on the Dask cluster that ``compute.scheduler`` names."""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import cache, partial
from importlib.metadata import version
from itertools import islice
from multiprocessing import resource_tracker
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import joblib
from joblib.externals.loky import ProcessPoolExecutor

from songgenre.errors import UserError
from songgenre.params import LOCAL, Compute
from songgenre.progress import progress_bar
from songgenre.runtime import instruction_level

if TYPE_CHECKING:
    from dask.distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

IDLE_S = 10
"""Seconds without a task after which a worker process ends."""
LIMIT_S = 900.0
"""Longest time in seconds for a file in `isolated_map`."""
TIMEOUT_S = 10
"""Longest time in seconds for a cluster to answer."""

TASKS_PER_THREAD = 4
"""Tasks that a cluster receives in advance for each thread; limits the number of results that wait."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LIBRARIES = ("av", "joblib", "librosa", "numba", "numpy", "pandas", "scikit-learn", "scipy", "soundfile", "soxr")


def parallel_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    compute: Compute = LOCAL,
    remote_ok: bool = False,
    on_crash: Callable[[Item, str], Result] | None = None,
) -> Generator[Result, None, None]:
    """Apply a function to each item in parallel, in one worker process per core or on a cluster.

    Parameters
    ----------
    function : callable
        Picklable function. BLAS and FFT use one thread in each worker.
    items : sequence
        Arguments of `function`.
    description : str
        Text for the progress bar.
    compute : Compute
        Section ``compute`` of ``params.yaml``, which may name a cluster.
    remote_ok : bool
        Whether the items refer to files by URL, so that a machine without this folder can read them. Other items are
        processed on a cluster only if its machines share this folder.
    on_crash : callable, optional
        Result for an item that crashes its process on this machine, as for `isolated_map`; by default, a crash ends the
        computation.

    Yields
    ------
    object
        Result for each item, in the order of `items`, as soon as it is ready.

    Raises
    ------
    UserError
        If the cluster is unreachable, has no workers or an environment that differs from this one.
    """
    if compute.scheduler and (remote_ok or not compute.audio_url):
        with _cluster(compute.scheduler) as client:
            if not compute.audio_url:
                _check_that_folder_is_shared(client)
            yield from progress_bar(_map_on_cluster(client, function, items), description, total=len(items))
    elif on_crash:
        yield from isolated_map(function, items, description, on_crash)
    else:
        with _local_backend():
            with _sigint_blocked():
                results = joblib.Parallel(n_jobs=-1, return_as="generator")(
                    joblib.delayed(function)(item) for item in items
                )
            yield from progress_bar(results, description, total=len(items))


@contextmanager
def joblib_backend(compute: Compute = LOCAL) -> Iterator[None]:
    """Set the backend of joblib, and so of scikit-learn: the cores of this machine or the cluster.

    Parameters
    ----------
    compute : Compute
        Section ``compute`` of ``params.yaml``, which may name a cluster.

    Yields
    ------
    None
        The backend is set inside the context.

    Raises
    ------
    UserError
        As `parallel_map`, and also if a single worker is lost.
    """
    if compute.scheduler is None:
        with _local_backend():
            yield
    else:
        with _cluster(compute.scheduler) as client, joblib.parallel_config(backend="dask", client=client):
            yield


@cache
def workers() -> Executor:
    """Start one worker process per core, for tasks that arrive one by one.

    Returns
    -------
    concurrent.futures.Executor
        The same object at each call. A worker that is idle for `IDLE_S` ends.
    """
    return _make_pool(joblib.cpu_count())


class _Pool(ProcessPoolExecutor):
    """Pool of processes that Ctrl-C does not reach, not even while they start; their parent ends them."""

    def submit(self, *task: Any, **options: Any) -> Any:
        """Submit a task; the processes, and the thread that replaces them, inherit the blocked signal."""
        with _sigint_blocked():
            return super().submit(*task, **options)


def _make_pool(n: int) -> _Pool:
    """Make a pool of processes; loky replaces one that has grown by 300 MB, which is no news for the user."""
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    return _Pool(max_workers=n, timeout=IDLE_S, env=ONE_THREAD, initializer=_start_worker, initargs=(os.getpid(),))


def isolated_map(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    on_crash: Callable[[Item, str], Result],
    limit_s: float = LIMIT_S,
) -> Generator[Result, None, None]:
    """Apply a function to each item in parallel; an item that crashes or blocks its process does not affect the others.

    An item whose process the system kills, most often because memory ran out, is tried once more, alone.

    Parameters
    ----------
    function : callable
        Picklable function. BLAS and FFT use one thread in each worker.
    items : sequence
        Arguments of `function`.
    description : str
        Text for the progress bar.
    on_crash : callable
        Function from an item, and from what happened to its process, to the result for the item.
    limit_s : float
        Longest time for an item in seconds.

    Yields
    ------
    object
        Result for each item, in the order of `items`, as soon as it is ready.
    """
    n = min(joblib.cpu_count(), max(1, len(items)))
    with closing(IsolatedProcesses(n)) as processes, ThreadPoolExecutor(n) as threads:
        results = threads.map(lambda item: processes.run(function, item, on_crash, limit_s), items)
        try:
            yield from progress_bar(results, description, total=len(items))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            processes.close()


class IsolatedProcesses:
    """Processes that are replaced if an item crashes or blocks them.

    Parameters
    ----------
    n : int
        Number of processes.
    """

    def __init__(self, n: int) -> None:
        self._all = [_make_pool(1) for _ in range(n)]
        self._n = n
        self._free: SimpleQueue[_Pool] = SimpleQueue()
        self._alone = threading.Lock()
        try:
            for started in [process.submit(os.getpid) for process in self._all]:
                started.result()
        except BaseException:
            self.close()
            raise
        for process in self._all:
            self._free.put(process)

    def run(
        self,
        function: Callable[[Item], Result],
        item: Item,
        on_crash: Callable[[Item, str], Result],
        limit_s: float,
    ) -> Result:
        """Apply a function to an item in a free process, and wait for the result; any thread may call it.

        Parameters
        ----------
        function : callable
            Picklable function.
        item : object
            Its argument.
        on_crash : callable
            Result for an item that crashes its process or takes too long, as for `isolated_map`.
        limit_s : float
            Longest time in seconds.

        Returns
        -------
        object
            The result.
        """
        try:
            return self._try(function, item, limit_s)
        except TimeoutError:
            return on_crash(item, f"took more than {limit_s:g} s")
        except BrokenProcessPool as error:
            if "SIGKILL" not in str(error):
                return on_crash(item, "crashed")
        with self._others_idle():
            try:
                return self._try(function, item, limit_s)
            except (BrokenProcessPool, TimeoutError):
                return on_crash(item, "was killed, perhaps because memory ran out, and failed again on its own")

    def _try(self, function: Callable[[Item], Result], item: Item, limit_s: float) -> Result:
        """Apply the function in the next free process, which is replaced if it ends or takes too long."""
        process = self._free.get()
        try:
            result: Result = process.submit(function, item).result(limit_s)
            return result
        except (BrokenProcessPool, TimeoutError):
            process.shutdown(kill_workers=True)
            process = _make_pool(1)
            self._all.append(process)
            raise
        finally:
            self._free.put(process)

    @contextmanager
    def _others_idle(self) -> Iterator[None]:
        """Keep all processes but one from work."""
        with self._alone:
            others = [self._free.get() for _ in range(self._n - 1)]
            try:
                yield
            finally:
                for process in others:
                    self._free.put(process)

    def close(self) -> None:
        """End the processes."""
        for process in self._all:
            process.shutdown(wait=False, kill_workers=True)


def _local_backend() -> joblib.parallel_config:
    return joblib.parallel_config(
        backend="loky", inner_max_num_threads=1, initializer=_start_worker, initargs=(os.getpid(),)
    )


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block Ctrl-C for this thread and for the processes and threads that it starts."""
    resource_tracker.ensure_running()  # it unblocks the signal when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(parent: int) -> None:
    """Let a worker ignore Ctrl-C, which is for its parent, and end soon after its parent, even if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _cluster(address: str) -> Iterator[Client]:
    """Connect to a cluster and check that its workers have the same environment as this machine."""
    from dask.distributed import Client, KilledWorker
    from distributed.security import Security

    if address.startswith("tls://") and not Security().get_connection_args("client")["ssl_context"]:
        raise UserError(
            f"{address}: Dask's configuration names no TLS certificates. Add them as docs/cluster.md describes."
        )
    try:
        client = Client(address, timeout=TIMEOUT_S, set_as_default=False)
    except OSError as error:
        raise UserError(
            f"{address}: no Dask scheduler answers ({error}). Start one with `dask scheduler`, or set "
            "compute.scheduler in params.yaml to null to compute on this machine."
        ) from None
    with closing(client):
        _check_workers(client, address)
        try:
            yield client
        except KilledWorker as error:
            raise UserError(
                f"{address}: workers of the Dask cluster died repeatedly on the same task, most often because memory "
                f"ran out: {error} Start fewer workers on each machine."
            ) from None
        except CancelledError:
            raise UserError(
                f"{address}: the Dask cluster lost its scheduler or a worker, and their data. "
                "Check that all of them run, then run the same command again."
            ) from None


def _check_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=TIMEOUT_S)
    except TimeoutError:
        raise UserError(
            f"{address}: the Dask scheduler has no workers. Start some with "
            f"`dask worker --nthreads 1 --preload-nanny songgenre {address}`."
        ) from None
    try:
        environments = client.run(_environment)
    except Exception as error:  # any error of the import on the worker
        raise UserError(
            f"{address}: a worker of the Dask scheduler lacks this version of songgenre ({error}). "
            "Install it there from the same commit and requirements.lock, and restart the workers."
        ) from None
    for worker, environment in environments.items():
        _check_environment(environment, _expected_environment(), worker)


def _check_that_folder_is_shared(client: Client) -> None:
    folder = Path.cwd()
    for worker, shares in client.run(os.path.isdir, folder).items():
        if not shares:
            raise UserError(
                f"{worker}: this worker of the Dask cluster does not share the folder {folder}. Set compute.audio_url "
                "in params.yaml to a copy of the audio, for example s3://bucket/audio, and compute.cache_url to a "
                "place for the features, both within reach of the workers."
            )


@cache
def _environment() -> dict[str, str]:
    """Describe the code, the libraries and the settings that a result depends on."""
    package = Path(__file__).parent
    sources = [path.read_bytes() for path in sorted(package.rglob("*.py"))]
    return {
        "songgenre": hashlib.sha256(b"".join(sources)).hexdigest()[:12],
        "Python": ".".join(platform.python_version_tuple()[:2]),
        **{library: version(library) for library in LIBRARIES},
        **{variable: os.environ.get(variable, "not set") for variable in ONE_THREAD},
        "instruction level": instruction_level.current(),
    }


def _expected_environment() -> dict[str, str]:
    return _environment() | ONE_THREAD


def _check_environment(environment: Mapping[str, str], expected: Mapping[str, str], worker: str) -> None:
    differences = [
        f"{name} {environment.get(name)} instead of {value}"
        for name, value in expected.items()
        if environment.get(name) != value
    ]
    if differences:
        raise UserError(
            f"{worker}: the environment of this worker differs; it has {', '.join(differences)}. "
            "Install songgenre there from the same commit and requirements.lock, and restart the worker "
            "with `dask worker --nthreads 1 --preload-nanny songgenre`."
        )


def _map_on_cluster(client: Client, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    batches = _submit(client, partial(_run_on_worker, function, _expected_environment()), items)
    waiting = deque(islice(batches, TASKS_PER_THREAD))
    while waiting:
        results = client.gather(waiting.popleft())
        waiting.extend(islice(batches, 1))
        yield from results


def _submit(client: Client, task: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[list[Future[Result]]]:
    """Submit one task per item, in batches of one task for each thread of the cluster at that time."""
    left = iter(items)
    while batch := list(islice(left, max(1, sum(client.nthreads().values())))):
        yield client.map(task, batch, pure=False)


def _run_on_worker(function: Callable[[Item], Result], expected: Mapping[str, str], item: Item) -> Result:
    """Process one item on a worker; the worker may have joined only now, so its environment is checked again."""
    _check_environment(_environment(), expected, platform.node())
    return function(item)
