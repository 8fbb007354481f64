import hashlib
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from songgenre.errors import UserError
from songgenre.sources import download
from songgenre.sources.download import fetch

CONTENT = random.Random(0).randbytes(3_300_000)
SHA1 = hashlib.sha1(CONTENT).hexdigest()
FETCH = """
import pathlib, sys
from songgenre.sources.download import fetch
fetch(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], timeout_s=600, retries=0)
"""


class Request(BaseHTTPRequestHandler):
    server: "Web"

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers["Range"])
        self.server.sent.append(0)
        answer = self.server.answers.pop(0) if self.server.answers else well
        with suppress(ConnectionError):
            answer(self)

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, body: bytes) -> None:
        self.wfile.write(body)
        self.server.sent[-1] += len(body)

    def log_message(self, *_: object) -> None:
        pass


class Web(ThreadingHTTPServer):
    """A file on a server, which at each request does as it is told, or else well."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server_port}/file.zip"
        self.answers: list[Callable[[Request], None]] = []
        self.ranges: list[str | None] = []
        self.sent: list[int] = []
        self.closing = threading.Event()


def rest(request: Request) -> int:
    return int((request.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))


def well(request: Request, upto: int | None = None) -> None:
    """Answer as servers do; or only begin to, and hang up."""
    start = rest(request)
    if start >= len(CONTENT):
        request.head(416, Content_Range=f"bytes */{len(CONTENT)}", Content_Length=0)
        return
    shown = {"Content_Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if start else {}
    request.head(206 if start else 200, Content_Length=len(CONTENT) - start, **shown)
    request.send(CONTENT[start:][:upto])


def hanging_up_after(size: int) -> Callable[[Request], None]:
    return lambda request: well(request, upto=size)


def stalling(request: Request) -> None:
    well(request, upto=1_500_000)
    request.server.closing.wait(600)


def without_ranges(request: Request) -> None:
    request.head(200, Content_Length=len(CONTENT))
    request.send(CONTENT)


def in_small_ranges(request: Request) -> None:
    start = rest(request)
    piece = CONTENT[start : start + 1_200_000]
    request.head(206, Content_Range=f"bytes {start}-{start + len(piece) - 1}/{len(CONTENT)}", Content_Length=len(piece))
    request.send(piece)


def in_another_range(request: Request) -> None:
    request.head(206, Content_Range=f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}", Content_Length=len(CONTENT) - 7)
    request.send(CONTENT[7:])


def too_much(request: Request) -> None:
    request.head(206, Content_Range=f"bytes {rest(request)}-{len(CONTENT) - 1}/{len(CONTENT)}")
    while not request.server.closing.is_set():
        request.send(CONTENT[rest(request) :])


def endless(request: Request) -> None:
    request.head(200)
    while not request.server.closing.is_set():
        request.send(CONTENT)


def other_bytes(request: Request) -> None:
    request.head(200, Content_Length=8)
    request.send(b"<html>\r\n")


def saying(status: int, **headers: object) -> Callable[[Request], None]:
    return lambda request: request.head(status, Content_Length=0, **headers)


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that are waited before retries, without waiting."""
    waits: list[float] = []
    monkeypatch.setattr(download, "time", SimpleNamespace(sleep=waits.append))
    return waits


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file.zip"


def part_of(path: Path, content: bytes | None = None) -> Path:
    part = path.with_name("file.zip.part")
    if content is not None:
        part.parent.mkdir()
        part.write_bytes(content)
    return part


def get(web: Web, path: Path, retries: int = 3, timeout_s: float = 60) -> None:
    fetch(web.url, path, SHA1, timeout_s, retries)
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["file.zip"]


def test_file_arrives_whole(web: Web, path: Path) -> None:
    get(web, path)
    assert web.ranges == [None]


def test_file_that_is_there_is_not_fetched_again(web: Web, path: Path) -> None:
    get(web, path)
    get(web, path)
    assert len(web.ranges) == 1


def test_file_that_is_there_but_other_is_replaced(web: Web, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else")
    get(web, path)


def test_interrupted_download_goes_on_where_it_stopped(web: Web, path: Path) -> None:
    web.answers = [hanging_up_after(1_200_000), hanging_up_after(1_200_000)]
    get(web, path)
    assert web.ranges == [None, "bytes=1200000-", "bytes=2400000-"]
    assert sum(web.sent) == len(CONTENT)


@pytest.mark.integration
def test_download_that_was_killed_goes_on_where_it_stopped(web: Web, path: Path) -> None:
    web.answers = [stalling]
    with subprocess.Popen([sys.executable, "-c", FETCH, web.url, path, SHA1]) as process:
        part = part_of(path)
        until = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size > 1_400_000):
            assert time.monotonic() < until
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not path.exists()
    have = part.stat().st_size
    get(web, path)
    assert web.ranges == [None, f"bytes={have}-"]
    assert web.sent[1] == len(CONTENT) - have


def test_server_that_ignores_ranges_sends_it_all_again(web: Web, path: Path) -> None:
    web.answers = [hanging_up_after(2_000_000), without_ranges]
    get(web, path)
    assert web.ranges == [None, "bytes=2000000-"]


def test_server_that_sends_ranges_piece_by_piece_is_asked_for_more(web: Web, path: Path) -> None:
    part_of(path, CONTENT[:100])
    web.answers = 3 * [in_small_ranges]
    get(web, path)
    assert web.ranges == ["bytes=100-", "bytes=1200100-", "bytes=2400100-"]


def test_silent_server_is_asked_again(web: Web, path: Path) -> None:
    web.answers = [stalling]
    get(web, path, retries=20, timeout_s=0.5)
    assert len(web.ranges) > 1
    assert web.ranges[0] is None
    assert all(web.ranges[1:])


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_server_in_trouble_is_asked_again(web: Web, path: Path, status: int) -> None:
    web.answers = [saying(status)]
    get(web, path)
    assert len(web.ranges) == 2


def test_each_wait_is_twice_the_one_before(web: Web, path: Path, waits: list[float]) -> None:
    web.answers = 3 * [saying(500)]
    get(web, path)
    assert waits == [1, 2, 4]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "waited"),
    [("9", 9), ("9" * 400, 120), (formatdate(time.time() + 7200, usegmt=True), 120)],
    ids=["s", "too many s", "date"],
)
def test_server_may_ask_to_wait_but_not_for_ever(
    web: Web, path: Path, waits: list[float], status: int, asked: str, waited: float
) -> None:
    web.answers = [saying(status, Retry_After=asked)]
    get(web, path)
    assert waits == [waited]


@pytest.mark.parametrize("asked", ["soon", "-5", "", formatdate(0, usegmt=True)])
def test_wait_that_makes_no_sense_is_not_heeded(web: Web, path: Path, waits: list[float], asked: str) -> None:
    web.answers = [saying(503, Retry_After=asked)]
    get(web, path)
    [waited] = waits
    assert waited <= 1


def test_retries_come_to_an_end_and_what_came_is_kept(web: Web, path: Path) -> None:
    web.answers = 5 * [hanging_up_after(1000)]
    with pytest.raises(UserError, match=r"peer closed.*file\.zip\.part.*0\.003 MB") as error:
        get(web, path, retries=2)
    assert re.search(r"\b2\b", str(error.value))
    assert web.ranges == [None, "bytes=1000-", "bytes=2000-"]
    assert part_of(path).read_bytes() == CONTENT[:3000]


def test_request_that_brought_a_megabyte_is_not_counted_as_a_failure(web: Web, path: Path) -> None:
    web.answers = 3 * [hanging_up_after(1_000_000)]
    get(web, path, retries=1)


def test_server_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:1/file\.zip.*refused"):
        fetch("http://127.0.0.1:1/file.zip", path, SHA1, timeout_s=60, retries=0)


def test_address_that_is_none_is_named(path: Path) -> None:
    with pytest.raises(UserError, match=r"http://host:port/.*scraping\.fma\.url"):
        fetch("http://host:port/file.zip", path, SHA1, timeout_s=60, retries=0)


def test_missing_file_is_not_asked_for_again(web: Web, path: Path) -> None:
    web.answers = [saying(404)]
    with pytest.raises(UserError, match=r"file\.zip.*404.*scraping\.fma\.url"):
        get(web, path)
    assert len(web.ranges) == 1


def test_redirect_is_not_followed_but_named(web: Web, path: Path) -> None:
    web.answers = [saying(301, Location="http://elsewhere.example/file.zip")]
    with pytest.raises(UserError, match=r"http://elsewhere\.example/file\.zip.*scraping\.fma\.url"):
        get(web, path)
    assert len(web.ranges) == 1


def test_redirect_to_nowhere_is_an_error_too(web: Web, path: Path) -> None:
    web.answers = [saying(302)]
    with pytest.raises(UserError, match=r"file\.zip.*moved.*scraping\.fma\.url"):
        get(web, path)


def test_other_content_is_deleted_and_both_sums_are_named(web: Web, path: Path) -> None:
    web.answers = [other_bytes]
    got = hashlib.sha1(b"<html>\r\n").hexdigest()
    with pytest.raises(UserError, match=f"{re.escape(web.url)}.*{got}.*{SHA1}"):
        get(web, path)
    assert not list(path.parent.iterdir())
    get(web, path)


def test_damaged_part_is_found_out_and_deleted(web: Web, path: Path) -> None:
    part_of(path, b"damaged")
    with pytest.raises(UserError, match=SHA1):
        get(web, path)
    get(web, path)


def test_part_that_is_whole_needs_no_more_bytes(web: Web, path: Path) -> None:
    part_of(path, CONTENT)
    get(web, path)
    assert sum(web.sent) == 0


def test_part_that_is_too_long_is_begun_anew(web: Web, path: Path) -> None:
    part_of(path, CONTENT + b"too long")
    get(web, path, retries=0)
    assert web.ranges == [f"bytes={len(CONTENT) + 8}-", None]


def test_endless_body_is_cut_where_it_was_announced_to_end(web: Web, path: Path) -> None:
    part_of(path, CONTENT[:1000])
    web.answers = [too_much]
    get(web, path)


@pytest.mark.parametrize("answer", [endless, in_another_range, saying(206)])
def test_server_must_announce_what_it_sends(web: Web, path: Path, answer: Callable[[Request], None]) -> None:
    part = part_of(path, CONTENT[:1000])
    web.answers = [answer]
    with pytest.raises(UserError, match=r"file\.zip.*\b1000\b.*scraping\.folder"):
        get(web, path)
    assert part.read_bytes() == CONTENT[:1000]


def test_full_disk_is_named(web: Web, path: Path) -> None:
    path.parent.mkdir()
    part_of(path).symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"file\.zip\.part.*No space left on device"):
        get(web, path)


def test_folder_that_cannot_be_made_is_named(web: Web, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/file\.zip\.part"):
        get(web, tmp_path / "file" / "file.zip")
