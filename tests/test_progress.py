import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client

import pytest
from rich.console import Console

from songgenre.progress import ADDRESS, KEY, echo, listening, progress_bar

REPORT = """
import sys
from songgenre.progress import progress_bar
print(list(progress_bar("abc", "features", total=3)))
for _ in progress_bar(range(int(sys.argv[1])), "training", total=int(sys.argv[1])):
    pass
"""


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def runner(screen: io.StringIO) -> Iterator[dict[str, str]]:
    with listening(Console(file=screen)) as environment:
        yield environment


def report(runner: dict[str, str], n: int) -> str:
    command = [sys.executable, "-c", REPORT, str(n)]
    return subprocess.run(command, env=os.environ | runner, check=True, capture_output=True, text=True).stdout


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.integration
def test_end_of_each_step_and_the_start_of_a_long_one_are_printed_by_the_runner(
    runner: dict[str, str], screen: io.StringIO
) -> None:
    assert report(runner, n=50) == "['a', 'b', 'c']\n"
    expected = ["features: 3/3", "training: 0/50", "training: 50/50"]
    assert soon(lambda: screen.getvalue().split("\n")[:-1] == expected), screen.getvalue()


@pytest.mark.integration
def test_what_a_process_says_is_printed_by_the_runner(runner: dict[str, str], screen: io.StringIO) -> None:
    script = "from songgenre.progress import echo; echo('refused [bold]3[/] songs')"
    ended = subprocess.run([sys.executable, "-c", script], env=os.environ | runner, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("", "")
    assert soon(lambda: screen.getvalue() == "refused [bold]3[/] songs\n"), screen.getvalue()


def test_what_is_said_without_a_runner_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    echo("refused 3 songs")
    assert capsys.readouterr().err == "refused 3 songs\n"


@pytest.mark.integration
def test_stranger_without_the_key_is_turned_away_and_the_others_are_not(
    runner: dict[str, str], screen: io.StringIO
) -> None:
    with pytest.raises(AuthenticationError):
        Client(runner[ADDRESS], authkey=b"guess")
    report(runner, n=1)
    assert soon(lambda: "training: 1/1" in screen.getvalue())


def test_key_is_another_each_time(runner: dict[str, str]) -> None:
    with listening(Console(file=io.StringIO())) as other:
        assert other[KEY] != runner[KEY]
        assert other[ADDRESS] != runner[ADDRESS]


def test_without_a_runner_items_pass_unchanged_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    items = [object(), None, 0]
    assert list(progress_bar(iter(items), "features", total=3)) == items
    assert capfd.readouterr() == ("", "")


def test_items_are_taken_one_at_a_time() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(3):
            taken.append(item)
            yield item

    assert next(progress_bar(items(), "features", total=3)) == 0
    assert taken == [0]


def test_nobody_listens_any_more_when_it_is_over() -> None:
    """A thread that did would, after the process was stopped and continued, answer for the next listener."""
    before = set(threading.enumerate())
    with listening(Console(file=io.StringIO())):
        listeners = set(threading.enumerate()) - before
        assert [thread.is_alive() for thread in listeners] == [True]
    assert [thread.is_alive() for thread in listeners] == [False]
