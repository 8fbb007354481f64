"""Parallel work on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import joblib
from joblib.externals.loky import get_reusable_executor

from songgenre.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(function: Callable[[Item], Result], items: Sequence[Item], description: str) -> Iterator[Result]:
    """Apply a function to every item, one worker process per core, results in order.

    Parameters
    ----------
    function : callable
        Must be picklable. BLAS and FFT threads are pinned to one in the workers.
    items : sequence
    description : str
        What is being done, for the progress display.

    Yields
    ------
    The results, in the order of `items`, as they become ready.
    """
    with joblib.parallel_config(backend="loky", n_jobs=-1, inner_max_num_threads=1):
        results = joblib.Parallel(return_as="generator")(joblib.delayed(function)(item) for item in items)
        yield from track(results, description, total=len(items))


def workers() -> Executor:
    """One worker process per core, for tasks that come one by one; they end when they have been idle for a while."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    executor: Executor = get_reusable_executor(max_workers=joblib.cpu_count(), env=one_thread)
    return executor
