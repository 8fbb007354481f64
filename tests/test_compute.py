import math
import os
import signal
import time
import warnings
from pathlib import Path

import pytest

from songgenre.compute import isolated_map, parallel_map, workers

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


def crashed(item: int, what: str) -> str:
    return f"{item} {what}"


def test_crash_or_hang_of_one_item_leaves_the_results_of_the_others() -> None:
    def work(item: int) -> str:
        if item == 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(600 if item == 6 else 0)
        return str(item)

    results = list(isolated_map(work, range(9), "working", crashed, limit_s=15))
    assert results == ["0", "1", "2", "3 crashed", "4", "5", "6 took more than 15 s", "7", "8"]


def test_item_whose_process_is_killed_is_tried_once_more_on_its_own(tmp_path: Path) -> None:
    def work(item: int) -> str:
        running = tmp_path / f"{item}.running"
        running.touch()
        is_second = (tmp_path / f"{item}.killed").exists()
        if item == 5 or (item == 2 and not is_second):
            (tmp_path / f"{item}.killed").touch()
            running.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)
        beside = len(list(tmp_path.glob("*.running"))) - 1
        running.unlink()
        return f"{item} beside {beside}" if is_second else str(item)

    results = list(isolated_map(work, range(9), "working", crashed))
    assert results[2] == "2 beside 0"
    assert results[5].startswith("5 was killed")
    assert results[:2] + results[3:5] + results[6:] == ["0", "1", "3", "4", "6", "7", "8"]


def test_nothing_is_said_of_a_process_that_is_replaced_because_it_has_grown(capfd: pytest.CaptureFixture[str]) -> None:
    def grow(item: int) -> int:
        import os
        import time

        import numpy as np

        time.sleep(1.2)
        if item == 2:
            np.kept = np.ones(60_000_000)  # type: ignore[attr-defined]
        return os.getpid()

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        pids = list(isolated_map(grow, range(8), "growing", crashed))
    assert len(set(pids)) > len(set(pids[:2]))
    assert said == []
    assert "Warning" not in capfd.readouterr().err


def test_isolated_work_is_done_in_other_processes_with_one_thread_each() -> None:
    results = list(isolated_map(lambda _: (os.getpid(), os.getenv("OMP_NUM_THREADS")), range(3), "looking", crashed))
    assert os.getpid() not in {pid for pid, _ in results}
    assert {threads for _, threads in results} == {"1"}


def test_error_of_isolated_work_arrives() -> None:
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        list(isolated_map(math.sqrt, [1, -1], "roots", crashed))
