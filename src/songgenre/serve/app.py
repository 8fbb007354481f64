"""A web page on this machine: drop a song, listen, and see the prediction over time.

Uploads are stored in a temporary folder and deleted after prediction. One song is predicted at a time.
"""

from __future__ import annotations

import asyncio
import errno
import json
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import psutil
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, stream_request_body

from songgenre.errors import UserError
from songgenre.predict import formatting, loading
from songgenre.predict.inputs import MEGABYTE
from songgenre.predict.page import SITE
from songgenre.runtime.temporary import temporary_folder
from songgenre.serve.worker import Progress, Worker, WorkerResult
from songgenre.sources.download import is_loopback

STATIC = Path(__file__).parent / "static"
"""The page, its style and its script."""
STREAM = "application/x-ndjson"
"""Media type of a response that reports progress: a JSON object per line, the last one with the prediction."""
MAX_SONGS = 8
"""Largest number of songs in upload, in the queue and in prediction together."""
MAX_DIGITS = 18
"""Largest number of digits of a length that is compared."""
RETRY_AFTER_S = 5
PAUSE_S = 0.05
"""Pause of the server while it has no file descriptor for another connection."""
READ_TIMEOUT_S = 60.0
"""Longest time for a request, and then for its song, to arrive."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Settings(NamedTuple):
    """Settings of the server.

    Parameters
    ----------
    host : str
        Address or name to listen at; ``0.0.0.0`` for all addresses of this machine.
    port : int
        Port to listen at; 0 for any free one.
    model : str
        Name of the model, see `songgenre.predict.loading.load_model`.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.
    max_mb : int
        Largest upload in MB.
    max_minutes : float
        Longest song in minutes.
    skip_hash_check : bool
        Whether to load a model of the project even if its hash differs from ``dvc.lock``.
    """

    host: str
    port: int
    model: loading.Name
    threshold: float
    max_mb: int
    max_minutes: float
    skip_hash_check: bool = False


class Service:
    """State that the handlers share.

    Parameters
    ----------
    settings : Settings
        Settings of the server.
    names : set of str
        Allowed values of the ``Host`` header, see `allowed_hosts`.
    folder : Path
        Existing folder for uploads.
    worker : Worker
        Process that predicts.
    """

    def __init__(self, settings: Settings, names: set[str], folder: Path, worker: Worker) -> None:
        self.settings = settings
        self.names = names
        self.folder = folder
        self.worker = worker
        self.songs = 0
        self.predicting = asyncio.Lock()
        environment = Environment(loader=FileSystemLoader(STATIC), autoescape=True, undefined=StrictUndefined)
        self.page = environment.get_template("page.html").render(
            settings._asdict() | {"genres": worker.genres, "unsure": formatting.percent(settings.threshold)}
        )
        self.script = (STATIC / "page.js").read_text(encoding="utf-8")
        self.style = "".join(
            path.read_text(encoding="utf-8")
            for path in (SITE / "style.css", SITE / "timeline.css", STATIC / "page.css")
        )

    def application(self) -> Application:
        """Build the web application.

        Returns
        -------
        tornado.web.Application
            Routes of the page, its assets and ``/predict``.
        """
        service = {"service": self}
        return Application(
            [
                (r"/", TextHandler, service | {"text": self.page, "kind": "text/html"}),
                (r"/page\.css", TextHandler, service | {"text": self.style, "kind": "text/css"}),
                (r"/page\.js", TextHandler, service | {"text": self.script, "kind": "text/javascript"}),
                (r"/predict", PredictHandler, service),
            ],
            default_handler_class=NotFoundHandler,
            default_handler_args=service,
            log_function=lambda handler: None,
        )


class Handler(RequestHandler):
    """Base handler: refuses requests for other hosts (DNS rebinding) and from other pages."""

    def initialize(self, service: Service) -> None:
        """Store the arguments of the route.

        Parameters
        ----------
        service : Service
            State that the handlers share.
        """
        self.service = service

    def set_default_headers(self) -> None:
        """Set the security headers of `HEADERS`."""
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Check the host and the origin of the request."""
        origin = self.request.headers.get("Origin")
        if self.request.host.lower() not in self.service.names:
            self.refuse(403, "Host: not an address of this server. Use the address that it printed at its start.")
        elif origin is not None and origin.lower() != f"http://{self.request.host.lower()}":
            self.refuse(403, "Origin: another page. This server answers only its own page.")

    def refuse(self, status: int, reason: str) -> None:
        """Refuse the request without reading the rest of its body.

        Parameters
        ----------
        status : int
            HTTP status.
        reason : str
            Reason, for the user.
        """
        self.set_status(status)
        self.set_header("Connection", "close")
        self.finish({"error": reason})

    def write_error(self, status_code: int, **_: Any) -> None:
        """Write an error as JSON.

        Parameters
        ----------
        status_code : int
            HTTP status.
        """
        self.finish({"error": self._reason})


class TextHandler(Handler):
    """The page, its style or its script."""

    def initialize(self, service: Service, text: str, kind: str) -> None:  # type: ignore[override]
        """Store the arguments of the route.

        Parameters
        ----------
        service : Service
            State that the handlers share.
        text : str
            Content of the response.
        kind : str
            Media type of the response.
        """
        super().initialize(service)
        self.text, self.kind = text, kind

    def get(self) -> None:
        """Send the text."""
        self.set_header("Content-Type", f"{self.kind}; charset=utf-8")
        self.finish(self.text)


class NotFoundHandler(Handler):
    """Handler of all other paths."""

    def prepare(self) -> None:
        """Respond with 404."""
        super().prepare()
        if self.get_status() == 200:
            self.refuse(404, "There is nothing here.")


@stream_request_body
class PredictHandler(Handler):
    """Handler of predictions: the body of the request is a song, the response is JSON."""

    def initialize(self, service: Service) -> None:
        """Store the arguments of the route.

        Parameters
        ----------
        service : Service
            State that the handlers share.
        """
        super().initialize(service)
        self.song: Any = None
        self.is_answered = self.client_disconnected = self.is_streaming = False

    def prepare(self) -> None:
        """Check the headers of the upload and the length of the queue."""
        super().prepare()
        if self.get_status() != 200:
            return
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        announced = self.request.headers.get("Content-Length", "")
        if self.request.method != "POST":
            self.set_header("Allow", "POST")
            self.refuse(405, "Method not allowed. Send the song by POST.")
        elif not kind.startswith("audio/") and kind != "application/octet-stream":
            self.refuse(
                415,
                "Content-Type not supported. Send the song itself as the body, as audio/* or application/octet-stream.",
            )
        elif announced.isdecimal() and (len(announced) > MAX_DIGITS or int(announced) > self.most_bytes):
            self.refuse_size()
        elif self.service.songs >= MAX_SONGS:
            self.set_header("Retry-After", RETRY_AFTER_S)
            self.refuse(503, f"The queue is full ({MAX_SONGS} songs). Try again in a while.")
        else:
            try:
                self.song = NamedTemporaryFile(dir=self.service.folder)  # noqa: SIM115
                self.service.songs += 1
            except OSError as error:
                self.refuse_storage(error)

    @property
    def most_bytes(self) -> int:
        """Largest upload in bytes."""
        return self.service.settings.max_mb * MEGABYTE

    def data_received(self, chunk: bytes) -> None:
        """Write a part of the upload to its file.

        Parameters
        ----------
        chunk : bytes
            Part of the body.
        """
        if self.song is None:
            return
        try:
            self.song.write(chunk)
            self.song.flush()
        except OSError as error:
            self.discard_upload()
            self.refuse_storage(error)
            return
        if self.song.tell() > self.most_bytes:
            self.discard_upload()
            self.refuse_size()

    def refuse_storage(self, error: OSError) -> None:
        """Refuse the song because the disk does not take it.

        Parameters
        ----------
        error : OSError
            Error of the disk.
        """
        self.refuse(507, f"The upload cannot be stored on this machine: {error.strerror}.")

    def refuse_size(self) -> None:
        """Refuse the song as too large."""
        self.refuse(413, f"The song is larger than {self.service.settings.max_mb} MB. Convert it to mp3, or cut it.")

    async def post(self) -> None:
        """Predict the song and send the result, and the progress if the client accepts `STREAM`."""
        self.is_answered = True
        loop = asyncio.get_running_loop()
        try:
            async with self.service.predicting:
                if self.client_disconnected:
                    return
                answer = await asyncio.to_thread(
                    self.service.worker.predict,
                    Path(self.song.name),
                    lambda progress: loop.call_soon_threadsafe(self.send_progress, progress),
                )
            self.finish(describe_prediction(answer, self.service.settings.threshold))
        except UserError as error:
            if self.is_streaming:
                self.finish({"error": str(error)})
            else:
                self.refuse(422, str(error))
        finally:
            self.discard_upload()

    def send_progress(self, progress: Progress) -> None:
        """Send a line with the progress, if the client accepts `STREAM`.

        Parameters
        ----------
        progress : Progress
            Progress of the prediction.
        """
        if STREAM in self.request.headers.get("Accept", "") and not self.client_disconnected:
            self.is_streaming = True
            self.set_header("Content-Type", STREAM)
            self.write(json.dumps(progress._asdict()) + "\n")
            self.flush()

    def on_connection_close(self) -> None:
        """Delete the upload if the client disconnects before its prediction."""
        self.client_disconnected = True
        if not self.is_answered:
            self.discard_upload()

    def discard_upload(self) -> None:
        """Delete the upload, if there is one."""
        if self.song is not None:
            self.song.close()
            self.song = None
            self.service.songs -= 1


def describe_prediction(answer: WorkerResult, threshold: float) -> dict[str, Any]:
    """Describe a prediction for the page.

    Parameters
    ----------
    answer : WorkerResult
        Prediction and length of the song.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.

    Returns
    -------
    dict
        The fields of ``songgenre predict --json``, and what the page shows: windows, tags over time, colors and times.
    """
    prediction, duration_s = answer
    content: dict[str, Any] = json.loads(formatting.as_json(prediction, threshold))
    return content | {
        "verdict": formatting.summary(prediction, threshold, formatting.percent),
        "duration_s": duration_s,
        "gaps": formatting.describe_gaps(prediction),
        "lanes": [lane._asdict() for lane in formatting.tag_lanes(prediction)],
        "patch_s": formatting.PATCH_S,
        "window_s": prediction.window_s,
        "windows": [
            {"start_s": start_s, "probabilities": shares.to_dict()} for start_s, shares in prediction.windows.iterrows()
        ],
        "colors": formatting.genre_hex_colors(prediction.windows.columns),
    }


def allowed_hosts(host: str, port: int) -> set[str]:
    """List the allowed values of the ``Host`` header, as a guard against DNS rebinding.

    Parameters
    ----------
    host : str
        Address or name that the server listens at.
    port : int
        Port that the server listens at.

    Returns
    -------
    set of str
        Names and addresses in lower case, with the port.
    """
    names = {host.lower()}
    if is_loopback(host):
        names |= {"localhost", "127.0.0.1", "::1"}
    elif host in ("0.0.0.0", "::"):
        addresses = [address.address for every in psutil.net_if_addrs().values() for address in every]
        names |= {"localhost", socket.gethostname().lower(), *(address.partition("%")[0] for address in addresses)}
    named = {f"[{name}]" if ":" in name else name for name in names}
    return {f"{name}:{port}" for name in named} | (named if port == 80 else set())


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve the page until it is interrupted.

    Parameters
    ----------
    settings : Settings
        Settings of the server.
    announce : callable
        Called with the address of the page once the server listens.

    Raises
    ------
    UserError
        If the host, the port or the model is unavailable, or the hash of the model differs.
    """
    try:
        sockets = bind_sockets(settings.port, settings.host)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"{settings.host}, port {settings.port}: cannot listen ({reason}). Name another one.") from None
    worker = Worker(settings.model, 60 * settings.max_minutes, settings.skip_hash_check)
    try:
        with temporary_folder() as folder:
            asyncio.run(_serve(settings, sockets, folder, worker, announce))
    finally:
        worker.close()


async def _serve(
    settings: Settings, sockets: list[socket.socket], folder: Path, worker: Worker, announce: Callable[[str], None]
) -> None:
    port = sockets[0].getsockname()[1]
    service = Service(settings, allowed_hosts(settings.host, port), folder, worker)
    server = HTTPServer(
        service.application(),
        max_body_size=2 * settings.max_mb * MEGABYTE,
        body_timeout=READ_TIMEOUT_S,
        idle_connection_timeout=READ_TIMEOUT_S,
    )
    server.add_sockets(sockets)
    asyncio.get_running_loop().set_exception_handler(_wait_for_descriptors)
    closing = asyncio.Event()
    endings = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)
    if hangup and signal.getsignal(hangup) is not signal.SIG_IGN:  # nohup ignores it
        endings.append(hangup)
    for ending in endings:
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(ending, closing.set)
    announce(f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{port}/")
    await closing.wait()
    server.stop()
    await server.close_all_connections()
    worker.close()


def _wait_for_descriptors(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Let connections wait while no file descriptor is left, instead of reporting each attempt to accept them."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        time.sleep(PAUSE_S)
    else:
        loop.default_exception_handler(context)
