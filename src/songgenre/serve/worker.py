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
from songgenre.predict.inference import SongPrediction

T = TypeVar("T")

TIMEOUT_S = 300.0
"""How long a file may take."""


class WorkerResult(NamedTuple):
    """What a model says of a file, and how long the file is in seconds."""

    prediction: SongPrediction
    duration_s: float


class Worker:
    """One process, in which one file after the other is judged; started anew if it dies or takes too long.

    Parameters
    ----------
    name : str
        Of the model, see `songgenre.predict.loading.load_model`.
    max_duration_s : float
        A longer song is refused.
    skip_hash_check : bool
        Whether to load a model of the project that is not what its stage wrote.

    Raises
    ------
    UserError
        If the model cannot be had, or has changed and is not trusted.
    """

    def __init__(self, name: loading.Name, max_duration_s: float, skip_hash_check: bool) -> None:
        self.name = name
        self.max_duration_s = max_duration_s
        self.skip_hash_check = skip_hash_check
        self._closing = threading.Lock()
        self._start()

    def predict(self, path: Path) -> WorkerResult:
        """Judge a file; waits for the answer. For one thread at a time.

        Raises
        ------
        UserError
            If it cannot be judged, takes longer than `TIMEOUT_S`, or ends the process.
        """
        try:
            if not self._process.is_alive():
                self._start()
            self._connection.send(path)
            if not self._connection.poll(TIMEOUT_S):
                self.close()
                raise UserError(f"Expected a song that is judged within {TIMEOUT_S:g} s, but it takes longer.")
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
            target=_work, args=(theirs, self.name, self.max_duration_s, self.skip_hash_check), daemon=True
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


def _work(connection: Connection, name: loading.Name, max_duration_s: float, skip_hash_check: bool) -> None:
    """Answer until the other end closes; Ctrl-C in the terminal is for the server."""
    from songgenre.predict.inference import load_classifier

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if not skip_hash_check:
            loading.verify_models(name)
        load_classifier(name)
        connection.send(None)
        while True:
            path = connection.recv()
            try:
                connection.send(_predict(path, name, max_duration_s))
            except UserError as error:
                connection.send(UserError(str(error).replace(str(path), "the file")))
    except UserError as error:
        connection.send(error)
    except (EOFError, BrokenPipeError):
        pass


def _predict(path: Path, name: loading.Name, max_duration_s: float) -> WorkerResult:
    from songgenre import audio
    from songgenre.predict.inference import SkippedSong, predict_song
    from songgenre.predict.inputs import STANDARD_INPUT, AudioInput

    duration_s = audio.duration_s(path)
    if duration_s > max_duration_s:
        raise UserError(
            f"Expected a song of at most {max_duration_s / 60:g} minutes, but it lasts {duration_s / 60:.1f}. Cut it."
        )
    prediction = predict_song(AudioInput(STANDARD_INPUT, path), name)
    if isinstance(prediction, SkippedSong):
        raise UserError(prediction.reason)
    return WorkerResult(prediction, duration_s)
