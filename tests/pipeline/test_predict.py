"""Models that were changed, or that no longer fit the parameters, are not used silently."""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from songgenre.models.pretrained.archive import load_archive
from songgenre.paths import Project
from songgenre.tables.files import read_table, write_table
from songgenre.tables.tracks import TRACKS

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def changed(small: "Clone", tmp_path_factory: pytest.TempPathFactory) -> "Clone":
    """A copy whose model is not what its stage wrote, and whose parameters do not fit another."""
    clone = small.copy(tmp_path_factory.mktemp("changed") / "clone")
    file = Project(clone.root).model("transfer") / "transfer.skops"
    as_written = file.read_bytes()
    file.unlink()
    file.write_bytes(as_written + b"\0")
    params = clone.root / "params.yaml"
    params.write_text(params.read_text().replace("  n_mfcc: 20", "  n_mfcc: 13"))
    return clone


def predict(clone: "Clone", *options: str) -> "subprocess.CompletedProcess[str]":
    song = next(iter(sorted(Project(clone.root).audio.iterdir())))
    command = ["songgenre", "predict", "--json", *options, str(song)]
    return subprocess.run(command, cwd=clone.root, text=True, capture_output=True)


def test_a_model_that_does_not_fit_the_parameters_says_so(changed: "Clone") -> None:
    ended = predict(changed, "--model", "sklearn")
    assert ended.returncode == 1
    assert "dvc repro" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_model_that_is_not_what_its_stage_wrote_is_refused_unless_it_is_trusted(changed: "Clone") -> None:
    refused = predict(changed, "--model", "transfer")
    assert refused.returncode == 1
    assert "models/transfer" in refused.stderr
    assert json.loads(predict(changed, "--model", "transfer", "--skip-hash-check").stdout)["model"] == "transfer"


def test_the_songs_of_a_project_become_one_file_that_predicts_anywhere(small: "Clone", tmp_path: Path) -> None:
    clone, file = small.copy(tmp_path / "clone"), tmp_path / "mine.songgenre"
    clone.run("songgenre", "model", "export", "mine", "--to", str(file))
    first = file.read_bytes()
    clone.run("songgenre", "model", "export", "mine", "--to", str(file))
    assert file.read_bytes() == first
    tracks = read_table(TRACKS, Project(clone.root).tracks)
    songs = [str(Project(clone.root).audio / name) for name in tracks["audio_path"].head(3)]
    predicted = clone.run("songgenre", "predict", "--json", "--model", str(file), *songs).splitlines()
    assert [set(json.loads(line)["probabilities"]) for line in predicted] == [set(tracks["genre"])] * 3
    card = load_archive(file).card
    assert all(genre in card for genre in tracks["genre"])


def test_a_genre_of_few_artists_is_no_model(small: "Clone", tmp_path: Path) -> None:
    clone = small.copy(tmp_path / "clone")
    path = Project(clone.root).tracks
    tracks = read_table(TRACKS, path)
    genre = tracks["genre"].iloc[0]
    path.unlink()
    write_table(tracks.assign(artist_group=tracks["artist_group"].mask(tracks["genre"] == genre, "one")), TRACKS, path)
    command = ["songgenre", "model", "export", "mine", "--to", str(tmp_path / "mine.songgenre")]
    ended = subprocess.run(command, cwd=clone.root, text=True, capture_output=True)
    assert ended.returncode == 1
    assert repr(genre) in ended.stderr
    assert "Traceback" not in ended.stderr
