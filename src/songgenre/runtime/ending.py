"""The end of a command: by a signal, and with the DVC that started it."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress

import psutil

DVC_VARIABLE = "DVC_STAGE"
"""Environment variable in which DVC names the stage to its command."""


def treat_as_interrupt(*names: str) -> None:
    """Let signals end this process as Ctrl-C does, which removes temporary files; `nohup` keeps its meaning.

    Parameters
    ----------
    *names : str
        Names of signals; those that the system lacks are ignored.
    """
    for name in names:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def end_with_dvc() -> None:
    """Terminate this process soon after DVC has ended, if DVC started it; a signal to DVC alone does not reach it."""

    def watch(dvc: psutil.Process) -> None:
        while is_running(dvc):
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    stage = os.environ.get(DVC_VARIABLE)
    if stage is not None and (dvc := _find_dvc(stage)):
        threading.Thread(target=watch, args=(dvc,), daemon=True).start()


def _find_dvc(stage: str) -> psutil.Process | None:
    """Find the nearest ancestor that is not part of the stage, as a shell that DVC starts for the command is."""
    with suppress(psutil.Error, OSError, RuntimeError):  # a sandbox may hide parts of /proc
        ancestor = psutil.Process().parent()
        while ancestor and ancestor.environ().get(DVC_VARIABLE) == stage:
            ancestor = ancestor.parent()
        return ancestor
    return None


def is_running(process: psutil.Process | int) -> bool:
    """Tell whether a process has not ended.

    Parameters
    ----------
    process : psutil.Process or int
        A process, or its id, which may belong to another one after its end.

    Returns
    -------
    bool
        False as well if it has ended, but its parent has not noticed (a zombie).
    """
    try:
        process = psutil.Process(process) if isinstance(process, int) else process
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
