"""Real audio files for the tests."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from songgenre import tables
from songgenre.evaluation import Metrics
from songgenre.paths import Project


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
