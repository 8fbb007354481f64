"""A pipeline that has run: on a small corpus of eight genres and, among the slow tests, on the demo."""

import getpass
import json
import re
import socket
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from songgenre.evaluation import similarity
from songgenre.evaluation.files import read_metrics
from songgenre.evaluation.metrics import compare_models, genre_names
from songgenre.notebook.provenance import SCRIPT
from songgenre.paths import Project
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.embeddings import EMBEDDINGS
from songgenre.tables.excluded import EXCLUDED
from songgenre.tables.files import read_table
from songgenre.tables.predictions import PREDICTIONS
from songgenre.tables.tracks import TRACKS

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration
NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
BUILT = ["data/raw", "data/clean", "data/features", "data/pretrained", "models", "reports"]
UNTRACKED = {"downloads", "failed", "logs"}


def test_a_second_repro_has_nothing_to_do(built: "Clone") -> None:
    assert "up to date" in built.run("dvc", "repro")


def test_git_gets_the_lock_the_metrics_and_the_plots_and_dvc_the_rest(built: "Clone") -> None:
    committed = built.run("git", "show", "--name-only", "--format=", "HEAD").split()
    assert [
        name for name in committed if not re.match(r"dvc\.lock$|reports/(headline\.json$|metrics/|plots/)", name)
    ] == []
    assert built.run("git", "status", "--porcelain") == ""


def test_every_song_is_used_or_in_the_exclusion_log(project: Project) -> None:
    catalogue = read_table(CATALOGUE, project.catalogue)
    tracks = read_table(TRACKS, project.tracks)
    excluded = read_table(EXCLUDED, project.excluded)
    assert sorted([*tracks["track_id"], *excluded["track_id"]]) == sorted(catalogue["track_id"])


def test_no_artist_is_in_two_splits(project: Project) -> None:
    tracks = read_table(TRACKS, project.tracks)
    assert tracks.groupby("artist_group")["split"].nunique().eq(1).all()


def test_metrics_agree_with_predictions(project: Project) -> None:
    metrics = read_metrics(project.metrics("evaluation"))
    stages = ("sklearn", "cnn", "transfer", "evaluation")
    predictions = pd.concat(read_table(PREDICTIONS, project.predictions(stage)) for stage in stages)
    accuracy = (predictions["genre"] == predictions["predicted"]).groupby(predictions["model"]).mean()
    assert {model: measured.accuracy for model, measured in metrics.items()} == pytest.approx(accuracy.to_dict())


def test_every_genre_has_metrics_and_something_is_learnt(project: Project) -> None:
    genres = sorted(read_table(TRACKS, project.tracks)["genre"].unique())
    metrics = read_metrics(project.metrics("evaluation"))
    assert all(list(measured.f1) == genres for measured in metrics.values())
    assert max(measured.accuracy for measured in metrics.values()) > metrics["baseline"].accuracy


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_executed_notebook_holds_no_noise(project: Project, name: str) -> None:
    notebook = nbformat.read(project.executed(name), as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.output_type == "stream"] == []
    text = nbformat.writes(notebook)
    assert str(project.root) not in text
    assert str(Path.home()) + "/" not in text


def test_dvc_shows_metrics_plots_and_graph(built: "Clone", tmp_path: Path) -> None:
    shown = built.run("dvc", "metrics", "show", COLUMNS="120")
    assert "ci95_low" in shown
    assert max(map(len, shown.splitlines())) <= 120
    assert "evaluation" in built.run("dvc", "dag")
    built.run("dvc", "plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    for plot in ("model_comparison", "learning_curve_cnn", "confusion_cnn"):
        assert plot in page


def test_cards_tell_what_was_trained_and_on_what(built: "Clone", project: Project, tmp_path: Path) -> None:
    copy = built.copy(tmp_path / "clone")
    copy.run("songgenre", "dev", "cards")
    model, data = ((copy.root / "docs" / f"{name}_card.md").read_text() for name in ("model", "data"))
    metrics = read_metrics(project.metrics("evaluation"))
    best = model.splitlines()[0].removeprefix("# Model card: ").replace(" ", "_")
    accuracy = metrics[best].accuracy
    assert accuracy == compare_models(metrics)["accuracy"].max()
    nested = pd.read_csv(project.plot("nested")).set_index("model")["accuracy"]
    assert f"test songs the accuracy is {accuracy:.3f}" in model
    assert best not in nested or f"**{nested[best]:.3f}**" in model
    for genre, songs in read_table(TRACKS, project.tracks).groupby("genre"):
        counts = [songs["split"].eq(split).sum() for split in ("train", "validation", "test")]
        row = [genre, len(songs), songs["artist"].nunique(), *counts]
        assert f"| {' | '.join(map(str, row))} |" in data
    pages = {name: (project.html / f"{name}.html").read_text() for name in ("model_card", "data_card", "index")}
    for page in pages.values():
        assert set(re.findall(r'href="(\w+_card)\.html"', page)) == {"model_card", "data_card"}
    assert 'href="data_card.html"' in pages["model_card"]
    assert f"{accuracy:.3f}" in pages["model_card"]
    assert best not in nested or f"<strong>{nested[best]:.3f}</strong>" in pages["model_card"]
    assert "<table" in pages["data_card"]


@pytest.fixture(scope="module")
def some_test_songs(project: Project) -> pd.DataFrame:
    """A test song of each of a few genres of the demo, and one of the small corpus."""
    tracks = read_table(TRACKS, project.tracks)
    songs = tracks[tracks["split"] == "test"].groupby("genre").head(1)
    return songs[:4] if "demo" in set(songs["collection"]) else songs[:1]


@pytest.mark.parametrize(
    "model", ["sklearn", "ensemble", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cnn", "transfer"))]
)
def test_predict_says_what_the_notebook_said(
    built: "Clone", project: Project, some_test_songs: pd.DataFrame, model: str
) -> None:
    stage = "evaluation" if model == "ensemble" else model
    said = read_table(PREDICTIONS, project.predictions(stage))
    best = said["model"].iloc[0]
    if model == "sklearn":
        best = compare_models(read_metrics(project.metrics("sklearn"))).index[0]
    said = said[said["model"] == best].set_index("track_id").loc[some_test_songs["track_id"]]
    files = [f"data/raw/audio/{name}" for name in some_test_songs["audio_path"]]
    lines = built.run("songgenre", "predict", "--json", "--model", model, *files).splitlines()
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    assert [answer["file"] for answer in answers] == files
    assert {answer["model"] for answer in answers} == {best}
    genres = genre_names(said)
    given = pd.DataFrame([answer["probabilities"] for answer in answers])[genres]
    np.testing.assert_allclose(given, said[[f"p_{genre}" for genre in genres]], atol=1e-4)
    assert [answer["genre"] for answer in answers] == list(said["predicted"])


def test_what_sounds_similar_is_named_and_is_not_the_song_itself(
    built: "Clone", project: Project, some_test_songs: pd.DataFrame
) -> None:
    song = some_test_songs.iloc[0]
    lines = built.run("songgenre", "similar", f"data/raw/audio/{song['audio_path']}", "--json").splitlines()
    found = pd.DataFrame([json.loads(line) for line in lines])
    assert list(found.columns) == ["track_id", "title", "artist", "genre", "similarity"]
    assert len(found) == 10
    assert song["track_id"] not in set(found["track_id"])
    assert found["similarity"].is_monotonic_decreasing
    tracks = read_table(TRACKS, project.tracks).set_index("track_id")
    assert list(found["genre"]) == list(tracks.loc[found["track_id"], "genre"])


def traces(root: Path) -> set[bytes]:
    """The folder of a clone, of this project and of this user, the name of this machine, and the date."""
    now = datetime.now()
    dates = [now.strftime(form) for form in ("%Y-%m-%d", "%d %b %Y", "%b %d, %Y", "%a %b %d")]
    names = [str(root), str(Path(__file__).parents[2]), f"{Path.home()}/", f"/{getpass.getuser()}/"]
    if len(socket.gethostname()) > len("host"):  # a shorter one stands in compressed music by chance
        names.append(socket.gethostname())
    return {text.encode() for text in [*dates, *names]}


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and those that it holds in compressed form."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield str(table.schema.metadata).encode()
        yield table.to_pandas().select_dtypes(exclude="number").to_csv().encode()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from map(archive.read, archive.namelist())


def found(root: Path, sought: set[bytes]) -> dict[str, set[bytes]]:
    """The files below the folders that stages write in which something of what is sought stands."""
    files = [path for folder in BUILT for path in (root / folder).rglob("*") if path.is_file() and path.name != SCRIPT]
    assert len(files) > 100
    held = {
        str(path.relative_to(root)): {text for content in contents(path) for text in sought if text in content}
        for path in files
        if not UNTRACKED & set(path.parts)
    }
    return {name: texts for name, texts in held.items() if texts}


def test_nothing_that_is_built_tells_where_when_and_by_whom(built: "Clone") -> None:
    assert found(built.root, traces(built.root)) == {}


@pytest.mark.parametrize("name", ["reports/metrics/cnn.json", "models/cnn/cnn.keras", "data/clean/tracks.parquet"])
def test_traces_would_be_found(built: "Clone", name: str) -> None:
    words = {"reports/metrics/cnn.json": b"accuracy", "models/cnn/cnn.keras": b"conv2d"}
    assert name in found(built.root, {words.get(name, b"artist_group")})


@pytest.fixture(scope="module")
def copy(small: "Clone", tmp_path_factory: pytest.TempPathFactory) -> "Clone":
    return small.copy(tmp_path_factory.mktemp("copy") / "clone")


@pytest.mark.parametrize(
    "parameter", ["wrangling.seed=1", "features.n_mfcc=13", "transfer.folds=4", "evaluation.bootstrap_samples=500"]
)
def test_parameter_makes_its_own_stage_stale_and_no_other(copy: "Clone", parameter: str) -> None:
    section, key, value = re.split(r"[.=]", parameter)
    params = copy.root / "params.yaml"
    before = params.read_text()
    changed = re.sub(rf"({section}:\n(?:  .*\n|\n)*?  {key}: )[^\s#]+", rf"\g<1>{value}", before)
    assert changed != before
    params.write_text(changed)
    planned = copy.run("dvc", "repro", "--dry")
    params.write_text(before)
    assert re.findall(r"Running stage '(\w+)'", planned) == [section]


@pytest.mark.slow
def test_an_experiment_reruns_only_what_depends_on_it(copy: "Clone") -> None:
    printed = copy.run("dvc", "exp", "run", "--name", "more", "--set-param", "transfer.shrinkage=[0.3]")
    assert re.findall(r"Running stage '(\w+)'", printed) == ["transfer", "evaluation", "report"]
    shown = json.loads(copy.run("dvc", "exp", "show", "--json"))
    assert any(experiment["name"] == "more" for row in shown for experiment in row["experiments"] or [])


@pytest.fixture(scope="module")
def demo_project(demo: "Clone") -> Project:
    return Project(demo.root)


@pytest.mark.slow
def test_exclusion_log_names_every_kind_of_bad_song(demo_project: Project) -> None:
    tracks = read_table(TRACKS, demo_project.tracks)
    excluded = read_table(EXCLUDED, demo_project.excluded)
    assert tracks.groupby("genre").size().ge(40).all()
    assert excluded["reason"].value_counts().to_dict() == {
        "duplicate": 8,
        "ambiguous_genre": 6,
        "truncated": 1,
        "empty": 1,
        "silent": 1,
        "too_short": 1,
        "not_audio": 1,
        "unreadable": 1,
    }


@pytest.mark.slow
def test_every_genre_has_its_share_of_some_test_songs(demo_project: Project) -> None:
    tracks = read_table(TRACKS, demo_project.tracks)
    shares = pd.crosstab(tracks["genre"], tracks["split"], normalize="index")
    assert shares["test"].between(0.1, 0.3).all()


@pytest.mark.slow
def test_models_learn_something_but_not_everything(demo_project: Project) -> None:
    accuracy = {
        model: measured.accuracy for model, measured in read_metrics(demo_project.metrics("evaluation")).items()
    }
    assert accuracy["baseline"] < 0.35
    assert 0.75 < max(accuracy.values()) < 1
    assert accuracy["cnn"] > 0.5
    assert len({round(value, 3) for value in accuracy.values()}) > 3


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_stage_stays_under_three_gibibytes(demo_project: Project, name: str) -> None:
    log = json.loads(demo_project.log(name).read_text())
    assert 50 < log["peak_anonymous_mib"] < 3 * 1024


@pytest.mark.slow
def test_what_sounds_similar_is_mostly_of_the_same_genre(demo_project: Project) -> None:
    tracks = read_table(TRACKS, demo_project.tracks)
    precision = similarity.precision_at(10, read_table(EMBEDDINGS, demo_project.embeddings), tracks)
    assert precision > similarity.chance_precision(tracks) + 0.2
