"""The page's server as it is used: the real command, on loopback, with songs and with what is none."""

import json
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pandas as pd
import psutil
import pytest
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from songgenre.cli import app
from songgenre.errors import UserError
from songgenre.serve.app import MAX_SONGS, allowed_hosts
from songgenre.sources.download import is_loopback

if TYPE_CHECKING:
    from conftest import Server

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
AUDIO = {"Content-Type": "audio/flac"}
MAX_MB = 2


@pytest.fixture(scope="module")
def server(serving: Callable[..., AbstractContextManager["Server"]]) -> Iterator["Server"]:
    with serving("--max-mb", str(MAX_MB), "--max-minutes", "1.1") as started:
        yield started


@pytest.fixture(scope="module")
def client(server: "Server") -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=120) as opened:
        yield opened


@pytest.fixture(scope="module")
def song(
    tmp_path_factory: pytest.TempPathFactory, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> Path:
    """Of two windows."""
    return write_audio(tmp_path_factory.mktemp("songs") / "song.flac", melody(1, 61, 16_000), 16_000)


@pytest.fixture(scope="module")
def short(song: Path, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]) -> bytes:
    return write_audio(song.with_name("short.flac"), melody(2, 2, 16_000), 16_000).read_bytes()


@pytest.fixture(autouse=True)
def nothing_is_kept(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        folder = request.getfixturevalue("server").folder
        assert eventually(lambda: not [path for path in folder.rglob("*") if path.is_file()])


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def uploaded(server: "Server") -> int:
    """Bytes of the songs that the server has got and not yet removed."""
    sizes = []
    for path in server.folder.rglob("*"):
        with suppress(FileNotFoundError):
            sizes.append(path.stat().st_size if path.is_file() else 0)
    return sum(sizes)


def connection(server: "Server", *lines: str) -> socket.socket:
    """A connection over which the beginning of a request has been sent."""
    host, port = server.url.removeprefix("http://").split(":")
    opened = socket.create_connection((host, int(port)), timeout=120)
    opened.sendall("\r\n".join(["POST /predict HTTP/1.1", f"Host: {host}:{port}", *lines, "", ""]).encode())
    return opened


def worker(server: "Server") -> psutil.Process:
    """The process that judges."""
    children = psutil.Process(server.process.pid).children()
    return max(children, key=lambda process: process.memory_info().rss)


def seconds_of(process: psutil.Process) -> float:
    """How long it has computed."""
    return sum(process.cpu_times()[:2])


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_answer_is_that_of_the_command(client: httpx.Client, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    response = client.post("/predict", content=song.read_bytes(), headers=AUDIO)
    said = json.loads(CliRunner().invoke(app, ["predict", "--json", str(song)]).stdout)
    answer = response.json()
    assert answer["probabilities"] == pytest.approx(said["probabilities"], abs=1e-9)
    assert {key: answer[key] for key in ("genre", "unsure", "model")} == {
        key: said[key] for key in ("genre", "unsure", "model")
    }
    assert [window["start_s"] for window in answer["windows"]] == pytest.approx([0.5, 30.5])
    assert answer["window_s"] == pytest.approx(30)
    assert answer["duration_s"] == pytest.approx(61)
    mean = pd.DataFrame([window["probabilities"] for window in answer["windows"]]).mean().to_dict()
    assert mean == pytest.approx(answer["probabilities"])
    assert set(answer["colors"]) == set(mean)


def test_progress_comes_before_the_answer(client: httpx.Client, song: Path) -> None:
    headers = AUDIO | {"Accept": "application/x-ndjson"}
    with client.stream("POST", "/predict", content=song.read_bytes(), headers=headers) as response:
        *progress, answer = [json.loads(line) for line in response.iter_lines()]
    assert progress == [{"done": 0, "total": 2}, {"done": 1, "total": 2}]
    assert answer == client.post("/predict", content=song.read_bytes(), headers=AUDIO).json()


def test_tags_are_told_every_three_seconds_and_what_is_not_predicted(client: httpx.Client, song: Path) -> None:
    answer = client.post("/predict", content=song.read_bytes(), headers=AUDIO).json()
    starts = [start_s for start_s, _ in answer["lanes"][0]["patches"]]
    assert len(starts) == 20
    assert np.diff(starts) == pytest.approx(3, abs=0.1)
    assert [lane["mean"] for lane in answer["lanes"]] == sorted(
        (lane["mean"] for lane in answer["lanes"]), reverse=True
    )
    assert answer["lanes"][0]["tag"] == next(iter(answer["tags"]))
    assert answer["gaps"] == ""


def test_page_names_the_genres_before_a_song_is_chosen(client: httpx.Client, song: Path) -> None:
    question = BeautifulSoup(client.get("/").text, "html.parser").select_one(".question").get_text()
    answer = client.post("/predict", content=song.read_bytes(), headers=AUDIO).json()
    assert all(genre in question for genre in answer["probabilities"])


def test_page_needs_nothing_but_its_own_style_and_script(client: httpx.Client) -> None:
    soup = BeautifulSoup(client.get("/").text, "html.parser")
    loaded = [tag.get("src") or tag.get("href") for tag in soup(["link", "script", "img", "a", "iframe"])]
    assert loaded == ["data:,", "page.css", "page.js"]
    assert client.get("/page.css").headers["Content-Type"].startswith("text/css")
    assert client.get("/page.js").headers["Content-Type"].startswith("text/javascript")
    assert "http" not in client.get("/page.css").text
    assert not soup.find_all(lambda tag: any(name == "style" or name.startswith("on") for name in tag.attrs))


@pytest.mark.parametrize("path", ["/", "/page.js", "/nothing", "/predict"])
def test_every_answer_tells_the_browser_to_trust_nothing_else(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers
    assert "Server" not in headers


@pytest.mark.parametrize("path", ["/", "/page.js", "/predict", "/nothing"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "songs.example"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1.songs.example"},
        {"Origin": "http://songs.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
    ids=str,
)
def test_requests_that_are_meant_for_or_come_from_others_are_refused(
    client: httpx.Client, short: bytes, path: str, headers: dict[str, str]
) -> None:
    response = client.request("POST" if path == "/predict" else "GET", path, content=short, headers=AUDIO | headers)
    assert response.status_code == 403
    assert set(response.json()) == {"error"}


def test_own_page_may_ask_under_each_name_of_this_machine(server: "Server", short: bytes) -> None:
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        headers = AUDIO | {"Origin": url, "Host": url.removeprefix("http://")}
        assert httpx.post(f"{server.url}/predict", content=short, headers=headers, timeout=120).status_code == 200


def test_only_this_machine_is_listened_to(server: "Server") -> None:
    listening = [each for each in psutil.Process(server.process.pid).net_connections() if each.status == "LISTEN"]
    assert {each.laddr.ip for each in listening} == {"127.0.0.1"}


def test_names_of_a_server_that_others_may_reach() -> None:
    assert allowed_hosts("music.lan", 8000) == {"music.lan:8000"}
    assert allowed_hosts("::1", 80) >= {"[::1]:80", "[::1]", "localhost", "127.0.0.1"}
    everywhere = allowed_hosts("0.0.0.0", 8000)
    assert everywhere >= {f"{socket.gethostname().lower()}:8000", "localhost:8000", "127.0.0.1:8000"}
    assert "songs.example:8000" not in everywhere
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost")] == [True] * 3
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "192.168.0.1", "music.lan")] == [False] * 4


def wav(frames: int, sample_rate: int = 44_100, channels: int = 1) -> bytes:
    """A wav file that claims more than it holds."""
    claimed = min(2 * channels * frames, 2**32 - 1)
    numbers = (1, channels, sample_rate, min(2 * channels * sample_rate, 2**32 - 1), 2 * channels % 65536, 16)
    return (
        b"RIFF"
        + struct.pack("<I", claimed)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, *numbers)
        + (b"data" + struct.pack("<I", claimed) + b"\1\2" * 100)
    )


HOSTILE = {
    "nothing": b"",
    "text": b"<script>alert(1)</script>" * 1000,
    "zeros": bytes(100_000),
    "zip": b"PK\3\4" + bytes(1000),
    "mp3 without frames": b"ID3\4\0\0\0\0\0\0" + b"no music " * 1000,
    "header of mp3 tag that claims 256 MB": b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(1000),
    "ogg without packets": b"OggS" + bytes(1000),
    "flac without frames": b"fLaC" + bytes(1000),
    "wav that claims 4 GB": wav(2**31 - 1),
    "wav of 65535 channels": wav(2**20, channels=65_535),
    "wav of 4 GHz": wav(2**20, sample_rate=2**32 - 1),
    "wav of 0 Hz": wav(100, sample_rate=0),
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_song_is_refused_with_a_reason(client: httpx.Client, server: "Server", content: bytes) -> None:
    response = client.post("/predict", content=content, headers=AUDIO)
    assert response.status_code == 422
    assert len(response.json()["error"]) > 20
    assert str(server.folder) not in response.text


def test_half_a_song_is_judged_or_refused_and_the_next_one_judged(
    client: httpx.Client, song: Path, short: bytes
) -> None:
    half = song.read_bytes()[: song.stat().st_size // 2]
    assert client.post("/predict", content=half, headers=AUDIO).status_code in (200, 422)
    assert client.post("/predict", content=short, headers=AUDIO).status_code == 200


def test_silence_and_songs_that_last_too_long_are_refused(
    client: httpx.Client, tmp_path: Path, write_audio: Callable[..., Path], tone: Callable[..., np.ndarray]
) -> None:
    silent = write_audio(tmp_path / "silent.flac", np.zeros(44_100)).read_bytes()
    assert "dB" in client.post("/predict", content=silent, headers=AUDIO).json()["error"]
    long = write_audio(tmp_path / "long.flac", tone(67, 8000), 8000).read_bytes()
    refused = client.post("/predict", content=long, headers=AUDIO)
    assert refused.status_code == 422
    assert "1.1 min" in refused.json()["error"]


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "audio"]
)
def test_what_a_form_of_another_site_could_send_is_refused(client: httpx.Client, short: bytes, kind: str) -> None:
    assert client.post("/predict", content=short, headers={"Content-Type": kind}).status_code == 415


def test_a_path_as_file_name_leads_nowhere(client: httpx.Client, server: "Server", short: bytes) -> None:
    evil = server.folder.parent / "evil.flac"
    for name in ("../../evil.flac", str(evil)):
        headers = AUDIO | {"Content-Disposition": f'attachment; filename="{name}"'}
        assert client.post("/predict", content=short, headers=headers).status_code == 200
    assert not list(server.folder.parent.rglob("evil.flac"))
    assert client.get("/..%2f..%2fparams.yaml").status_code == client.get("/%2e%2e/app.py").status_code == 404


def test_size_that_is_announced_is_refused_before_the_song_comes(server: "Server") -> None:
    for length in (str(MAX_MB * 1_000_000 + 1), "9" * 5_000):
        with connection(server, "Content-Type: audio/mpeg", f"Content-Length: {length}") as opened:
            assert opened.recv(1000).startswith(b"HTTP/1.1 413")


def test_size_that_is_not_announced_is_refused_while_it_comes(server: "Server") -> None:
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    sent = 0
    with connection(server, "Content-Type: audio/mpeg", "Transfer-Encoding: chunked") as opened:
        opened.setblocking(False)
        answer = b""
        while not answer:
            try:
                sent += opened.send(chunk[sent % len(chunk) :])
            except (BlockingIOError, ConnectionError):
                time.sleep(0.001)
            assert uploaded(server) <= MAX_MB * 1_000_000 + len(chunk)
            try:
                answer = opened.recv(1000)
            except BlockingIOError:
                answer = b""
    assert answer.startswith(b"HTTP/1.1 413")
    assert sent < 20 * MAX_MB * 1_000_000


def test_song_that_breaks_off_is_forgotten(client: httpx.Client, server: "Server", short: bytes) -> None:
    with connection(server, "Content-Type: audio/mpeg", "Content-Length: 1000000") as opened:
        opened.sendall(short)
        assert eventually(lambda: uploaded(server) > 0)
    assert eventually(lambda: uploaded(server) == 0)
    assert client.post("/predict", content=short, headers=AUDIO).status_code == 200


def test_song_for_which_there_is_no_room_is_refused_and_forgotten(
    client: httpx.Client, server: "Server", short: bytes
) -> None:
    before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        refused = client.post("/predict", content=short, headers=AUDIO)
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
    assert refused.status_code == 507
    assert "File too large" in refused.json()["error"]
    assert client.post("/predict", content=short, headers=AUDIO).status_code == 200


@pytest.mark.parametrize(
    "line", [f"X-Long: {'x' * 1_000_000}", "Content-Length: -1", "Content-Length: x", "no header at all"], ids=len
)
def test_a_request_that_is_none_is_not_answered_and_does_no_harm(
    client: httpx.Client, server: "Server", short: bytes, line: str
) -> None:
    try:
        with connection(server, "Content-Type: audio/mpeg", line) as opened:
            answer = opened.recv(1000)
    except ConnectionError:
        answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert client.post("/predict", content=short, headers=AUDIO).status_code == 200


def test_many_songs_at_once_are_judged_one_after_the_other(
    client: httpx.Client, server: "Server", short: bytes
) -> None:
    def judge(_: int) -> httpx.Response:
        return httpx.post(f"{server.url}/predict", content=short, headers=AUDIO, timeout=120)

    with ThreadPoolExecutor(MAX_SONGS) as threads:
        responses = list(threads.map(judge, range(MAX_SONGS)))
    assert [response.status_code for response in responses] == [200] * MAX_SONGS
    assert len({response.text for response in responses}) == 1


def test_one_song_too_many_is_told_to_come_again(client: httpx.Client, server: "Server", short: bytes) -> None:
    with ExitStack() as waiting:
        for _ in range(MAX_SONGS):
            opened = waiting.enter_context(connection(server, "Content-Type: audio/mpeg", "Content-Length: 1000000"))
            opened.sendall(short)
        assert eventually(lambda: uploaded(server) == MAX_SONGS * len(short))
        refused = client.post("/predict", content=short, headers=AUDIO)
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert client.get("/").status_code == 200
    assert eventually(lambda: client.post("/predict", content=short, headers=AUDIO).status_code == 200)


def test_worker_that_dies_is_replaced(client: httpx.Client, server: "Server", song: Path, short: bytes) -> None:
    def killed_while_it_judges() -> httpx.Response:
        """Unless it has finished before it is killed."""
        assert eventually(lambda: client.post("/predict", content=short, headers=AUDIO).status_code == 200)
        judging = worker(server)
        before = seconds_of(judging)
        with ThreadPoolExecutor(1) as thread:
            judged = thread.submit(client.post, "/predict", content=song.read_bytes(), headers=AUDIO)
            assert eventually(lambda: judged.done() or seconds_of(judging) > before + 0.1)
            judging.kill()
            return judged.result()

    first = worker(server)
    first.kill()
    assert eventually(lambda: client.post("/predict", content=short, headers=AUDIO).status_code == 200)
    assert worker(server) != first
    refused = next(response for _ in range(20) if (response := killed_while_it_judges()).is_error)
    assert refused.status_code == 422
    assert "process" in refused.json()["error"]
    assert client.post("/predict", content=short, headers=AUDIO).status_code == 200


@pytest.fixture
def _default_hangup() -> Iterator[None]:
    """SIGHUP ends a process, also where tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("_default_hangup")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ending_it_leaves_nothing_behind(
    serving: Callable[..., AbstractContextManager["Server"]], song: Path, short: bytes, ending: signal.Signals
) -> None:
    with (
        serving() as server,
        ThreadPoolExecutor(2) as threads,
        connection(server, "Content-Type: audio/mpeg", "Content-Length: 1000000") as opened,
    ):
        judging = worker(server)
        judging.suspend()
        opened.sendall(short)
        for _ in range(2):
            threads.submit(httpx.post, f"{server.url}/predict", content=song.read_bytes(), headers=AUDIO, timeout=120)
        assert eventually(lambda: uploaded(server) == len(short) + 2 * song.stat().st_size)
        judging.resume()
        processes = psutil.Process(server.process.pid).children(recursive=True)
        server.process.send_signal(ending)
        _, errors = server.process.communicate(timeout=120)
        assert (server.process.returncode, errors) == (0, "")
        assert eventually(lambda: all(map(has_ended, processes)))
        assert list(server.folder.iterdir()) == []


def refused(*options: str) -> str:
    result = CliRunner().invoke(app, ["serve", "--port", "0", *options])
    assert isinstance(result.exception, UserError)
    return result.stderr + str(result.exception)


def test_port_or_host_or_model_that_cannot_be_had_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [Path(sys.executable).with_name("songgenre"), "serve", "--port", port]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert port in ended.stderr
    assert "127.0.0.1" in ended.stderr
    assert "Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr
    warning, reason = refused("--host", "no.such.host.invalid").split("\n", 1)
    assert "no.such.host.invalid" in warning
    assert "no.such.host.invalid" in reason


def test_model_that_no_stage_wrote_is_refused_unless_it_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    (tmp_path / "models" / "transfer").mkdir(parents=True)
    (tmp_path / "models" / "transfer" / "transfer.skops").write_bytes(b"no model")
    monkeypatch.chdir(tmp_path)
    assert "--skip-hash-check" in refused("--model", "transfer")
    assert "--skip-hash-check" not in refused("--model", "transfer", "--skip-hash-check")


def test_more_connections_than_file_descriptors_are_waited_for(
    serving: Callable[..., AbstractContextManager["Server"]],
) -> None:
    with serving() as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        port = int(server.url.rpartition(":")[2])
        opened = [socket.create_connection(("127.0.0.1", port)) for _ in range(80)]
        time.sleep(1)
        for each in opened:
            each.close()
        assert httpx.get(server.url, timeout=60).status_code == 200
        server.process.terminate()
        assert server.process.communicate(timeout=60)[1] == ""
