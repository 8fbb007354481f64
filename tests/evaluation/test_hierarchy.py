from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support
from sklearn.preprocessing import MultiLabelBinarizer

from songgenre.evaluation.files import read_metrics, write_metrics
from songgenre.evaluation.hierarchy import (
    GenreTree,
    add_ancestors,
    add_scores,
    compare_in_tree,
    evaluate_in_tree,
    read_tree,
)
from songgenre.evaluation.metrics import evaluate_all, tabulate_predictions
from songgenre.paths import Project
from songgenre.sources.base import Track
from songgenre.sources.catalogue import tabulate, tabulate_genres
from songgenre.tables.catalogue import CATALOGUE
from songgenre.tables.files import write_table
from songgenre.tables.genres import GENRES

PARENTS = {"punk": "rock", "hardcore": "punk", "garage": "rock", "ballad": "folk"}
NAMES = ["ballad", "folk", "garage", "hardcore", "punk", "rock"]


def by_hand(truth: list[str], said: list[str]) -> pd.DataFrame:
    shares = pd.DataFrame(0.5 * np.eye(len(NAMES))[[NAMES.index(name) for name in said]], columns=NAMES) + 1 / 12
    tracks = pd.DataFrame({"track_id": [f"t{at}" for at in range(len(truth))], "genre": truth})
    return tabulate_predictions("svm", tracks, shares)


def random(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    truth = rng.choice(NAMES, n)
    said = np.where(rng.random(n) < 0.5, truth, rng.choice(NAMES, n))
    return by_hand(list(truth), list(said))


def tree_of(predictions: pd.DataFrame, **others: str) -> GenreTree:
    """Songs whose only genre is their label, or that have another one."""
    genres = dict(zip(predictions["track_id"], predictions["genre"], strict=True))
    songs = {song: add_ancestors([genre, *filter(None, [others.get(song)])], PARENTS) for song, genre in genres.items()}
    return GenreTree(PARENTS, songs)


def artists(n: int) -> pd.Series:
    return pd.Series([f"artist {at % 20}" for at in range(n)])


def test_published_example() -> None:
    """Silla and Freitas: the sets of the predicted and of the true class with their ancestors, without the root."""
    predictions = by_hand(["hardcore", "garage", "folk"], ["punk", "punk", "folk"])
    scores = evaluate_in_tree(predictions, tree_of(predictions), artists(3), seed=0)
    assert scores.precision == pytest.approx((2 + 1 + 1) / (2 + 2 + 1))
    assert scores.recall == pytest.approx((2 + 1 + 1) / (3 + 2 + 1))
    assert scores.f1 == pytest.approx(2 * 4 / (5 + 6))


def test_scores_are_the_micro_average_of_scikit_learn_over_extended_labels() -> None:
    predictions = random(500)
    scores = evaluate_in_tree(predictions, tree_of(predictions), artists(500), seed=0)
    binarizer = MultiLabelBinarizer(classes=NAMES)
    truth, said = (
        binarizer.fit_transform([add_ancestors([genre], PARENTS) for genre in predictions[column]])
        for column in ("genre", "predicted")
    )
    expected = precision_recall_fscore_support(truth, said, average="micro")[:3]
    assert (scores.precision, scores.recall, scores.f1) == pytest.approx(expected)
    assert scores.f1_ci95_low < scores.f1 < scores.f1_ci95_high


def test_without_parents_all_scores_are_the_accuracy() -> None:
    predictions = random(200)
    flat = GenreTree({}, {song: frozenset() for song in predictions["track_id"]})
    scores = evaluate_in_tree(predictions, flat, artists(200), seed=0)
    accuracy = (predictions["genre"] == predictions["predicted"]).mean()
    assert (scores.precision, scores.recall, scores.f1, scores.any_genre_accuracy) == pytest.approx([accuracy] * 4)


def test_interval_of_faultless_predictions_depends_on_the_number_of_artists() -> None:
    predictions = by_hand(["hardcore", "garage", "folk"], ["hardcore", "garage", "folk"])
    scores = evaluate_in_tree(predictions, tree_of(predictions), artists(3), seed=0)
    unseen = 1.959964**2 / (3 + 1.959964**2)
    assert (scores.f1_ci95_low, scores.f1_ci95_high) == pytest.approx((1 - unseen, 1))


def test_prediction_of_another_genre_of_the_song_or_of_an_ancestor_counts() -> None:
    predictions = by_hand(["punk", "punk", "punk", "punk"], ["ballad", "rock", "hardcore", "folk"])
    tree = tree_of(predictions, t0="ballad")
    scores = evaluate_in_tree(predictions, tree, artists(4), seed=0)
    assert scores.any_genre_accuracy == 2 / 4
    assert scores.any_genre_ci95_low < 2 / 4 < scores.any_genre_ci95_high


def test_label_ranking_average_precision_by_hand() -> None:
    shares = pd.DataFrame([[0.05, 0.4, 0.1, 0.2, 0.22, 0.03]], columns=NAMES)
    predictions = tabulate_predictions("svm", pd.DataFrame({"track_id": ["t0"], "genre": ["punk"]}), shares)
    scores = evaluate_in_tree(predictions, tree_of(predictions), artists(1), seed=0)  # punk is second, rock sixth
    assert scores.label_ranking_average_precision == pytest.approx((1 / 2 + 2 / 6) / 2)


def test_genre_that_no_tree_knows_counts_where_it_is_the_label() -> None:
    shares = pd.DataFrame([[1.0, 0.0]], columns=["other", "rock"])
    predictions = tabulate_predictions("svm", pd.DataFrame({"track_id": ["t0"], "genre": ["other"]}), shares)
    tree = GenreTree(PARENTS, {"t0": frozenset({"ballad", "folk"})})
    scores = evaluate_in_tree(predictions, tree, artists(1), seed=0)
    assert (scores.f1, scores.any_genre_accuracy, scores.label_ranking_average_precision) == (1, 1, 1)


def test_merged_genres_make_no_endless_line_of_ancestors() -> None:
    assert add_ancestors(["a"], {"a": "b", "b": "a"}) == {"a", "b"}


def test_tree_and_genres_are_those_of_the_source(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.raw.mkdir(parents=True)
    song = Track("fma", "1", None, ("hardcore", "ballad"), reason="unreadable", detail="missing")
    write_table(tabulate([song], tmp_path), CATALOGUE, project.catalogue)
    write_table(tabulate_genres({"rock": None, "folk": None} | PARENTS, {}), GENRES, project.genres)
    tree = read_tree(project)
    assert tree.parents == PARENTS
    assert tree.genres == {song.track_id: {"hardcore", "punk", "rock", "ballad", "folk"}}


def test_metrics_file_has_the_scores_only_where_there_is_a_tree(tmp_path: Path) -> None:
    predictions = random(100)
    tracks = predictions[["track_id"]].assign(artist_group=artists(100))
    flat = evaluate_all(predictions, tracks, {"svm": ("data", "model")}, seed=0, samples=50)
    write_metrics(flat, tmp_path / "flat.json")
    assert "hierarchy" not in (tmp_path / "flat.json").read_text()
    metrics = add_scores(flat, predictions, tracks, tree_of(predictions), seed=0, samples=50)
    write_metrics(metrics, tmp_path / "tree.json")
    assert read_metrics(tmp_path / "tree.json") == metrics
    assert compare_in_tree(metrics).loc["svm", "F"] == metrics["svm"].hierarchy.f1  # type: ignore[union-attr]
