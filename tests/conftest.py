"""Real audio files for the tests, the page that classifies songs, and clones of the project."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple, Self

import av
import numpy as np
import pandas as pd
import pytest
import soundfile
from filelock import FileLock
from ruamel.yaml import YAML

from songgenre.errors import UserError
from songgenre.evaluation.metrics import Metrics
from songgenre.models import musicnn_weights
from songgenre.paths import Project
from songgenre.tables.embeddings import EMBEDDINGS
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import write_table
from songgenre.tables.mel_index import MEL_INDEX
from songgenre.tables.predictions import PREDICTIONS
from songgenre.tables.tracks import TRACKS

ROOT = Path(__file__).parents[1]
GENRES = ["Blues", "Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental", "International", "Pop"]
"""Of the small corpus: others than those of the demo, and more."""
ARTISTS, SONGS_PER_ARTIST = 5, 3
SECONDS, SAMPLE_RATE = 4, 22_050
FEW_MODELS = ("baseline", "logistic_regression", "svm")
SMALL: dict[str, dict[str, Any]] = {
    "wrangling": {"min_duration_s": 3.0, "clip_duration_s": 4.0},
    "eda": {"compared_genres": ["Blues", "Pop"], "songs_per_genre": 1},
    "features": {"feature_set": "basic"},
    "sklearn": {
        "folds": 2,
        "repeats": 1,
        "soft_voting_members": ["logistic_regression", "svm"],
        "permutation_repeats": 1,
    },
    "cnn": {
        "epochs": 1,
        "ablation_epochs": 1,
        "network.filters": [4, 8],
        "sampling.crops_per_song": 1,
        "sampling.crop_frames": 64,
    },
    "transfer": {"folds": 2, "repeats": 1, "shrinkage": [0.2]},
    "evaluation": {"bootstrap_samples": 100},
}
"""Parameters of a run that takes a minute."""

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process that is started compiles all modules anew
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ |= {
    "DVC_NO_ANALYTICS": "true",
    "GIT_AUTHOR_NAME": "tests",
    "GIT_AUTHOR_EMAIL": "tests@localhost",
    "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@localhost",
}


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
            env=os.environ | {"NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull} | variables,
            umask=umask,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}"
        return ended.stdout

    def copy(self, root: Path) -> Self:
        """Copy everything, the cache of DVC included."""
        shutil.copytree(self.root, root, symlinks=True)
        return type(self)(root)

    def written(self, *folders: str) -> dict[str, Any]:
        """All that the stages left behind in some folders, by its path, and what DVC notes of it."""
        paths = sorted(path for folder in folders for path in (self.root / folder).rglob("*"))
        sums = {str(path.relative_to(self.root)): sha256(path) for path in paths if path.name != "provenance.js"}
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


CODECS = {
    "caf": "pcm_s16be",
    "flac": "flac",
    "m4a": "aac",
    "mka": "pcm_s16le",
    "mp3": "libmp3lame",
    "opus": "libopus",
    "wma": "wmav2",
    "wv": "wavpack",
}
"""An encoder for each format."""


@pytest.fixture(scope="session")
def write_tagged() -> Callable[..., Path]:
    """Write two seconds of silence with tags, in the format that the ending names."""

    def write(path: Path, **tags: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(path, "w") as container:
            container.metadata.update(tags)
            stream = container.add_stream(CODECS[path.suffix[1:]], rate=48_000, layout="mono")
            stream.codec_context.bit_rate = 96_000
            size = stream.codec_context.frame_size or 1024
            for _ in range(96_000 // size):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, size), np.int16), "s16", "mono")
                frame.sample_rate = 48_000
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
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
        write_table(tracks, TRACKS, project.tracks)
        write_table(excluded, EXCLUDED, project.excluded)
        write_table(embeddings, EMBEDDINGS, project.embeddings)
        write_table(mel_index, MEL_INDEX, project.mel_index)
        write_table(predictions, PREDICTIONS, project.predictions("sklearn"))
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
        musicnn_weights.download_wheel(ROOT / "data" / "cache" / "wheels")
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
            address = re.search(r"http://[^/\s]+", said)
            assert address, process.communicate()
            yield Server(process, address[0], folder)
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
            balanced_accuracy=accuracy,
            macro_f1=accuracy,
            ci95_low=accuracy - 0.1,
            ci95_high=accuracy + 0.1,
            top2_accuracy=0.9,
            log_loss=0.6,
            expected_calibration_error=0.1,
            n_test=48,
            f1={"jazz": 0.5, "rock": accuracy},
            precision={"jazz": 0.5, "rock": accuracy},
            recall={"jazz": 0.5, "rock": accuracy},
            data_hash="0" * 12,
            model_hash="1" * 12,
        )

    return make


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder once for all test processes, and for all runs of pytest that share `SONGGENRE_TEST_FOLDER`."""
    shared = tmp_path_factory.getbasetemp()
    if "SONGGENRE_TEST_FOLDER" in os.environ:
        shared = Path(os.environ["SONGGENRE_TEST_FOLDER"])
    elif "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, is_made = shared / name, shared / f"{name}.made"
        with FileLock(shared / f"{name}.lock"):
            if not is_made.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                is_made.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def music(made_once: Callable[..., Path], melody: Callable[..., np.ndarray], write_audio: Callable[..., Path]) -> Path:
    """A folder of short songs with a `tracks.csv`; each genre has a brightness and a pulse of its own."""

    def fill(folder: Path) -> None:
        rows = []
        t = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
        for number, genre in enumerate(GENRES):
            pulse = 1 + 0.8 * np.sin(2 * np.pi * (1 + number // 4 * 3) * t)
            for song in range(ARTISTS * SONGS_PER_ARTIST):
                noise = np.random.default_rng([number, song]).standard_normal(len(t)) * (number % 4) * 0.02
                write_audio(folder / genre / f"{song}.ogg", (melody(100 * number + song, SECONDS) + noise) * pulse)
                rows.append((f"{genre}/{song}.ogg", genre, f"{genre} band {song % ARTISTS}"))
        pd.DataFrame(rows, columns=["file", "genre", "artist"]).to_csv(folder / "tracks.csv", index=False)

    return made_once("music", fill)


@pytest.fixture(scope="session")
def clone_at() -> type[Clone]:
    return Clone


@pytest.fixture(scope="session")
def fresh_clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Clone]:
    """Clone what git tracks or would track, in its present state."""

    def make(root: Path | None = None) -> Clone:
        clone = Clone(root or tmp_path_factory.mktemp("clone"))
        listed = subprocess.check_output(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
        )
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (clone.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, clone.root / name)
        if (ROOT / "data" / "cache" / "wheels").is_dir():
            shutil.copytree(ROOT / "data" / "cache" / "wheels", clone.root / "data" / "cache" / "wheels")
        clone.run("git", "init", "--quiet")
        clone.run("git", "add", "--all")
        clone.run("git", "commit", "--quiet", "--message", "As it is")
        return clone

    return make


@pytest.fixture(scope="session")
def small_clone(fresh_clone: Callable[..., Clone]) -> Callable[..., Clone]:
    """Clone with a folder of music and parameters under which the pipeline takes a minute."""

    def make(music: Path, root: Path | None = None) -> Clone:
        clone = fresh_clone(root)
        shrink(clone.root / "params.yaml", music)
        agree(clone.root / "notebooks" / "02_wrangling.ipynb", SMALL["wrangling"])
        clone.run("git", "commit", "--quiet", "--all", "--message", "Smaller")
        return clone

    return make


@pytest.fixture(scope="session")
def small(made_once: Callable[..., Path], small_clone: Callable[..., Clone], music: Path) -> Clone:
    """A small clone after `dvc repro`, and what it wrote committed. Tests that change something take a copy."""

    def fill(root: Path) -> None:
        clone = small_clone(music, root)
        clone.run("dvc", "repro")
        clone.run("git", "add", "--all")
        clone.run("git", "commit", "--quiet", "--message", "Built")

    return Clone(made_once("small", fill))


def shrink(path: Path, music: Path) -> None:
    yaml = YAML()
    params = yaml.load(path)
    params["scraping"] |= {"source": "folder", "folder": str(music)}
    for section, values in SMALL.items():
        for name, value in values.items():
            *groups, key = name.split(".")
            reduce(getitem, groups, params[section])[key] = value
    for model in set(params["sklearn"]["grids"]) - set(FEW_MODELS):
        del params["sklearn"]["grids"][model]
    for grid in params["sklearn"]["grids"].values():
        grid |= {name: values[:1] for name, values in grid.items()}
    yaml.dump(params, path)


def agree(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Give a notebook, which may be run by hand, other parameters."""
    text = notebook.read_text()
    for name, value in parameters.items():
        text, n = re.subn(rf'(?<="{name} = )[^"\\]+', str(value), text)
        assert n == 1
    notebook.write_text(text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files: the small pipeline, what does not need it, what does, and the short tests."""

    def rank(item: pytest.Item) -> int:
        if item.path.name == "test_built.py":
            return 0
        if "small" in getattr(item, "fixturenames", ()):
            return 2
        return 1 if item.get_closest_marker("integration") or item.get_closest_marker("slow") else 3

    items.sort(key=rank)
