"""Mutated songs, uploads and killed commands end as promised. `SONGGENRE_SOAK=10` tries ten times as many."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import psutil
import pytest
import soundfile

if TYPE_CHECKING:
    from conftest import Server

pytestmark = pytest.mark.slow
FACTOR = int(os.environ.get("SONGGENRE_SOAK", "1"))
PROGRAM = Path(sys.executable).with_name("songgenre")
FORMATS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_16"), ("FLAC", None), ("OGG", None), ("MP3", None)]


def mutated_song(seed: int) -> bytes:
    """A short song with some bytes changed, cut out or doubled."""
    chance = random.Random(seed)
    y = np.random.default_rng(seed).normal(scale=0.1, size=33_000)
    song = io.BytesIO()
    container, subtype = FORMATS[seed % len(FORMATS)]
    soundfile.write(song, y, 22_050, format=container, subtype=subtype)
    content = bytearray(song.getvalue())
    for _ in range(chance.randint(1, 20)):
        place = chance.randrange(len(content)) if chance.random() < 0.5 else chance.randrange(min(200, len(content)))
        match chance.choice(["change", "change", "cut", "double"]):
            case "change":
                content[place] = chance.randrange(256)
            case "cut":
                del content[place : place + chance.randint(1, 50)]
            case "double":
                content[place:place] = content[place : place + chance.randint(1, 500)]
    return bytes(content)


def tell(capsys: pytest.CaptureFixture[str], what: str, tried: int, outcomes: Counter[object]) -> None:
    with capsys.disabled():
        print(f"\n{what}: {tried} tried, {sum(outcomes.values())} ended as promised; {dict(outcomes)}")


def test_mutated_songs_are_predicted_or_refused_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    n = 60 * FACTOR
    (tmp_path / "music").mkdir()
    for seed in range(n):
        (tmp_path / "music" / f"{seed:05d}.wav").write_bytes(mutated_song(seed))
    ended = subprocess.run([PROGRAM, "predict", "--json", tmp_path / "music"], capture_output=True, text=True)
    assert ended.returncode in (0, 1)
    assert "Traceback" not in ended.stderr
    predicted = [json.loads(line, parse_constant=pytest.fail) for line in ended.stdout.splitlines()]
    refused = [line for line in ended.stderr.splitlines() if line.startswith(str(tmp_path))]
    tell(capsys, "mutated songs", n, Counter(predicted=len(predicted), refused=len(refused)))
    assert len(predicted) + len(refused) == n


def test_server_answers_every_mutated_upload_with_memory_that_stays_flat(
    serving: Callable[..., AbstractContextManager["Server"]], capsys: pytest.CaptureFixture[str]
) -> None:
    n = 40 * FACTOR
    outcomes: Counter[object] = Counter()
    with serving() as server:
        process = psutil.Process(server.process.pid)
        memory = []
        for seed in range(n):
            answer = httpx.post(
                f"{server.url}/predict", content=mutated_song(seed), headers={"Content-Type": "audio/mpeg"}, timeout=120
            )
            outcomes[answer.status_code] += 1
            assert answer.json().keys() & {"genre", "error"}
            memory.append(process.memory_info().rss)
        assert set(outcomes) <= {200, 422}
        assert max(memory[n // 2 :]) < 1.2 * max(memory[: n // 2])
        time.sleep(1)  # the last upload is deleted after its answer
        assert list(server.folder.glob("songgenre-*/*")) == []
    tell(capsys, "uploads", n, outcomes)


def test_killed_predictions_leave_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    n = 4 * FACTOR
    chance = random.Random(0)
    music = tmp_path / "music"
    music.mkdir()
    for seed in range(40):
        soundfile.write(music / f"{seed}.wav", np.random.default_rng(seed).normal(scale=0.1, size=66_000), 22_050)
    outcomes: Counter[object] = Counter()
    for number in range(n):
        temporary = tmp_path / f"temporary-{number}"
        temporary.mkdir()
        how = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL][number % 4]
        with subprocess.Popen(
            [sys.executable, "-m", "songgenre", "predict", "--json", music],
            env=os.environ | {"TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # SIGINT is ignored where tests run in the background
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as command:
            time.sleep(chance.uniform(0.3, 4))
            started = [child for child in psutil.Process(command.pid).children(recursive=True) if child.is_running()]
            if how == signal.SIGINT:
                os.killpg(command.pid, how)  # as a terminal does
            else:
                command.send_signal(how)
            _, errors = command.communicate(timeout=60)
        _, alive = psutil.wait_procs(started, timeout=20)
        assert alive == []
        assert "Traceback" not in errors
        if how != signal.SIGKILL:
            assert list(temporary.iterdir()) == []
        outcomes[how.name] += 1
    tell(capsys, "killed predictions", n, outcomes)
