"""Process that predicts files for the server, so that a hostile file can crash only this process."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, TypeVar

from songgenre.errors import UserError
from songgenre.predict import loading
from songgenre.predict.inference import SongPrediction

T = TypeVar("T")

TIMEOUT_S = 300.0
"""Longest time for a prediction."""


class WorkerResult(NamedTuple):
    """Prediction and length of a file.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.
    duration_s : float
        Length of the file in seconds.
    """

    prediction: SongPrediction
    duration_s: float


class Progress(NamedTuple):
    """Progress of a prediction.

    Parameters
    ----------
    done, total : int
        Number of predicted windows, and of all windows of the song.
    """

    done: int
    total: int


class Worker:
    """A process that predicts one file after the other; it is restarted after a crash or a timeout.

    Parameters
    ----------
    name : str
        Name of the model, see `songgenre.predict.loading.load_model`.
    max_duration_s : float
        Longest song in seconds.
    skip_hash_check : bool
        Whether to load a model of the project even if its hash differs from ``dvc.lock``.

    Attributes
    ----------
    genres : tuple of str
        Genres that the model predicts.

    Raises
    ------
    UserError
        If the model is unavailable, or its hash differs.
    ModuleNotFoundError
        If a package that the model needs is not installed.
    """

    def __init__(self, name: loading.Name, max_duration_s: float, skip_hash_check: bool) -> None:
        self.name = name
        self.max_duration_s = max_duration_s
        self.skip_hash_check = skip_hash_check
        self._closing = threading.Lock()
        self._start()

    def predict(self, path: Path, report: Callable[[Progress], object]) -> WorkerResult:
        """Predict a file and wait for the result; for one thread at a time.

        Parameters
        ----------
        path : Path
            The audio file.
        report : callable
            Called before each window is predicted.

        Returns
        -------
        WorkerResult
            Prediction and length of the file.

        Raises
        ------
        UserError
            If the file is not predicted, takes longer than `TIMEOUT_S`, or crashes the process.
        """
        try:
            if not self._process.is_alive():
                self._start()
            self._connection.send(path)
            deadline = time.monotonic() + TIMEOUT_S
            while self._connection.poll(max(0, deadline - time.monotonic())):
                received = _unless_error(self._connection.recv())
                if isinstance(received, WorkerResult):
                    return received
                report(received)
            self.close()
            raise UserError(f"The prediction takes longer than {TIMEOUT_S:g} s. Cut the song.")
        except (EOFError, OSError):
            self.close()
            raise UserError(
                "The process that decodes this file crashed. Convert the file, for example to FLAC."
            ) from None

    def close(self) -> None:
        """End the process. Any thread may call it; the predicting thread also closes a process that has ended."""
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
            self.genres: tuple[str, ...] = _unless_error(self._connection.recv())
        except EOFError:
            raise UserError(
                "The process that loads the model ended, perhaps because memory ran out. Close other programs."
            ) from None


def _unless_error(received: T | UserError | ModuleNotFoundError) -> T:
    if isinstance(received, UserError | ModuleNotFoundError):
        raise received
    return received


def _work(connection: Connection, name: loading.Name, max_duration_s: float, skip_hash_check: bool) -> None:
    """Predict until the other end closes; Ctrl-C in the terminal is for the server."""
    from songgenre.predict.inference import load_classifier

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if not skip_hash_check:
            loading.verify_models(name)
        connection.send(load_classifier(name).genres)
        while True:
            path = connection.recv()
            try:
                connection.send(_predict(path, name, max_duration_s, connection))
            except UserError as error:
                connection.send(UserError(str(error).replace(str(path), "the file")))
    except (UserError, ModuleNotFoundError) as error:
        connection.send(error)
    except (EOFError, BrokenPipeError):
        pass


def _predict(path: Path, name: loading.Name, max_duration_s: float, connection: Connection) -> WorkerResult:
    from songgenre import audio
    from songgenre.predict.inference import SkippedSong, predict_song
    from songgenre.predict.inputs import STANDARD_INPUT, AudioInput

    duration_s = audio.duration_s(path)
    if duration_s > max_duration_s:
        raise UserError(
            f"The song lasts {duration_s / 60:.1f} minutes; at most {max_duration_s / 60:g} are allowed. Cut it."
        )
    prediction = predict_song(
        AudioInput(STANDARD_INPUT, path).with_tags(), name, lambda done, total: connection.send(Progress(done, total))
    )
    if isinstance(prediction, SkippedSong):
        raise UserError(prediction.reason)
    return WorkerResult(prediction, duration_s)
