"""The labels of figures state what the data say, and stay silent where there is nothing to say."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from songgenre.plots.cnn import plot_crops, plot_heat_maps, plot_training_curves
from songgenre.plots.evaluation import plot_bootstrap, plot_coverage, plot_model_comparison, plot_reliability
from songgenre.plots.features import plot_correlations, plot_descriptor_distributions
from songgenre.plots.models import plot_artists, plot_confusion
from songgenre.plots.sklearn import plot_importance, plot_learning_curves, plot_protocols
from songgenre.plots.transfer import plot_embedding_map, plot_genre_tree, plot_tags
from songgenre.plots.wrangling import plot_artist_numbers, plot_flow, plot_splits

GENRES = ["jazz", "rock"]


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def says(figure: Figure, *parts: str) -> bool:
    return all(part in figure.get_label() for part in parts)


def confusions(*rows: list[int]) -> pd.DataFrame:
    return pd.DataFrame(rows, pd.Index(GENRES, name="genre"), pd.Index(GENRES, name="predicted"))


def test_confusion_matrix_names_the_most_frequent_error() -> None:
    assert says(plot_confusion(confusions([6, 1], [3, 5]), "svm"), "11 of 15", "jazz instead of rock", "3 of 8")
    assert not says(plot_confusion(confusions([6, 0], [0, 5]), "svm"), "instead")


def test_flow_names_the_most_frequent_reason_if_there_is_one() -> None:
    excluded = pd.DataFrame({"reason": ["silent", "duplicate", "silent"]})
    assert says(plot_flow(10, excluded), "7 of 10", "silent (2)")
    assert says(plot_flow(10, excluded.head(0)), "10 of 10 songs are used.")


def test_splits_are_shares_of_songs_and_numbers_of_artists() -> None:
    tracks = pd.DataFrame({"genre": ["jazz"] * 4 + ["rock"] * 4, "split": [*["train"] * 3, "test"] * 2})
    assert says(plot_splits(tracks), "75 % are train", "25 % are test", "25 % each")
    assert says(plot_artist_numbers(tracks, list(np.linspace(0, 1, 8))), "8 artists", "6 in train", "2 in test")


def test_learning_curves_state_the_last_gain_of_each_model() -> None:
    curve = pd.DataFrame({"songs": [10, 10, 20, 20], "accuracy": [0.4, 0.6, 0.7, 0.9]})
    flat = curve.assign(accuracy=0.5)
    assert says(plot_learning_curves({"svm": curve, "cnn": flat}), "from 10 to 20", "0.00 (CNN)", "0.30 (SVM)")


def test_a_learning_curve_of_one_point_has_no_gain() -> None:
    curve = pd.DataFrame({"songs": [10, 10], "accuracy": [0.4, 0.6]})
    assert not says(plot_learning_curves({"svm": curve}), "ain")


def test_importance_and_protocols_compare_accuracies() -> None:
    losses = pd.DataFrame({"descriptor": ["mfcc", "mfcc", "rms"], "loss": [0.1, 0.3, 0.001]})
    assert says(plot_importance(losses, "svm"), "mfcc", "0.20", "1 of 2")
    protocols = pd.DataFrame({"test": ["artist-grouped CV", "random CV"], "songs": 8, "accuracy": [0.5, 0.75]})
    assert says(plot_protocols(protocols, "svm"), "0.50 (artist-grouped CV)", "0.75 (random CV)")


def test_training_curves_state_the_scores_after_the_last_epoch() -> None:
    losses = {"train_loss": [3, 2, 1], "validation_loss": [3.0, 1.5, 2.0]}
    curve = pd.DataFrame({"epoch": [1, 2, 3], "train_accuracy": [0.1, 0.2, 0.3], "validation_accuracy": 0.25} | losses)
    assert says(
        plot_training_curves(curve),
        "epoch 3",
        "0.30 and cross-entropy 1.00 in training",
        "0.25 and cross-entropy 2.00 in validation",
    )


def test_training_curves_without_validation_songs() -> None:
    curve = pd.DataFrame({"epoch": [1, 2], "train_loss": [3.0, 1.0], "train_accuracy": [0.1, 0.3]})
    figure = plot_training_curves(curve.assign(validation_loss=np.nan, validation_accuracy=np.nan))
    assert says(figure, "0.30 and cross-entropy 1.00 in training.")
    assert [len(axes.lines) for axes in figure.axes] == [1, 1]


def test_heat_maps_name_the_strongest_place_of_each_song() -> None:
    heat = np.zeros((8, 10))
    heat[5, 4] = 1
    answers = pd.DataFrame({"genre": ["jazz"], "predicted": ["rock"]})
    assert says(plot_heat_maps([heat], [heat], answers, 5.0, "x"), "band 5", "2.0 s", "rock")
    assert plot_heat_maps([], [], answers.head(0), 5.0, "x").get_label() == ""


def test_crops_compare_the_contrast_before_and_after_augmentation() -> None:
    plain = np.array([[0.0, 200.0]])[..., np.newaxis]
    assert says(plot_crops([plain, plain / 2, plain / 4]), "100 in the original", "25 to 50")


def test_descriptors_that_never_vary_say_nothing() -> None:
    table = pd.DataFrame({"tempo": [1.0] * 6, "rms_mean": [2.0] * 6})
    assert plot_descriptor_distributions(table, pd.Series(GENRES * 3)).get_label() == ""
    assert plot_correlations(table).get_label() == ""


def test_descriptors_are_compared_by_f_value_and_correlation() -> None:
    table = pd.DataFrame({"tempo": [1.0, 9, 2, 8, 1, 9], "rms_mean": [1.0, 2, 3, 1, 2, 3]})
    assert says(plot_descriptor_distributions(table, pd.Series(GENRES * 3)), "(rms_mean) to", "(tempo)")
    assert says(plot_correlations(table.assign(twin=-table["tempo"])), "1 of 3", "tempo and twin", "1.00")


def test_map_tree_and_tags_name_neighbors() -> None:
    genres = pd.Series(["jazz", "jazz", "rock", "rock"])
    places = np.array([[0.0, 0], [0, 1], [9, 9], [9, 8]])
    assert says(plot_embedding_map(places, genres), "4 of 4")
    assert says(plot_genre_tree(places, genres), "jazz and rock")
    tags = pd.DataFrame({"guitar": [0.1, 0.7], "piano": [0.6, 0.2]}, index=GENRES)
    assert says(plot_tags(tags, "Tags"), "guitar", "rock", "0.70")


def test_models_are_compared_by_accuracy_interval_and_calibration() -> None:
    columns = {"accuracy": [0.9, 0.8, 0.2], "ci95_low": [0.8, 0.7, 0.1], "ci95_high": [1.0, 0.9, 0.3]}
    table = pd.DataFrame(columns, index=["svm", "cnn", "baseline"])
    assert says(plot_model_comparison({"test songs": table}), "SVM, 0.90", "test songs", "1 of 2")
    assert says(plot_bootstrap(np.array([0.5, 0.7]), (0.5, 0.7), 0.6, "svm"), "0.50 to 0.70", "0.60")
    curve = pd.DataFrame({"confidence": [0.5, 0.9], "accuracy": [0.5, 0.5], "songs": [1, 3]})
    assert says(plot_reliability({"svm": curve}), "0.30")
    covered = pd.DataFrame({"coverage": [0.25, 0.5, 1], "accuracy": [1, 0.75, 0.5]})
    assert says(plot_coverage({"svm": covered}), "0.75")


def test_artists_without_errors_are_counted() -> None:
    tracks = pd.DataFrame({"track_id": ["1", "2", "3"], "artist_group": ["a", "a", "b"]})
    predicted = pd.DataFrame({"track_id": ["1", "2", "3"], "genre": ["jazz", "jazz", "rock"], "model": "svm"})
    figure = plot_artists(predicted.assign(predicted=["jazz", "rock", "rock"]), tracks, "svm")
    assert says(figure, "1 of 2", "0.50 (jazz)", "1.00 (rock)")
