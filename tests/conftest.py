"""Real audio files for the tests, the page that judges songs, and clones of the project."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile
from ruamel.yaml import YAML

from songgenre import tables
from songgenre.errors import UserError
from songgenre.evaluation import Metrics
from songgenre.models import weights
from songgenre.paths import Project

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "GIT_AUTHOR_NAME": "tests",
    "GIT_AUTHOR_EMAIL": "tests@localhost",
    "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@localhost",
    "DVC_NO_ANALYTICS": "true",
    "NO_COLOR": "1",
}
SMALL = {
    "scraping.demo.songs_per_genre": 16,
    "scraping.demo.artists_per_genre": 8,
    "eda.songs_per_genre": 1,
    "sklearn.folds": 2,
    "sklearn.repeats": 1,
    "sklearn.importance_repeats": 1,
    "cnn.epochs": 2,
    "cnn.ablation_epochs": 1,
    "transfer.folds": 2,
    "transfer.repeats": 1,
    "transfer.shrinkage": [0.2],
    "evaluation.bootstrap_samples": 200,
}
"""Parameters of a run that takes a minute."""


class Server(NamedTuple):
    """`songgenre serve`, and where it puts temporary files."""

    process: subprocess.Popen[str]
    url: str
    folder: Path


class Clone:
    """A clone of the project with an empty DVC cache."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, umask: int = -1, **variables: str) -> str:
        ended = subprocess.run(
            command,
            cwd=self.root,
            env=ENVIRONMENT | variables,
            umask=umask,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}"
        return ended.stdout

    def written(self, *folders: str) -> dict[str, Any]:
        """All that the stages left behind in some folders, by its path, and what DVC notes of it."""
        paths = sorted(path for folder in folders for path in (self.root / folder).rglob("*"))
        sums = {str(path.relative_to(self.root)): sha256(path) for path in paths}
        return sums | {"dvc.lock": YAML(typ="safe").load(self.root / "dvc.lock")}

    def forget(self, stage: str) -> list[str]:
        """Remove what a stage wrote, and what DVC would need to restore it without a run; say what that was."""
        yaml = YAML(typ="safe")
        lock = yaml.load(self.root / "dvc.lock")
        outs = [out["path"] for out in lock["stages"].pop(stage, {"outs": []})["outs"]]
        for path in (self.root / out for out in outs):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        yaml.dump(lock, self.root / "dvc.lock")
        shutil.rmtree(self.root / ".dvc" / "cache" / "runs", ignore_errors=True)
        return outs


def sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


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
def write_corpus(
    write_audio: Callable[..., Path], tone: Callable[..., np.ndarray]
) -> Callable[[Project], pd.DataFrame]:
    """Give a project twelve songs of two genres, as its stages would leave them; says which."""

    def write(project: Project) -> pd.DataFrame:
        numbers = np.arange(12)
        genres = np.where(numbers % 2, "hip-hop", "classical")
        ids = [f"demo-{number:012x}" for number in numbers]
        tracks = pd.DataFrame(
            {
                "track_id": ids,
                "audio_path": [f"{track_id}.wav" for track_id in ids],
                "sha256": [f"{number:064x}" for number in numbers],
                "genre": genres,
                "title": ["<b>Loud</b> & clear", None, *(f"Song {number}" for number in numbers[2:])],
                "artist": [None, *(f"Artist {number // 4}" for number in numbers[1:])],
                "artist_group": [f"artist {number // 4}" for number in numbers],
                "collection": "demo",
                "duration_s": 12.0,
                "sample_rate": 22_050,
                "channels": 1,
                "clip_start_s": 0.0,
                "clip_duration_s": 12.0,
                "split": "test",
            }
        )
        for number, name in enumerate(tracks["audio_path"]):
            write_audio(project.audio / name, tone(12, frequency=220 + 20 * number))
        rng = np.random.default_rng(0)
        heard = rng.normal(size=(12, 8)) + 6 * (numbers % 2)[:, np.newaxis]
        embeddings = pd.DataFrame(heard.astype(np.float32)).add_prefix("MSD_").assign(track_id=ids)
        mel_index = pd.DataFrame(
            {"track_id": ids, "row": numbers, "sample_rate": 22_050, "hop_length": 512, "db_max": 0.0, "db_range": 80.0}
        )
        said = np.where(numbers == 3, "classical", genres)
        predictions = pd.DataFrame({"track_id": ids, "model": "svm", "genre": genres, "predicted": said})
        for genre in ("classical", "hip-hop"):
            predictions[f"p_{genre}"] = np.where(said == genre, 0.9, 0.1)
        excluded = pd.DataFrame({"track_id": ["demo-silent"], "reason": "silent", "detail": "its level is -200 dB"})
        tables.write(tracks, tables.TRACKS, project.tracks)
        tables.write(excluded, tables.EXCLUDED, project.excluded)
        tables.write(embeddings, tables.EMBEDDINGS, project.embeddings)
        tables.write(mel_index, tables.MEL_INDEX, project.mel_index)
        tables.write(predictions, tables.PREDICTIONS, project.predictions("sklearn"))
        np.save(project.mel, rng.integers(0, 256, size=(12, 32, 517), dtype=np.uint8))
        return tracks

    return write


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


@pytest.fixture(scope="session")
def fresh_clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Clone]:
    """Clone what git tracks or would track, in its present state."""

    def make(name: str = "clone") -> Clone:
        clone = Clone(tmp_path_factory.mktemp(name))
        listed = subprocess.check_output(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
        )
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (clone.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, clone.root / name)
        clone.run("git", "init", "--quiet")
        clone.run("git", "add", "--all")
        clone.run("git", "commit", "--quiet", "--message", "As it is")
        return clone

    return make


@pytest.fixture(scope="session")
def small_clone(fresh_clone: Callable[..., Clone]) -> Callable[..., Clone]:
    """Clone with parameters under which the pipeline takes a minute."""

    def make(name: str = "small") -> Clone:
        clone = fresh_clone(name)
        shrink(clone.root / "params.yaml")
        clone.run("git", "commit", "--quiet", "--all", "--message", "Smaller")
        return clone

    return make


@pytest.fixture(scope="session")
def small(small_clone: Callable[..., Clone]) -> Clone:
    """A small clone after `dvc repro`, and what it wrote committed."""
    clone = small_clone()
    clone.run("dvc", "repro")
    clone.run("git", "commit", "--quiet", "--all", "--message", "Built")
    return clone


def shrink(path: Path) -> None:
    yaml = YAML()
    params = yaml.load(path)
    for name, value in SMALL.items():
        *sections, key = name.split(".")
        section = params
        for part in sections:
            section = section[part]
        section[key] = value
    yaml.dump(params, path)
