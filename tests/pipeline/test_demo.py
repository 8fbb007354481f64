"""The whole pipeline on the demo corpus, in a fresh clone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pandas as pd
import pytest

from songgenre import evaluation, tables
from songgenre.paths import Project

if TYPE_CHECKING:
    from conftest import Clone

NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def project(built: "Clone") -> Project:
    return Project(built.root)


def test_a_second_repro_has_nothing_to_do(built: "Clone") -> None:
    assert "up to date" in built.run("dvc", "repro")
    assert "up to date" in built.run("dvc", "status")


def test_git_gets_the_lock_the_metrics_and_the_plots_and_dvc_the_rest(built: "Clone") -> None:
    committed = built.run("git", "show", "--name-only", "--format=", "HEAD").split()
    assert [name for name in committed if not re.match(r"dvc\.lock$|reports/(metrics|plots)/", name)] == []


def test_every_song_is_used_or_in_the_ledger(project: Project) -> None:
    catalogue = tables.read(tables.CATALOGUE, project.catalogue)
    tracks = tables.read(tables.TRACKS, project.tracks)
    excluded = tables.read(tables.EXCLUDED, project.excluded)
    assert sorted([*tracks["track_id"], *excluded["track_id"]]) == sorted(catalogue["track_id"])
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


def test_no_artist_is_in_two_splits(project: Project) -> None:
    tracks = tables.read(tables.TRACKS, project.tracks)
    assert tracks.groupby("artist_group")["split"].nunique().eq(1).all()
    shares = pd.crosstab(tracks["genre"], tracks["split"], normalize="index")
    assert shares["test"].between(0.1, 0.3).all()


def test_metrics_agree_with_predictions(project: Project) -> None:
    metrics = evaluation.read_metrics(project.metrics("evaluation"))
    stages = ("sklearn", "cnn", "transfer", "evaluation")
    said = pd.concat(tables.read(tables.PREDICTIONS, project.predictions(stage)) for stage in stages)
    accuracy = (said["genre"] == said["predicted"]).groupby(said["model"]).mean()
    assert {model: measured.accuracy for model, measured in metrics.items()} == pytest.approx(accuracy.to_dict())


def test_models_learn_something_but_not_everything(project: Project) -> None:
    accuracy = {
        model: measured.accuracy for model, measured in evaluation.read_metrics(project.metrics("evaluation")).items()
    }
    assert accuracy["baseline"] < 0.35
    assert 0.75 < max(accuracy.values()) < 1
    assert accuracy["cnn"] > 0.5
    assert len({round(value, 3) for value in accuracy.values()}) > 3


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_executed_notebook_holds_no_noise(project: Project, name: str) -> None:
    notebook = nbformat.read(project.executed(name), as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.output_type == "stream"] == []
    text = nbformat.writes(notebook)
    assert str(project.root) not in text
    assert str(Path.home()) + "/" not in text


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_stage_stays_under_three_gibibytes(project: Project, name: str) -> None:
    log = json.loads(project.log(name).read_text())
    assert 50 < log["peak_anonymous_mib"] < 3 * 1024


@pytest.mark.parametrize(
    "parameter", ["wrangling.seed=1", "features.n_mfcc=13", "transfer.folds=4", "evaluation.bootstrap_samples=500"]
)
def test_parameter_makes_its_own_stage_stale_and_no_other(built: "Clone", parameter: str) -> None:
    section, key, value = re.split(r"[.=]", parameter)
    params = built.root / "params.yaml"
    before = params.read_text()
    changed = re.sub(rf"({section}:\n(?:  .*\n|\n)*?  {key}: )[^\s#]+", rf"\g<1>{value}", before)
    assert changed != before
    params.write_text(changed)
    try:
        planned = built.run("dvc", "repro", "--dry")
    finally:
        params.write_text(before)
    assert re.findall(r"Running stage '(\w+)'", planned) == [section]


def test_dvc_shows_metrics_plots_and_graph(built: "Clone") -> None:
    assert "svm" in built.run("dvc", "metrics", "show", "--json")
    assert "evaluation" in built.run("dvc", "dag")
    built.run("dvc", "plots", "show", "--out", "plots")
    page = (built.root / "plots" / "index.html").read_text()
    for plot in ("Accuracy on artists never heard", "Learning curve of the CNN", "Confusions of the CNN"):
        assert plot in page


@pytest.fixture
def restored(small: "Clone") -> Iterator["Clone"]:
    """The small clone, which is afterwards as it was built."""
    yield small
    small.run("git", "reset", "--quiet", "--hard")
    small.run("dvc", "checkout", "--force")


@pytest.mark.parametrize(
    ("parameter", "stages"),
    [
        ("sklearn.folds=3", ["sklearn", "evaluation", "report"]),
        ("cnn.epochs=3", ["cnn", "evaluation", "report"]),
    ],
)
def test_an_experiment_reruns_only_what_depends_on_it(restored: "Clone", parameter: str, stages: list[str]) -> None:
    said = restored.run("dvc", "exp", "run", "--name", stages[0], "--set-param", parameter)
    assert re.findall(r"Running stage '(\w+)'", said) == stages
    shown = json.loads(restored.run("dvc", "exp", "show", "--json"))
    assert any(experiment["name"] == stages[0] for row in shown for experiment in row["experiments"] or [])


def test_cards_tell_what_was_trained_and_on_what(built: "Clone", project: Project) -> None:
    built.run("songgenre", "report", "cards")
    model, data = ((built.root / "docs" / f"{name}_card.md").read_text() for name in ("model", "data"))
    built.run("git", "checkout", "--quiet", "docs")
    metrics = evaluation.read_metrics(project.metrics("evaluation"))
    accuracy = metrics[str(evaluation.comparison(metrics).index[0])].accuracy
    assert f"Accuracy **{accuracy:.3f}**" in model
    for genre, songs in tables.read(tables.TRACKS, project.tracks).groupby("genre"):
        counts = [songs["split"].eq(split).sum() for split in ("train", "validation", "test")]
        row = [genre, len(songs), songs["artist_group"].nunique(), *counts]
        assert f"| {' | '.join(map(str, row))} |" in data
    assert "\nNo artists are in more than one split." in data
    pages = {name: (project.html / f"{name}.html").read_text() for name in ("model_card", "data_card", "index")}
    assert re.findall(r'href="(\w+_card)\.html"', pages["index"]) == ["model_card", "data_card"]
    assert 'href="data_card.html"' in pages["model_card"]
    assert f"<strong>{accuracy:.3f}</strong>" in pages["model_card"]
    assert "<table" in pages["data_card"]
