"""A process that judges files for a server: what a hostile file does to a decoder ends there and not in the server."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, TypeVar

from songgenre.errors import UserError
from songgenre.predict import loading
from songgenre.predict.inference import Judgement

T = TypeVar("T")

PATIENCE_S = 300.0
"""How long a file may take."""


class Answer(NamedTuple):
    """What a model says of a file, and how long the file is in seconds."""

    judgement: Judgement
    duration_s: float


class Worker:
    """One process, in which one file after the other is judged; started anew if it dies or takes too long.

    Parameters
    ----------
    name : str
        Of the model, see `songgenre.predict.loading.load`.
    longest_s : float
        A longer song is refused.
    trust_changed_model : bool
        Whether to load a model of the project that is not what its stage wrote.

    Raises
    ------
    UserError
        If the model cannot be had, or has changed and is not trusted.
    """

    def __init__(self, name: loading.Name, longest_s: float, trust_changed_model: bool) -> None:
        self.name = name
        self.longest_s = longest_s
        self.trust_changed_model = trust_changed_model
        self._closing = threading.Lock()
        self._start()

    def judge(self, path: Path) -> Answer:
        """Judge a file; waits for the answer. For one thread at a time.

        Raises
        ------
        UserError
            If it cannot be judged, takes longer than `PATIENCE_S`, or ends the process.
        """
        try:
            if not self._process.is_alive():
                self._start()
            self._connection.send(path)
            if not self._connection.poll(PATIENCE_S):
                self.close()
                raise UserError(f"Expected a song that is judged within {PATIENCE_S:g} s, but it takes longer.")
            return _unless_error(self._connection.recv())
        except (EOFError, OSError):
            self.close()
            raise UserError("Expected a song, but the file ends the process that decodes it. Convert it.") from None

    def close(self) -> None:
        """End the process; for any thread, as that which judges also closes what has ended."""
        with self._closing:
            self._process.kill()
            self._process.join()
            self._connection.close()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=_work, args=(theirs, self.name, self.longest_s, self.trust_changed_model), daemon=True
        )
        self._process.start()
        theirs.close()
        try:
            _unless_error(self._connection.recv())
        except EOFError:
            raise UserError("Expected the model to load, but its process ended; perhaps for want of memory.") from None


def _unless_error(received: T | UserError) -> T:
    if isinstance(received, UserError):
        raise received
    return received


def _work(connection: Connection, name: loading.Name, longest_s: float, trust_changed_model: bool) -> None:
    """Answer until the other end closes; Ctrl-C in the terminal is for the server."""
    from songgenre.predict.inference import classifier_named

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if not trust_changed_model:
            loading.check(name)
        classifier_named(name)
        connection.send(None)
        while True:
            path = connection.recv()
            try:
                connection.send(_judged(path, name, longest_s))
            except UserError as error:
                connection.send(UserError(str(error).replace(str(path), "the file")))
    except UserError as error:
        connection.send(error)
    except (EOFError, BrokenPipeError):
        pass


def _judged(path: Path, name: loading.Name, longest_s: float) -> Answer:
    from songgenre import audio
    from songgenre.predict.inference import Failure, judge
    from songgenre.predict.inputs import STANDARD_INPUT, Song

    duration_s = audio.duration_s(path)
    if duration_s > longest_s:
        raise UserError(
            f"Expected a song of at most {longest_s / 60:g} minutes, but it lasts {duration_s / 60:.1f}. Cut it."
        )
    judgement = judge(Song(STANDARD_INPUT, path), name)
    if isinstance(judgement, Failure):
        raise UserError(judgement.reason)
    return Answer(judgement, duration_s)
