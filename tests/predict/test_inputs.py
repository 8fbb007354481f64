import asyncio
import gzip
import io
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from songgenre.errors import UserError
from songgenre.predict import inputs

SONG = b"fLaC" + bytes(range(256)) * 400
over = threading.Event()
"""When no request needs an answer any more."""


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        getattr(self, self.path.strip("/"))()

    def log_message(self, *_: object) -> None:
        pass

    def begin(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def song(self) -> None:
        self.begin(Content_Type="audio/flac", Content_Length=str(len(SONG)))
        self.wfile.write(SONG)

    def moved(self) -> None:
        self.begin(302, Location="/song")

    def missing(self) -> None:
        self.begin(404)

    def page(self) -> None:
        self.begin(Content_Type="text/html; charset=utf-8")
        self.wfile.write(b"<html></html>")

    def large(self) -> None:
        self.begin(Content_Type="audio/flac", Content_Length=str(10**12))

    def endless(self) -> None:
        self.begin(Content_Type="audio/flac")
        try:
            while True:
                self.wfile.write(SONG)
        except OSError:
            pass

    def slow(self) -> None:
        self.begin(Content_Type="audio/flac")
        try:
            while not over.wait(0.05):
                self.wfile.write(bytes(inputs.CHUNK))
        except OSError:
            pass

    def dripping(self) -> None:
        self.begin(Content_Type="audio/flac", Content_Length=str(len(SONG)))
        try:
            while not over.wait(0.05):
                self.wfile.write(b"x")
        except OSError:
            pass

    def dripping_header(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\n")
        try:
            while not over.wait(0.05):
                self.wfile.write(b"X-Drop: 1\r\n")
                self.wfile.flush()
        except OSError:
            pass

    def compressed(self) -> None:
        takes = "gzip" in self.headers.get("Accept-Encoding", "")
        self.begin(Content_Type="audio/flac", Content_Encoding="gzip" if takes else "identity")
        self.wfile.write(gzip.compress(bytes(20_000_000)) if takes else SONG)

    def hostile(self) -> None:
        self.begin(Content_Type="audio/flac", Content_Encoding="gzip")
        self.wfile.write(gzip.compress(bytes(20_000_000)))

    def silent(self) -> None:
        over.wait()

    def cut(self) -> None:
        self.begin(Content_Type="audio/flac", Content_Length=str(len(SONG) + 1))
        self.wfile.write(SONG)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        over.set()
        server.shutdown()


@pytest.mark.parametrize("page", ["song", "moved", "compressed"])
def test_song_from_the_web_is_the_same_bytes(address: str, tmp_path: Path, page: str) -> None:
    [song] = inputs.resolve(f"{address}/{page}", tmp_path)
    assert song.name == f"{address}/{page}"
    assert song.path.read_bytes() == SONG


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("missing", "404"),
        ("page", "text/html"),
        ("large", "10 MB"),
        ("endless", "10 MB"),
        ("slow", r"0\.2 s"),
        ("dripping", r"0\.2 s"),
        ("dripping_header", r"0\.2 s"),
        ("silent", r"0\.3 s"),
        ("cut", "closed"),
    ],
)
def test_what_cannot_be_downloaded_is_told(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, message: str
) -> None:
    monkeypatch.setattr(inputs, "MAX_BYTES", 10_000_000)
    monkeypatch.setattr(inputs, "DOWNLOAD_TIMEOUT_S", 0.2 if r"0\.2 s" in message else 600.0)
    monkeypatch.setattr(inputs, "READ_TIMEOUT_S", 0.3 if page == "silent" else 600.0)
    with pytest.raises(UserError, match=message) as error:
        list(inputs.resolve(f"{address}/{page}", tmp_path))
    assert f"{address}/{page}" in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/song.mp3",
        "http://",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://xn--/",
        "http://127.0.0.1/\udc80",
    ],
)
def test_no_server_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(url)):
        list(inputs.resolve(url, tmp_path))


def test_download_works_where_an_event_loop_runs_as_in_a_notebook(address: str, tmp_path: Path) -> None:
    async def resolve() -> list[inputs.AudioInput]:
        return list(inputs.resolve(f"{address}/song", tmp_path))

    with ThreadPoolExecutor(1) as thread:
        [song] = thread.submit(asyncio.run, resolve()).result()
    assert song.path.read_bytes() == SONG


def test_password_is_not_repeated(address: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="404") as error:
        list(inputs.resolve(f"{address}/missing".replace("//", "//me:secret@"), tmp_path))
    assert "secret" not in str(error.value)


def test_compressed_bytes_are_not_expanded(address: str, tmp_path: Path) -> None:
    [song] = inputs.resolve(f"{address}/hostile", tmp_path)
    assert song.path.stat().st_size < 100_000


def test_folder_gives_songs_at_any_depth_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("b.mp3", "a/deep/c.FLAC", "a/d.m4a", "a/e", "cover.jpg", ".hidden.mp3", ".trash/e.mp3", "@eaDir/b.mp3")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [song.path.relative_to(tmp_path).as_posix() for song in inputs.resolve(str(tmp_path), tmp_path)]
    assert found == ["a/d.m4a", "a/deep/c.FLAC", "a/e", "b.mp3"]
    assert ".jpg 1" in capsys.readouterr().err


def test_nothing_to_predict_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        list(inputs.resolve(str(tmp_path), tmp_path))
    for name in (str(tmp_path / "nowhere.mp3"), "x" * 300, ""):
        with pytest.raises(UserError, match=f"{name}.*not found"):
            list(inputs.resolve(name, tmp_path))


def test_closed_standard_input_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python does without a standard input
    with pytest.raises(UserError, match="standard input"):
        list(inputs.resolve("-", tmp_path))


def test_standard_input_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SONG)))
    [song] = inputs.resolve("-", tmp_path)
    assert song.path.read_bytes() == SONG
    with pytest.raises(UserError, match="twice"):
        list(inputs.resolve("-", tmp_path))


def test_title_prints_whatever_the_name_holds() -> None:
    assert inputs.AudioInput("a\x1b[31m\udcff é.mp3", Path()).title == "a\ufffd[31m\ufffd é.mp3"
