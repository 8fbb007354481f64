"""Child processes that end when the command that started them is stopped."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

GRACE_S = 10
"""Seconds between terminating and killing a process."""


def run(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; Ctrl-C ends the program and all processes that it started.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    **options : Any
        Options of `subprocess.Popen`.

    Returns
    -------
    subprocess.CompletedProcess
        Exit code, and captured output if `options` ask for it.
    """
    with subprocess.Popen(command, text=True, start_new_session=True, **options) as process:
        try:
            output, errors = process.communicate()
        except KeyboardInterrupt:
            _end(process)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _end(process: subprocess.Popen[str]) -> None:
    """Terminate a program and all processes that it started; kill those that still run after `GRACE_S`."""
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
