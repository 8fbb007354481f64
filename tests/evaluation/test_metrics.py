import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)
from sklearn.metrics import confusion_matrix as sklearn_confusion

from songgenre.errors import UserError
from songgenre.evaluation.ensemble import average_members
from songgenre.evaluation.files import file_hash, read_metrics, write_metrics, write_plot
from songgenre.evaluation.intervals import accuracy_interval
from songgenre.evaluation.metrics import (
    Metrics,
    accuracy_coverage_curve,
    compare_models,
    confusion_table,
    evaluate,
    evaluate_all,
    expected_calibration_error,
    genre_names,
    reliability_curve,
    score_genres,
    tabulate_predictions,
    tabulate_votes,
)
from songgenre.tables.files import write_table
from songgenre.tables.predictions import PREDICTIONS

GENRES = ["blues", "jazz", "rock"]


@pytest.fixture
def predicted() -> pd.DataFrame:
    """200 songs of 40 artists; two thirds are right."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=200)
    scores = rng.random((200, 3)) + 0.6 * np.eye(3)[truth]
    shares = pd.DataFrame(scores / scores.sum(axis=1, keepdims=True), columns=GENRES)
    tracks = pd.DataFrame({"track_id": [f"t{at}" for at in range(200)], "genre": np.array(GENRES)[truth]})
    return tabulate_predictions("svm", tracks, shares)


@pytest.fixture
def artists() -> pd.Series:
    return pd.Series([f"artist {at % 40}" for at in range(200)])


def by_hand(truth: str, said: str) -> pd.DataFrame:
    """Songs and answers, a letter each, of the genres b, j and r."""
    shares = pd.DataFrame([[float(genre == letter) for genre in "bjr"] for letter in said], columns=list("bjr"))
    tracks = pd.DataFrame({"track_id": [f"t{at}" for at in range(len(truth))], "genre": list(truth)})
    return tabulate_predictions("svm", tracks, shares)


def test_prediction_is_the_genre_with_the_highest_probability(tmp_path: Path) -> None:
    tracks = pd.DataFrame({"track_id": ["a", "b"], "genre": ["rock", "jazz"]}, index=[9, 4])
    shares = pd.DataFrame([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], columns=GENRES, index=[9, 4])
    table = tabulate_predictions("svm", tracks, shares)
    assert table["predicted"].tolist() == ["blues", "rock"]
    assert table["genre"].tolist() == ["rock", "jazz"]
    assert table["p_rock"].tolist() == [0.1, 0.6]
    assert genre_names(table) == GENRES
    write_table(table, PREDICTIONS, tmp_path / "predictions.parquet")


def test_rounding_errors_of_a_probability_are_cut_off(tmp_path: Path) -> None:
    tracks = pd.DataFrame({"track_id": ["a"], "genre": ["rock"]})
    shares = pd.DataFrame([[-1e-9, 0.0, 1 + 1e-6]], columns=GENRES, dtype="float32")
    write_table(tabulate_predictions("svm", tracks, shares), PREDICTIONS, tmp_path / "predictions.parquet")


def test_metrics_are_those_of_scikit_learn(predicted: pd.DataFrame, artists: pd.Series) -> None:
    metrics = evaluate(predicted, artists, "data", "model", seed=1)
    truth, said = predicted["genre"], predicted["predicted"]
    assert metrics.accuracy == pytest.approx(accuracy_score(truth, said))
    assert metrics.macro_f1 == pytest.approx(f1_score(truth, said, average="macro"))
    assert list(metrics.f1) == GENRES
    assert list(metrics.f1.values()) == pytest.approx(f1_score(truth, said, average=None).tolist())
    assert list(metrics.precision.values()) == pytest.approx(precision_score(truth, said, average=None).tolist())
    assert list(metrics.recall.values()) == pytest.approx(recall_score(truth, said, average=None).tolist())
    shares = predicted[[f"p_{genre}" for genre in GENRES]].to_numpy()
    assert metrics.top2_accuracy == pytest.approx(top_k_accuracy_score(truth, shares, k=2))
    assert metrics.log_loss == pytest.approx(log_loss(truth, shares))
    assert metrics.ci95_low < metrics.accuracy < metrics.ci95_high
    assert (metrics.n_test, metrics.data_hash, metrics.model_hash) == (200, "data", "model")


def test_metrics_by_hand() -> None:
    metrics = evaluate(by_hand("bbbjjr", "bbjjrj"), pd.Series(list("123456")), "data", "model", seed=1)
    assert metrics.accuracy == pytest.approx(3 / 6)
    assert metrics.f1 == pytest.approx({"b": 4 / 5, "j": 2 / 5, "r": 0})
    assert metrics.macro_f1 == pytest.approx(2 / 5)


def test_genre_that_is_neither_there_nor_predicted_counts_as_zero() -> None:
    metrics = evaluate(by_hand("bj", "bj"), pd.Series(["1", "2"]), "data", "model", seed=1)
    assert metrics.f1 == {"b": 1, "j": 1, "r": 0}


def test_a_genre_that_was_ruled_out_makes_no_infinite_loss() -> None:
    metrics = evaluate(by_hand("bj", "jj"), pd.Series(["1", "2"]), "data", "model", seed=1)
    assert metrics.log_loss == pytest.approx(-np.log(1e-7) / 2)


def sure(confidences: list[float], right: list[bool]) -> pd.DataFrame:
    """Songs of the genre b, and how sure a model is of its answers, b where it is right and j where it is not."""
    of_truth = np.where(right, confidences, 1 - np.array(confidences))
    shares = pd.DataFrame({"b": of_truth, "j": 1 - of_truth})
    tracks = pd.DataFrame({"track_id": [f"t{at}" for at in range(len(right))], "genre": "b"})
    return tabulate_predictions("svm", tracks, shares)


def test_calibration_by_hand() -> None:
    answers = sure([0.92, 0.94, 0.96, 0.98, 0.61, 0.63, 1.0], [True, True, True, False, False, True, True])
    table = reliability_curve(answers)
    assert table["songs"].tolist() == [2, 5]
    assert table["confidence"].tolist() == pytest.approx([0.62, 0.96])
    assert table["accuracy"].tolist() == pytest.approx([0.5, 0.8])
    assert expected_calibration_error(answers) == pytest.approx((2 * 0.12 + 5 * 0.16) / 7)


def test_one_who_is_as_often_right_as_sure_is_calibrated() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 20_000)
    answers = sure(confidence.tolist(), (rng.random(20_000) < confidence).tolist())
    assert expected_calibration_error(answers) < 0.02


def test_coverage_answers_the_surest_songs_first() -> None:
    table = accuracy_coverage_curve(sure([0.6, 0.9, 0.8, 0.7], [False, True, False, True]))
    assert table["coverage"].tolist() == [0.25, 0.5, 0.75, 1]
    assert table["confidence"].tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert table["accuracy"].tolist() == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4])


def test_ensemble_is_the_mean_of_its_members_whatever_the_order_of_songs() -> None:
    first, second, third = by_hand("bjr", "bbr"), by_hand("bjr", "jjr"), by_hand("bjr", "rrr")
    said = pd.concat([first, second.assign(model="cnn")[::-1], third.assign(model="baseline")])
    together = average_members(said, ["svm", "cnn"])
    assert together["model"].unique().tolist() == ["ensemble"]
    assert together["genre"].tolist() == list("bjr")
    assert together[["p_b", "p_j", "p_r"]].to_numpy().tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]


def test_ensemble_has_the_songs_that_all_members_predicted() -> None:
    whole, part = by_hand("bjr", "bbr"), by_hand("bjr", "jjr").assign(model="cnn")[1:]
    together = average_members(pd.concat([whole, part]), ["svm", "cnn"])
    assert together["genre"].tolist() == list("jr")


def test_all_models_are_measured_with_the_artists_of_their_songs(predicted: pd.DataFrame, artists: pd.Series) -> None:
    tracks = pd.DataFrame({"track_id": predicted["track_id"], "artist_group": artists})
    said = pd.concat([predicted[::-1], predicted.assign(model="cnn")])
    hashes = {"svm": ("d", "m"), "cnn": ("d", "n")}
    measured = evaluate_all(said, tracks, hashes, seed=1)
    assert list(measured) == ["svm", "cnn"]
    assert measured["cnn"] == evaluate(predicted, artists, "d", "n", seed=1)


def test_confusion_has_the_truth_in_rows(predicted: pd.DataFrame) -> None:
    matrix = confusion_table(by_hand("bbj", "bjj"))
    assert matrix.loc["b", "j"] == 1
    assert matrix.loc["j", "b"] == 0
    assert matrix.shape == (3, 3)
    expected = sklearn_confusion(predicted["genre"], predicted["predicted"])
    np.testing.assert_array_equal(confusion_table(predicted), expected)


def test_interval_of_the_accuracy_is_in_the_metrics(predicted: pd.DataFrame, artists: pd.Series) -> None:
    metrics = evaluate(predicted, artists, "data", "model", seed=1)
    correct = predicted["genre"] == predicted["predicted"]
    assert (metrics.ci95_low, metrics.ci95_high) == accuracy_interval(correct, artists, seed=1)


def measured(accuracy: float) -> Metrics:
    return Metrics(
        accuracy=accuracy,
        balanced_accuracy=0.45,
        macro_f1=0.4,
        ci95_low=0.1,
        ci95_high=0.9,
        top2_accuracy=0.9,
        log_loss=0.6,
        expected_calibration_error=0.1,
        n_test=10,
        f1={"jazz": 0.5},
        precision={"jazz": 0.5},
        recall={"jazz": 0.5},
        data_hash="d",
        model_hash="m",
    )


def test_comparison_puts_the_best_first() -> None:
    table = compare_models({"baseline": measured(0.2), "cnn": measured(0.8), "svm": measured(0.5)})
    assert table.index.tolist() == ["cnn", "svm", "baseline"]
    assert table.columns.tolist() == [
        "accuracy",
        "ci95_low",
        "ci95_high",
        "macro F1",
        "top 2",
        "log loss",
        "calibration error",
        "jazz",
    ]


def test_comparison_by_another_metric_counts_every_genre_the_same() -> None:
    truth = ["rock"] * 8 + ["jazz"] * 2
    guesses = {"always rock": ["rock"] * 10, "finds jazz": ["rock"] * 5 + ["jazz"] * 5}
    metrics = {}
    for model, predicted in guesses.items():
        shares = pd.DataFrame({genre: [float(each == genre) for each in predicted] for genre in ("jazz", "rock")})
        songs = pd.DataFrame({"track_id": [f"folder-{at}" for at in range(10)], "genre": truth})
        table = tabulate_predictions(model, songs, shares)
        metrics[model] = evaluate(table, songs["track_id"], "d", "m", seed=1)
    assert compare_models(metrics).index[0] == "always rock"
    by_recall = compare_models(metrics, "balanced_accuracy")
    assert by_recall.index[0] == "finds jazz"
    recalls = {model: balanced_accuracy_score(truth, predicted) for model, predicted in guesses.items()}
    assert by_recall["balanced accuracy"].to_dict() == pytest.approx(recalls)
    assert compare_models(metrics, "f1_macro").index[0] == "finds jazz"


def test_metrics_round_trip_exactly(tmp_path: Path, predicted: pd.DataFrame, artists: pd.Series) -> None:
    path = tmp_path / "metrics" / "sklearn.json"
    metrics = {"svm": evaluate(predicted, artists, "d", "m", seed=1), "cnn": measured(1 / 3)}
    write_metrics(metrics, path)
    assert read_metrics(path) == metrics


def test_missing_metrics_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sklearn\.json.*dvc repro"):
        read_metrics(tmp_path / "sklearn.json")


@pytest.mark.parametrize("text", ["", "[]", '{"svm": {"accuracy": 2}}', '{"svm": 1}', "\x00"])
def test_invalid_metrics_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sklearn.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"sklearn\.json") as error:
        read_metrics(path)
    assert "dvc repro" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, value)
            for name in ("accuracy", "balanced_accuracy", "macro_f1", "top2_accuracy", "expected_calibration_error")
            for value in (-0.1, 1.1)
        ),
        ("log_loss", -0.1),
        ("n_test", 0),
    ],
)
def test_metric_out_of_its_range_is_refused(tmp_path: Path, name: str, value: float) -> None:
    path = tmp_path / "sklearn.json"
    write_metrics({"svm": measured(0.5)}, path)
    content = json.loads(path.read_text())
    content["svm"][name] = value
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=name):
        read_metrics(path)


def test_plot_is_a_csv_without_an_index(tmp_path: Path) -> None:
    table = pd.DataFrame({"model": ["a", "b"], "accuracy": [0.1, 1 / 3]}, index=[5, 6])
    write_plot(table, tmp_path / "plots" / "comparison.csv")
    read = pd.read_csv(tmp_path / "plots" / "comparison.csv")
    pd.testing.assert_frame_equal(read, table.reset_index(drop=True), check_exact=True)


def test_file_hash_is_the_start_of_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert file_hash(tmp_path / "file") == hashlib.sha256(b"content").hexdigest()[:12]


def test_songs_that_only_the_baseline_predicts_count_as_predicted_by_none() -> None:
    said = {"baseline": "xxyy", "svm": "yxyx", "cnn": "yyxx"}
    rows = [("abcd"[at], model, "x", guess) for model, guesses in said.items() for at, guess in enumerate(guesses)]
    predictions = pd.DataFrame(rows, columns=["track_id", "model", "genre", "predicted"])
    votes = tabulate_votes(predictions)
    assert list(votes) == ["svm", "cnn"]
    assert votes.index.to_list() == [("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")]
    assert votes.loc[("c", "x")].to_list() == ["y", "x"]


def test_scores_of_genres_are_those_of_scikit_learn(predicted: pd.DataFrame, artists: pd.Series) -> None:
    table = score_genres(predicted, artists, seed=1)
    truth, said = predicted["genre"], predicted["predicted"]
    assert table.index.tolist() == GENRES
    assert table["recall"].tolist() == pytest.approx(recall_score(truth, said, average=None).tolist())
    assert table["F1"].tolist() == pytest.approx(f1_score(truth, said, average=None).tolist())
    assert table["songs"].to_dict() == truth.value_counts().to_dict()
    assert table["artists"].to_dict() == artists.groupby(truth).nunique().to_dict()
    for score in ("recall", "F1"):
        assert (table[f"{score}_low"] < table[score]).all()
        assert (table[score] < table[f"{score}_high"]).all()


def test_interval_of_f1_is_that_of_resampled_f1_scores(predicted: pd.DataFrame, artists: pd.Series) -> None:
    """Whole artists are drawn, and scikit-learn computes the F1 score of each resample."""
    rng = np.random.default_rng(7)
    of_artist = [predicted[artists == artist] for artist in artists.unique()]
    resamples = [pd.concat([of_artist[at] for at in rng.integers(40, size=40)]) for _ in range(1000)]
    scores = [f1_score(rows["genre"], rows["predicted"], labels=["jazz"], average="macro") for rows in resamples]
    row = score_genres(predicted, artists, seed=1).loc["jazz"]
    assert [row["F1_low"], row["F1_high"]] == pytest.approx(np.quantile(scores, [0.025, 0.975]), abs=0.02)


def test_genre_without_a_mistake_has_an_interval_by_the_number_of_its_artists() -> None:
    table = score_genres(by_hand("bbbbjr", "bbbbrj"), pd.Series(list("112345")), seed=1)
    unseen = 1.959964**2 / (3 + 1.959964**2)
    assert table.loc["b", ["recall_low", "recall_high"]].tolist() == pytest.approx([1 - unseen, 1])
    assert table.loc["b", "F1_low"] == pytest.approx(2 * (1 - unseen) / (2 - unseen))
    assert (table.loc["j", "recall_low"], table.loc["j", "F1_low"]) == (0, 0)


def test_genre_that_does_not_occur_has_no_recall() -> None:
    table = score_genres(by_hand("bb", "bj"), pd.Series(["1", "2"]), seed=1)
    assert table.index.tolist() == ["b", "j"]
    assert np.isnan(table.loc["j", "recall"])
    assert table.loc["j", "F1"] == 0
