"""The commands that use what the pipeline has built."""

import json
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from songgenre import evaluation, likeness, tables
from songgenre.paths import Project

if TYPE_CHECKING:
    from conftest import Clone

N_SONGS = 4


@pytest.fixture(scope="module")
def project(built: "Clone") -> Project:
    return Project(built.root)


@pytest.fixture(scope="module")
def test_songs(project: Project) -> pd.DataFrame:
    tracks = tables.read(tables.TRACKS, project.tracks)
    return tracks[tracks["split"] == "test"].groupby("genre").head(1)[:N_SONGS]


@pytest.mark.parametrize("model", ["sklearn", "cnn", "transfer", "ensemble"])
def test_predict_says_what_the_notebook_said(
    built: "Clone", project: Project, test_songs: pd.DataFrame, model: str
) -> None:
    stage = "evaluation" if model == "ensemble" else model
    said = tables.read(tables.PREDICTIONS, project.predictions(stage))
    best = said["model"].iloc[0]
    if model == "sklearn":
        best = evaluation.comparison(evaluation.read_metrics(project.metrics("sklearn"))).index[0]
    said = said[said["model"] == best].set_index("track_id").loc[test_songs["track_id"]]
    files = [f"data/raw/audio/{name}" for name in test_songs["audio_path"]]
    lines = built.run("songgenre", "predict", "--json", "--model", model, *files).splitlines()
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    assert [answer["file"] for answer in answers] == files
    assert {answer["model"] for answer in answers} == {best}
    genres = evaluation.genre_names(said)
    given = pd.DataFrame([answer["probabilities"] for answer in answers])[genres]
    np.testing.assert_allclose(given, said[[f"p_{genre}" for genre in genres]], atol=1e-4)
    assert [answer["genre"] for answer in answers] == list(said["predicted"])


def test_a_model_that_does_not_fit_the_parameters_says_so(built: "Clone", test_songs: pd.DataFrame) -> None:
    text = (built.root / "params.yaml").read_text()
    (built.root / "params.yaml").write_text(text.replace("  n_mfcc: 20", "  n_mfcc: 13"))
    try:
        command = ["songgenre", "predict", "--model", "sklearn", f"data/raw/audio/{test_songs['audio_path'].iloc[0]}"]
        ended = subprocess.run(command, cwd=built.root, text=True, capture_output=True)
    finally:
        (built.root / "params.yaml").write_text(text)
    assert ended.returncode == 1
    assert "Run `dvc repro`" in ended.stderr


def test_what_sounds_similar_is_named_and_is_not_the_song_itself(
    built: "Clone", project: Project, test_songs: pd.DataFrame
) -> None:
    song = test_songs.iloc[0]
    lines = built.run("songgenre", "similar", f"data/raw/audio/{song['audio_path']}", "--json").splitlines()
    found = pd.DataFrame([json.loads(line) for line in lines])
    assert list(found.columns) == ["track_id", "title", "artist", "genre", "similarity"]
    assert len(found) == 10
    assert song["track_id"] not in set(found["track_id"])
    assert found["similarity"].is_monotonic_decreasing
    tracks = tables.read(tables.TRACKS, project.tracks).set_index("track_id")
    assert list(found["genre"]) == list(tracks.loc[found["track_id"], "genre"])


def test_what_sounds_similar_is_mostly_of_the_same_genre(project: Project) -> None:
    tracks = tables.read(tables.TRACKS, project.tracks)
    heard = likeness.precision_at(10, tables.read(tables.EMBEDDINGS, project.embeddings), tracks)
    assert heard > likeness.precision_by_chance(tracks) + 0.2


def test_model_that_is_not_what_its_stage_wrote_is_refused_unless_it_is_trusted(
    built: "Clone", project: Project, test_songs: pd.DataFrame
) -> None:
    file = project.model("transfer") / "transfer.skops"
    song = str(project.audio / test_songs["audio_path"].iloc[0])
    as_written, mode = file.read_bytes(), file.stat().st_mode
    file.unlink()
    file.write_bytes(as_written + b"\0")
    try:
        with pytest.raises(AssertionError, match=r"Error: Expected .*models/transfer to have the hash"):
            built.run("songgenre", "predict", "--model", "transfer", song)
        assert "transfer" in built.run(
            "songgenre", "predict", "--json", "--model", "transfer", "--trust-changed-model", song
        )
    finally:
        file.write_bytes(as_written)
        file.chmod(mode)
