"""Other programs that a command runs, and that end when it is stopped."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

GRACE_S = 10


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; after Ctrl-C, too, it has ended with all that it started when this returns.

    Parameters
    ----------
    command : sequence of str
    **options
        Of `subprocess.Popen`.

    Returns
    -------
    subprocess.CompletedProcess
    """
    with subprocess.Popen(command, text=True, start_new_session=True, **options) as process:
        try:
            output, errors = process.communicate()
        except KeyboardInterrupt:
            _end(process)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _end(process: subprocess.Popen[str]) -> None:
    """Ask a program and all that it started to end; what has not after a while is killed."""
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(process.pid)
        family = [leader, *leader.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.terminate()
        _, stubborn = psutil.wait_procs(family, timeout=GRACE_S)
        for member in stubborn:
            member.kill()
        psutil.wait_procs(stubborn)
