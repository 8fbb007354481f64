import re
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import recall_score
from sklearn.model_selection import HalvingGridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from songgenre.compute import joblib_backend
from songgenre.errors import UserError
from songgenre.models import classical
from songgenre.models.classical import (
    SOFT_VOTING,
    Tuning,
    format_best_parameters,
    grid_search,
    nested_cross_validate,
    predict_probabilities,
    refit_best,
)
from songgenre.models.pipelines import PIPELINES, build_pipeline, check_grids, without_calibration
from songgenre.params import LOCAL, Compute
from songgenre.tables.files import check_table
from songgenre.tables.predictions import NESTED

Corpus = tuple[pd.DataFrame, pd.Series, pd.Series]


def corpus(artists_per_genre: int, genre_matters: float, artist_matters: float) -> Corpus:
    """Five songs of each artist, whose descriptors tell of the genre and of the artist as strongly as asked for."""
    rng = np.random.default_rng(0)
    genres = np.repeat(["rock", "blues", "jazz"], artists_per_genre)
    genre_centres = dict(zip(["rock", "blues", "jazz"], genre_matters * rng.standard_normal((3, 6)), strict=True))
    centres = np.array([genre_centres[genre] + artist_matters * rng.standard_normal(6) for genre in genres])
    X = np.repeat(centres, 5, axis=0) + 0.1 * rng.standard_normal((5 * len(genres), 6))
    artists = [f"artist {at}" for at in range(len(genres)) for _ in range(5)]
    columns = [f"mfcc_{at:02d}_mean" for at in range(6)]
    return pd.DataFrame(X, columns=columns), pd.Series(np.repeat(genres, 5)), pd.Series(artists)


@pytest.fixture(scope="module", autouse=True)
def one_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classical, "joblib_backend", lambda compute: joblib.parallel_config(backend="sequential"))
        yield


@pytest.fixture(scope="module")
def separable() -> Corpus:
    return corpus(artists_per_genre=8, genre_matters=3, artist_matters=0.2)


@pytest.fixture(scope="module")
def searches(separable: Corpus) -> dict[str, Any]:
    small = {"random_forest": {"n_estimators": [20]}, "gradient_boosting": {"max_iter": [20]}}
    return dict(grid_search({name: {} for name in PIPELINES} | small, *separable, folds=4, seed=1))


def problem(grids: dict[str, Any], data: Corpus, folds: int = 4) -> str:
    with pytest.raises(UserError) as error:
        next(grid_search(grids, *data, folds=folds, seed=1))
    return str(error.value)


@pytest.mark.parametrize(
    ("model", "parameter", "value"),
    [("svm", "C", -1), ("logistic_regression", "C", "abc"), ("random_forest", "max_features", 1.5)],
)
def test_value_that_scikit_learn_refuses_is_named_before_anything_is_fitted(
    model: str, parameter: str, value: Any
) -> None:
    with pytest.raises(UserError, match=rf"sklearn\.grids\.{model}.*'{parameter}'.*{value}"):
        check_grids({"baseline": {}, model: {parameter: [1, value]}})


def test_unknown_model_is_named(separable: Corpus) -> None:
    message = problem({"svm": {}, "perceptron": {}}, separable)
    assert "sklearn.grids" in message
    assert "perceptron" in message
    assert "random_forest" in message


@pytest.mark.parametrize(
    ("model", "parameter"), [("svm", "c"), ("random_forest", "trees"), ("baseline", "C"), ("svm", "estimator")]
)
def test_unknown_parameter_is_named_before_anything_is_tuned(separable: Corpus, model: str, parameter: str) -> None:
    grids = {"logistic_regression": {"C": [1.0]}, model: {parameter: [1]}}
    message = problem(grids, separable)
    assert "sklearn.grids" in message
    assert re.search(rf"\b{parameter}\b", message)


def test_too_few_artists_are_named_with_the_genre(separable: Corpus) -> None:
    X, y, artists = separable
    few = (y != "jazz") | artists.isin(artists[y == "jazz"].unique()[:3])
    message = problem({"baseline": {}}, (X[few], y[few], artists[few]))
    assert re.search(r"\b4\b", message)
    assert re.search(r"\b3\b", message)
    assert "jazz" in message
    assert "sklearn.folds" in message


def test_too_few_songs_to_learn_from_are_named_with_the_genre(separable: Corpus) -> None:
    X, y, artists = separable
    few = (y != "jazz") | ~artists.duplicated()
    few &= (y != "jazz") | artists.isin(artists[y == "jazz"].unique()[:3])
    message = problem({"svm": {}}, (X[few], y[few], artists[few]), folds=3)
    assert re.search(r"\b3\b", message)
    assert re.search(r"\b2\b", message)
    assert "jazz" in message
    assert "sklearn.folds" in message


def test_as_many_artists_as_folds_are_enough() -> None:
    data = corpus(artists_per_genre=3, genre_matters=3, artist_matters=0)
    (_, tuned), *_ = grid_search({"k_nearest_neighbours": {"n_neighbors": [1]}}, *data, folds=3, seed=1)
    assert tuned.search.best_score_ == 1


def test_artists_are_kept_together_in_the_folds() -> None:
    """Songs give away the artist and nothing else, so that only an artist on both sides helps."""
    X, y, artists = corpus(artists_per_genre=20, genre_matters=0, artist_matters=3)
    grids = {"k_nearest_neighbours": {"n_neighbors": [1]}}
    (_, tuned), *_ = grid_search(grids, X, y, artists, folds=4, seed=1)
    assert tuned.search.best_score_ < 0.55
    (_, leaking), *_ = grid_search(grids, X, y, pd.Series(range(len(y))), folds=4, seed=1)
    assert leaking.search.best_score_ > 0.95


def test_every_model_but_the_baseline_learns(searches: dict[str, Any]) -> None:
    scores = {name: tuned.search.best_score_ for name, tuned in searches.items()}
    assert scores.pop("baseline") == pytest.approx(1 / 3, abs=0.05)
    assert min(scores.values()) > 0.95


@pytest.mark.parametrize("name", PIPELINES)
def test_probabilities_sum_to_one_and_have_a_column_per_genre(
    searches: dict[str, Any], separable: Corpus, name: str
) -> None:
    X, y, _ = separable
    model = searches[name].model
    shares = predict_probabilities(model, X)
    assert shares.columns.tolist() == ["blues", "jazz", "rock"]
    assert shares.index.equals(X.index)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares.to_numpy().min() >= 0
    if name != "baseline":
        assert (shares.idxmax(axis=1) == y).all()


def test_grid_is_searched_and_the_best_is_chosen(separable: Corpus) -> None:
    X, y, artists = separable
    grids = {"k_nearest_neighbours": {"n_neighbors": [1, 80], "weights": ["uniform"]}, "svm": {"gamma": [1e4, 0.1]}}
    searches = dict(grid_search(grids, X, y, artists, folds=4, seed=1))
    assert format_best_parameters(searches["k_nearest_neighbours"].search) == "n_neighbors=1, weights='uniform'"
    assert len(searches["k_nearest_neighbours"].search.cv_results_["params"]) == 2
    assert searches["svm"].model[-1].estimator.gamma == 0.1
    assert list(searches) == list(grids)


def test_same_seed_gives_the_same_model() -> None:
    X, y, artists = corpus(artists_per_genre=8, genre_matters=0.5, artist_matters=1)
    grids = {"random_forest": {"n_estimators": [5], "max_depth": [2, 5]}}
    (_, first), (_, again), (_, other) = (
        next(grid_search(grids, X, y, artists, folds=4, seed=seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(
        first.search.cv_results_["mean_test_score"], again.search.cv_results_["mean_test_score"]
    )
    pd.testing.assert_frame_equal(predict_probabilities(first.model, X), predict_probabilities(again.model, X))
    assert not predict_probabilities(first.model, X).equals(predict_probabilities(other.model, X))


def test_as_many_fits_run_at_the_same_time_as_there_is_memory_for() -> None:
    table = pd.DataFrame(np.empty((1, 1), dtype=np.float32))
    assert classical._n_jobs(table, LOCAL) == joblib.cpu_count()
    n_rows = psutil.virtual_memory().total // 4
    huge = pd.DataFrame(np.broadcast_to(np.float32(0), (n_rows, 1)), copy=False)
    assert classical._n_jobs(huge, LOCAL) == 1
    assert (
        classical._n_jobs(huge, Compute(scheduler="tcp://host:1", audio_url="", cache_url="", partition_songs=1)) == -1
    )


@pytest.mark.integration
def test_other_processes_find_the_same(separable: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    grids = {"k_nearest_neighbours": {"n_neighbors": [1, 40, 80]}}
    (_, here), *_ = grid_search(grids, *separable, folds=4, seed=1)
    monkeypatch.setattr(classical, "joblib_backend", joblib_backend)
    (_, there), *_ = grid_search(grids, *separable, folds=4, seed=1)
    np.testing.assert_array_equal(
        here.search.cv_results_["mean_test_score"], there.search.cv_results_["mean_test_score"]
    )
    assert here.search.best_params_ == there.search.best_params_


def test_tuning_prints_nothing(separable: Corpus, capfd: pytest.CaptureFixture[str]) -> None:
    list(grid_search({"baseline": {}}, *separable, folds=4, seed=1))
    assert capfd.readouterr() == ("", "")


def test_voting_is_the_mean_of_the_members(searches: dict[str, Any], separable: Corpus) -> None:
    X, y, _ = separable
    soft_voting_members = ["svm", "k_nearest_neighbours", "extra_trees"]
    models = refit_best(searches, soft_voting_members, X, y)
    assert list(models) == [*PIPELINES, SOFT_VOTING]
    expected = np.mean([predict_probabilities(models[voter], X) for voter in soft_voting_members], axis=0)
    np.testing.assert_allclose(predict_probabilities(models[SOFT_VOTING], X), expected, atol=1e-9)
    assert SOFT_VOTING not in refit_best(searches, [], X, y)


def test_member_that_was_not_tuned_is_named(searches: dict[str, Any], separable: Corpus) -> None:
    with pytest.raises(UserError, match=r"sklearn\.soft_voting_members.*perceptron"):
        refit_best(searches, ["svm", "perceptron"], *separable[:2])


def test_missing_values_are_filled_in(separable: Corpus) -> None:
    X, y, artists = separable
    holes = X.mask(np.random.default_rng(0).random(X.shape) < 0.05)
    holes["nothing"] = np.nan
    for name in ("svm", "gradient_boosting", "extra_trees"):
        (_, tuned), *_ = grid_search({name: {}}, holes, y, artists, folds=4, seed=1)
        assert tuned.search.best_score_ > 0.8


def test_nested_folds_predict_every_song_once_without_its_artist() -> None:
    """Songs give away the artist and nothing else, so that only one who knows the artist is right."""
    X, y, artists = corpus(artists_per_genre=20, genre_matters=0, artist_matters=3)
    tracks = pd.DataFrame({"track_id": [f"t{at}" for at in range(len(y))], "genre": y, "artist_group": artists})
    grids = {"baseline": {}, "k_nearest_neighbours": {"n_neighbors": [1]}}
    said = nested_cross_validate(grids, [], X, tracks, folds=4, repeats=1, seed=1)
    assert said.groupby("model")["track_id"].nunique().to_dict() == {
        "baseline": len(tracks),
        "k_nearest_neighbours": len(tracks),
    }
    assert said.groupby("model").size().eq(len(tracks)).all()
    knn = said[said["model"] == "k_nearest_neighbours"].merge(tracks, on="track_id")
    assert (knn["genre_x"] == knn["genre_y"]).all()
    assert (knn["genre_x"] == knn["predicted"]).mean() < 0.55


def test_repeated_nested_folds_are_other_ones() -> None:
    X, y, artists = corpus(artists_per_genre=8, genre_matters=0.3, artist_matters=2)
    tracks = pd.DataFrame({"track_id": [f"t{at}" for at in range(len(y))], "genre": y, "artist_group": artists})
    grids = {"k_nearest_neighbours": {"n_neighbors": [5]}}
    said = nested_cross_validate(grids, [], X, tracks, folds=4, repeats=2, seed=1)
    first, second = said.iloc[: len(y)], said.iloc[len(y) :]
    assert sorted(first["track_id"]) == sorted(second["track_id"]) == sorted(tracks["track_id"])
    check_table(said, NESTED, "said")
    pd.testing.assert_frame_equal(first, nested_cross_validate(grids, [], X, tracks, folds=4, repeats=1, seed=1))
    again = second.set_index("track_id").loc[first["track_id"], "p_jazz"].to_numpy()
    assert (first["p_jazz"].to_numpy() != again).any()


@pytest.mark.parametrize("name", ["lda", "lda_without_pca"])
def test_numbers_that_are_constant_but_for_rounding_are_left_out(separable: Corpus, name: str) -> None:
    """Brought to one scale, they would be noise as loud as the rest, and other noise on another machine."""
    X, y, _ = separable
    rng = np.random.default_rng(0)
    dead = pd.DataFrame(0.3 + 1e-7 * rng.standard_normal((len(X), 50)), columns=[f"dead {at}" for at in range(50)])
    model = PIPELINES[name](0).fit(pd.concat([X, dead], axis=1), y.to_numpy())
    elsewhere = pd.concat([X, dead + 1e-6], axis=1)
    np.testing.assert_allclose(model.predict_proba(elsewhere), PIPELINES[name](0).fit(X, y.to_numpy()).predict_proba(X))


def test_lda_without_pca_has_the_same_probabilities_and_leaves_the_songs_as_they_are() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(3000) % 4
    X = pd.DataFrame(rng.standard_normal((3000, 40)) @ rng.standard_normal((40, 40)) + y[:, np.newaxis] + 5)
    before = X.copy()
    models = [
        build_pipeline(name, 0, "none", 4).set_params(calibratedclassifiercv__estimator__shrinkage=0.1).fit(X, y)
        for name in ("lda", "lda_without_pca")
    ]
    np.testing.assert_allclose(models[1].predict_proba(X), models[0].predict_proba(X), atol=1e-5)
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.parametrize("name", sorted(set(PIPELINES) - {"baseline", "k_nearest_neighbours"}))
def test_balanced_weights_raise_the_recall_of_a_rare_genre(name: str) -> None:
    """Two overlapping genres, of which one has a tenth of the songs of the other; predicted are other songs."""
    rng = np.random.default_rng(0)
    y = pd.Series(np.repeat(["common", "rare"], [600, 60]))
    X = pd.DataFrame(rng.standard_normal((660, 4)) + 1.2 * (y == "rare").to_numpy()[:, np.newaxis])
    learn = pd.Series(np.arange(660) % 2 == 0)
    recalls = {}
    for weight in ("none", "balanced"):
        pipeline = build_pipeline(name, 0, weight, 2)
        if "min_samples_leaf" in pipeline[-1].get_params():  # a leaf of one song has no majority that weights change
            pipeline[-1].set_params(min_samples_leaf=10)
        predicted = pipeline.fit(X[learn], y[learn]).predict(X[~learn])
        recalls[weight] = recall_score(y[~learn], predicted, pos_label="rare")
    assert recalls["balanced"] > recalls["none"]


def test_metric_decides_which_parameters_are_chosen() -> None:
    """Of nine neighbours among few songs, most are of the common genre; one neighbour finds the rare one, too."""
    rng = np.random.default_rng(1)
    y = pd.Series(np.repeat(["common", "rare"], [200, 12]))
    X = pd.DataFrame(rng.standard_normal((212, 2)) + 1.6 * (y == "rare").to_numpy()[:, np.newaxis])
    artists = pd.Series(np.arange(212) // 2)
    grid = {"k_nearest_neighbours": {"n_neighbors": [1, 9]}}
    chosen = {}
    for metric in ("accuracy", "balanced_accuracy"):
        [(_, tuned)] = grid_search(grid, X, y, artists, folds=3, seed=0, tuning=Tuning(metric=metric))
        chosen[metric] = tuned.search.best_params_["kneighborsclassifier__n_neighbors"]
    assert chosen == {"accuracy": 9, "balanced_accuracy": 1}


def test_many_songs_are_tuned_by_halving_and_choose_the_same(separable: Corpus) -> None:
    X, y, artists = separable
    grids = {"k_nearest_neighbours": {"n_neighbors": [1, 20, 25]}}
    (_, every), *_ = grid_search(grids, X, y, artists, folds=4, seed=1)
    (_, halved), *_ = grid_search(grids, X, y, artists, folds=4, seed=1, tuning=Tuning(halving_min_songs=len(X)))
    assert halved.search.n_resources_ == [len(X) // 3, len(X) // 3 * 3]
    assert halved.search.n_candidates_ == [3, 1]
    assert halved.search.best_params_ == every.search.best_params_


@pytest.mark.parametrize("n_neighbors", [[2, 5, 25], [1, 2, 3, 5, 9, 20, 25]])
def test_halving_in_steps_is_that_of_scikit_learn(
    separable: Corpus, n_neighbors: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classical, "_n_jobs", lambda *_: 2)
    X, y, artists = separable
    values = {"kneighborsclassifier__n_neighbors": n_neighbors, "kneighborsclassifier__p": [1, 2]}
    grid = {"k_nearest_neighbours": {name.split("__")[1]: each for name, each in values.items()}}
    [(_, tuned)] = grid_search(grid, X, y, artists, folds=4, seed=1, tuning=Tuning(halving_min_songs=len(X)))
    reference = HalvingGridSearchCV(
        PIPELINES["k_nearest_neighbours"](1),
        values,
        factor=3,
        min_resources=len(X) // 3,
        random_state=1,
        cv=StratifiedGroupKFold(4, shuffle=True, random_state=1),
        scoring="accuracy",
        return_train_score=False,
        refit=False,
    ).fit(X, y.to_numpy(), groups=artists)
    results, expected = (pd.DataFrame(search.cv_results_) for search in (tuned.search, reference))
    columns = [column for column in expected if "time" not in column]
    pd.testing.assert_frame_equal(results[columns], expected[columns])
    assert not any("train_score" in column for column in results)
    assert tuned.search.best_index_ == reference.best_index_
    assert tuned.search.n_candidates_ == reference.n_candidates_


@pytest.mark.parametrize("halving_min_songs", [0, 10**6])
def test_progress_counts_candidates_that_were_scored(
    separable: Corpus, halving_min_songs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int] = []
    monkeypatch.setattr(classical, "_n_jobs", lambda *_: 1)
    monkeypatch.setattr(
        classical,
        "progress_bar",
        lambda items, *_: (scored.append(len(item["params"])) or item for item in items),
    )
    grid = {"k_nearest_neighbours": {"n_neighbors": [1, 5, 25]}}
    tuning = Tuning(halving_min_songs=halving_min_songs)
    next(grid_search(grid, *separable, folds=4, seed=1, tuning=tuning))
    assert scored == ([1, 2, 3, 4] if halving_min_songs == 0 else [1, 2, 3])


@pytest.mark.parametrize(
    ("n_candidates", "n_songs", "n_genres", "is_halving"),
    [(2, 3000, 5, False), (3, 3000, 5, True), (3, 1999, 5, False), (3, 3000, 100, True), (3, 3000, 101, False)],
)
def test_halving_needs_candidates_and_songs(n_candidates: int, n_songs: int, n_genres: int, is_halving: bool) -> None:
    assert classical.is_halved(n_candidates, n_songs, n_genres, folds=5, min_songs=2000) == is_halving


CALIBRATED = [name for name, build in PIPELINES.items() if isinstance(build(0)[-1], CalibratedClassifierCV)]


@pytest.mark.parametrize("n_genres", [2, 4])
@pytest.mark.parametrize("name", CALIBRATED)
def test_calibration_changes_no_predicted_genre(name: str, n_genres: int) -> None:
    """The genres overlap, so many decisions are narrow."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % n_genres
    X = rng.standard_normal((200, 6)) + 0.7 * np.eye(6)[y]
    pipeline = build_pipeline(name, 0, "balanced", n_genres)
    if name == "nystroem_svm":
        pipeline.set_params(nystroem__n_components=50)
    calibrated, plain = (model.fit(X, y) for model in (pipeline, without_calibration(pipeline)))
    others = rng.standard_normal((2000, 6))
    np.testing.assert_array_equal(calibrated.predict(others), plain.predict(others))


@pytest.mark.parametrize("options", [{"method": "sigmoid", "ensemble": False}, {"method": "temperature"}])
def test_calibration_that_may_change_predicted_genres_stays(options: dict[str, Any]) -> None:
    pipeline = make_pipeline(CalibratedClassifierCV(LinearSVC(), **options))
    assert isinstance(without_calibration(pipeline)[-1], CalibratedClassifierCV)


def test_songs_of_a_rare_genre_need_not_be_in_the_first_round_of_a_halving(separable: Corpus) -> None:
    X, y, artists = separable
    few = (y != "rock") | (y.groupby(y).cumcount() < 8)
    data = X[few], y[few], artists[few]
    grid = {"svm": {"C": [0.1, 1.0, 10.0]}}
    [(_, tuned)] = grid_search(grid, *data, folds=2, seed=1, tuning=Tuning("f1_macro", "balanced", halving_min_songs=0))
    assert tuned.search.n_candidates_ == [3, 1]
    assert (tuned.model.predict(X) == y).mean() > 0.9


@pytest.mark.parametrize("name", ["lda", "lda_without_pca"])
def test_discriminant_analysis_of_balanced_genres_never_lacks_one(name: str) -> None:
    rng = np.random.default_rng(4)
    y = pd.Series(rng.permutation(["blues"] * 200 + ["jazz"] * 150 + ["rock"] * 5))
    X = pd.DataFrame(rng.standard_normal((355, 2)) + (y == "rock").to_numpy()[:, np.newaxis])
    artists = y + (pd.Series(range(355)) % 40).astype(str)
    tuning = Tuning("f1_macro", "balanced", halving_min_songs=0)
    grid = {name: {"shrinkage": [0.1, 0.2, 0.3]}}
    [(_, tuned)] = grid_search(grid, X, y, artists, folds=3, seed=1, tuning=tuning)
    assert list(tuned.model.classes_) == ["blues", "jazz", "rock"]


def test_models_are_halved_once_however_many_parameters_there_are() -> None:
    rng = np.random.default_rng(0)
    y = pd.Series(["common"] * 200 + ["rare"] * 90)
    X = pd.DataFrame(rng.standard_normal((290, 2)) + (y == "rare").to_numpy()[:, np.newaxis])
    grid = {"svm": {"C": [0.1 * each for each in range(1, 28)]}}
    [(_, tuned)] = grid_search(grid, X, y, pd.Series(range(290)), folds=3, seed=0, tuning=Tuning(halving_min_songs=0))
    assert min(tuned.search.n_resources_) >= 290 // 3
