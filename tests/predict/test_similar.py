import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.predict.similar import find_similar
from songgenre.tables.embeddings import EMBEDDINGS
from songgenre.tables.files import write_table
from songgenre.tables.tracks import TRACKS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one song."""
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(ROOT / "params.yaml", root)
    project = Project(root)
    song = {
        "track_id": "folder-0123456789ab",
        "audio_path": "folder-0123456789ab.wav",
        "sha256": "0" * 64,
        "genre": "rock",
        "title": "Jóga",
        "artist": "Björk",
        "artist_group": "björk",
        "collection": "folder",
        "duration_s": 30.0,
        "sample_rate": 22_050,
        "channels": 1,
        "clip_start_s": 0.0,
        "clip_duration_s": 30.0,
        "split": "train",
    }
    write_table(pd.DataFrame([song]), TRACKS, project.tracks)
    write_table(pd.DataFrame([{"track_id": song["track_id"], "e_0": 1.0}]), EMBEDDINGS, project.embeddings)
    return project


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(44_100), np.full(2000, 0.1), np.eye(1, 44_100, 9)[0] * 1e30])
def test_song_without_a_usable_sound_is_refused(
    project: Project, tmp_path: Path, write_audio: Callable[..., Path], samples: np.ndarray
) -> None:
    path = write_audio(tmp_path / "song.wav", samples, subtype="FLOAT")
    with pytest.raises(UserError, match=r"song\.wav"):
        find_similar(project, path)


def test_missing_song_is_named(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.wav.*No such file"):
        find_similar(project, tmp_path / "nowhere.wav")
