import math
import os

import pytest

from songgenre.compute import parallel_map, workers

pytestmark = pytest.mark.integration


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        import time

        time.sleep(0.2 if item == 0 else 0)
        return item * item

    assert list(parallel_map(slow_first, range(20), "squares")) == [item * item for item in range(20)]


def test_nothing_to_do() -> None:
    assert list(parallel_map(math.sqrt, [], "roots")) == []


def test_error_of_a_worker_arrives() -> None:
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        list(parallel_map(math.sqrt, [1, -1], "roots"))


def test_work_is_done_in_other_processes_with_one_thread_each() -> None:
    def where(variable: str) -> tuple[int, str | None]:
        return os.getpid(), os.environ.get(variable)

    results = list(parallel_map(where, ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "looking"))
    assert os.getpid() not in {pid for pid, _ in results}
    assert {threads for _, threads in results} == {"1"}


def test_single_tasks_are_done_in_other_processes_with_one_thread_each() -> None:
    asked = [workers().submit(os.getenv, "OMP_NUM_THREADS"), workers().submit(os.getpid)]
    threads, pid = (future.result() for future in asked)
    assert threads == "1"
    assert pid != os.getpid()
