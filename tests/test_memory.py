"""Hostile inputs take little memory, as measured in a process of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.integration

PEAK = """
import sys
from pathlib import Path

def peak_mib():
    '''ru_maxrss would begin with the peak of the process that started this one.'''
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024

"""


@pytest.fixture(autouse=True)
def _linux() -> None:
    if not Path("/proc/self/status").is_file():
        pytest.skip("This system does not tell the peak memory of a process")


def measure(code: str, *arguments: object) -> list[float]:
    """Run code in a process of its own, and read the numbers that it prints."""
    command = [sys.executable, "-c", PEAK + code, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return [float(line) for line in ended.stdout.split()]


PARSE = """
import resource
from songgenre.sources import pages
recording = b'<script type="application/ld+json">{"@type": "MusicRecording", "name": "x", "audio": "a.mp3"}</script>'
used = int(Path("/proc/self/status").read_text().partition("VmData:")[2].split()[0]) * 1024
pages.MAX_MEMORY_BYTES = used + (100 << 20)
parse = lambda body: pages.read_recordings(pages.Page("https://shop.example/", body, b"text/html", False))
assert len(parse(recording)) == 1
before = peak_mib()
try:
    print(len(parse(b"<br>" * 1_250_000 + recording)))
except Exception:  # lxml tells of no memory in several ways, and each refuses the page
    print(-1)
print(peak_mib() - before)
print(len(parse(recording)))
"""


def test_parser_of_pages_stays_below_its_limit_and_parses_on() -> None:
    """Without the limit, this page takes 330 MiB."""
    n_recordings, growth_mib, n_afterwards = measure(PARSE)
    assert n_recordings == -1
    assert growth_mib < 110
    assert n_afterwards == 1


VALIDATE = """
from songgenre.audio import center_clip
from songgenre.wrangling.validation import validate_audio
small, *hostile = map(Path, sys.argv[1:])
place = lambda duration_s: [center_clip(duration_s, 30)]
validate_audio(small, 1, -60, place)
for path in hostile:
    before = peak_mib()
    validate_audio(path, 1, -60, place)
    print(peak_mib() - before)
"""


def announcing(content: bytes, suffix: str) -> bytes:
    """Let the header of a file announce the largest length."""
    match suffix:
        case ".wav":
            place = content.index(b"data") + 4
            return content[:4] + b"\xfe" * 4 + content[8:place] + b"\xfe" * 4 + content[place + 4 :]
        case ".aiff":
            frames, data = content.index(b"COMM") + 10, content.index(b"SSND") + 4
            content = content[:frames] + b"\xff" * 4 + content[frames + 4 :]
            return content[:4] + b"\x7f" * 4 + content[8:data] + b"\x7f" * 4 + content[data + 4 :]
        case ".caf":
            place = content.index(b"data") + 4
            return content[:place] + b"\x3f" + b"\xff" * 7 + content[place + 8 :]
        case ".flac":
            return content[:21] + bytes([content[21] | 0x0F]) + b"\xff" * 4 + content[26:]
    raise ValueError(suffix)


def test_files_that_announce_a_huge_length_take_no_memory_for_it(
    tmp_path: Path, write_audio: Callable[..., Path], tone: Callable[..., np.ndarray]
) -> None:
    suffixes = [".wav", ".aiff", ".caf", ".flac"]
    hostile = [write_audio(tmp_path / f"huge{suffix}", tone(3)) for suffix in suffixes]
    for path in hostile:
        whole = path.read_bytes()
        path.write_bytes(announcing(whole, path.suffix))
        assert path.read_bytes() != whole
    growths_mib = measure(VALIDATE, write_audio(tmp_path / "small.wav", tone(3)), *hostile)
    assert len(growths_mib) == len(suffixes)
    assert max(growths_mib) < 60, dict(zip(suffixes, growths_mib, strict=True))


LOAD = """
from songgenre.errors import UserError
from songgenre.params import load_params
load_params(Path(sys.argv[1]))
for path in map(Path, sys.argv[2:]):
    before = peak_mib()
    try:
        load_params(path)
        print(-1)
    except UserError:
        print(peak_mib() - before)
"""


def test_params_of_aliases_and_nested_lists_take_little_memory(tmp_path: Path) -> None:
    params = Path(__file__).parents[1] / "params.yaml"
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    hostile = {
        "laughs": laughs,
        "itself": "a: &a [*a, *a]\n",
        "deep": "a: " + "[" * 20_000,
        "long": "a: " + "9" * 5_000,
    }
    for name, text in hostile.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "params.yaml").write_text(params.read_text() + text)
    growths_mib = measure(LOAD, params, *(tmp_path / name / "params.yaml" for name in hostile))
    assert all(0 <= growth < 60 for growth in growths_mib), dict(zip(hostile, growths_mib, strict=True))
