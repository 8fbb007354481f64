"""Real audio files for the tests, and the page that judges songs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile

from songgenre.errors import UserError
from songgenre.evaluation import Metrics
from songgenre.models import weights

ROOT = Path(__file__).parents[1]


class Server(NamedTuple):
    """`songgenre serve`, and where it puts temporary files."""

    process: subprocess.Popen[str]
    url: str
    folder: Path


@pytest.fixture(scope="session")
def write_audio() -> Callable[..., Path]:
    """Write samples to a file in the format that its ending names."""

    def write(path: Path, y: np.ndarray, sample_rate: int = 22_050, **options: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".opus":
            options |= {"format": "OGG", "subtype": "OPUS"}
        if path.suffix == ".aif":
            options |= {"format": "AIFF"}
        soundfile.write(path, y, sample_rate, **options)
        return path

    return write


@pytest.fixture(scope="session")
def tone() -> Callable[..., np.ndarray]:
    """A sine, in one channel [shape=(n,)]."""

    def make(seconds: float = 2, sample_rate: int = 22_050, frequency: float = 440, level: float = 0.3) -> np.ndarray:
        return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * sample_rate)) / sample_rate)

    return make


@pytest.fixture(scope="session")
def melody() -> Callable[..., np.ndarray]:
    """Random notes, another tune for each seed."""

    def make(seed: int, seconds: float = 8, sample_rate: int = 22_050) -> np.ndarray:
        rng = np.random.default_rng(seed)
        t = np.arange(-(-sample_rate // 4)) / sample_rate
        frequencies = 261.6 * 2 ** (rng.integers(17, size=round(4 * seconds)) / 12)
        notes = [sum(np.sin(2 * np.pi * f * k * t) / k for k in range(1, 6)) for f in frequencies]
        return 0.2 * np.concatenate([np.exp(-6 * t) * note for note in notes])[: round(seconds * sample_rate)]

    return make


@pytest.fixture(scope="session")
def real_music() -> Path:
    """A folder of real songs, in which no recording is twice, with a `tracks.csv`."""
    named = os.environ.get("SONGGENRE_REAL_MUSIC")
    if not named or not (Path(named) / "tracks.csv").is_file():
        pytest.skip("No real music: name a folder with a tracks.csv in SONGGENRE_REAL_MUSIC")
    return Path(named)


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[Server]]:
    """Start `songgenre serve`, which ends with the context."""
    try:
        weights.download(ROOT / "data" / "cache" / "wheels")
    except UserError as error:
        pytest.skip(f"No published weights: {error}")

    @contextmanager
    def start(*options: str) -> Iterator[Server]:
        folder = tmp_path_factory.mktemp("temporary")
        command = [str(Path(sys.executable).with_name("songgenre")), "serve", "--port", "0", *options]
        environment = os.environ | {"TMPDIR": str(folder)}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            assert said.startswith("Drop a song on http://"), process.communicate()
            yield Server(process, said.split()[4].rstrip("/,"), folder)
        finally:
            process.terminate()
            process.communicate(timeout=60)

    return start


@pytest.fixture(scope="session")
def measured() -> Callable[[float], Metrics]:
    """Metrics of a model with an accuracy."""

    def make(accuracy: float) -> Metrics:
        return Metrics(
            accuracy=accuracy,
            macro_f1=accuracy,
            ci95=(accuracy - 0.1, accuracy + 0.1),
            top2_accuracy=0.9,
            log_loss=0.6,
            calibration_error=0.1,
            n_test=48,
            per_genre={"jazz": 0.5, "rock": accuracy},
            precision={"jazz": 0.5, "rock": accuracy},
            recall={"jazz": 0.5, "rock": accuracy},
            data_hash="0" * 12,
            model_hash="1" * 12,
        )

    return make
