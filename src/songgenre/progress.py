"""Live progress of long steps: in the terminal that runs the stage, or in JupyterLab.

A notebook kernel cannot write to the terminal of ``dvc repro``, and what it prints would be stored in the notebook.
So the runner listens on a local connection, names it in an environment variable, and draws what comes.
Without a runner, as by hand in JupyterLab, the bar is drawn in place.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from songgenre.redaction import redact

T = TypeVar("T")

ADDRESS = "SONGGENRE_PROGRESS"
KEY = "SONGGENRE_PROGRESS_KEY"

MANY = 10
"""Items of a step that is long enough to announce its start."""


class SpeedColumn(ProgressColumn):
    """Number of items in a second."""

    def render(self, task: Task) -> Text:
        """Format the speed of a step.

        Parameters
        ----------
        task : rich.progress.Task
            The step.

        Returns
        -------
        rich.text.Text
            Such as ``12.3/s``; empty before it is known.
        """
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="progress.data.speed")


def progress_bar(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Pass items on and show the progress.

    Parameters
    ----------
    items : iterable
        The items of the step.
    description : str
        Name of the step, for example ``"features"``.
    total : int
        Number of items.

    Yields
    ------
    object
        Each item, unchanged.
    """
    runner = _runner()
    if runner is None:
        with _bars(Console(file=sys.stderr)) as bars:
            yield from bars.track(items, total=total, description=description)
        return
    runner.send((description, 0, total))
    for done, item in enumerate(items, start=1):
        runner.send((description, done, total))
        yield item


def echo(text: str) -> None:
    """Print a message in the terminal that runs the stage, or below the cell of a notebook that is run by hand.

    Parameters
    ----------
    text : str
        The message, one line.
    """
    runner = _runner()
    if runner is None:
        print(text, file=sys.stdout if Console().is_jupyter else sys.stderr)
    else:
        runner.send(text)


@cache
def _runner() -> Connection | None:
    address = os.environ.get(ADDRESS)
    if address is None:
        return None
    return Client(address, authkey=os.environ[KEY].encode())


def _bars(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        SpeedColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (console.is_terminal or console.is_jupyter),
    )


@contextmanager
def listening(console: Console, address: Path | None = None) -> Iterator[dict[str, str]]:
    """Draw the progress that other processes report.

    Parameters
    ----------
    console : rich.console.Console
        Where to draw. If it is no terminal, a line is printed at the end of
        each step, and one at the start of a step of many items.
    address : Path, optional
        Socket to make; by default one in a temporary folder of its own.

    Yields
    ------
    dict
        Environment variables through which other processes connect.
    """
    key, over = secrets.token_hex(), threading.Event()
    socket = str(address) if address else None
    with Listener(socket, authkey=key.encode()) as listener, _bars(console) as bars:
        accepting = threading.Thread(target=_accept, args=(listener, bars, over), daemon=True)
        accepting.start()
        try:
            yield {ADDRESS: str(listener.address), KEY: key}
        finally:
            over.set()
            with suppress(OSError):  # its thread must not stay, as it may come to answer for the next listener
                Client(listener.address, authkey=key.encode()).close()
                accepting.join()


def _accept(listener: Listener, bars: Progress, over: threading.Event) -> None:
    while not over.is_set():
        try:
            connection = listener.accept()
        except (AuthenticationError, EOFError):
            continue
        except OSError:
            return
        threading.Thread(target=_draw, args=(connection, bars), daemon=True).start()


def _draw(connection: Connection, bars: Progress) -> None:
    tasks: dict[str, TaskID] = {}
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return
        if isinstance(message, str):
            bars.console.print(escape(redact(message)), highlight=False)
            continue
        description, done, total = message
        if done == 0:
            tasks[description] = bars.add_task(description, total=total)
        bars.update(tasks[description], completed=done)
        if not bars.console.is_terminal and (done == total or (done == 0 and total > MANY)):
            bars.console.print(f"{description}: {done}/{total}")
