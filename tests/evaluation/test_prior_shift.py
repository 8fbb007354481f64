from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from songgenre.evaluation.ensemble import ENSEMBLE
from songgenre.evaluation.metrics import tabulate_predictions
from songgenre.evaluation.prior_shift import (
    UNWEIGHTED,
    adjust_probabilities,
    compare_adjusted,
    estimate_priors,
    mix_changes,
    model_priors,
    training_priors,
)
from songgenre.models.pipelines import PIPELINES, build_pipeline
from songgenre.params import ClassWeight, Params, load_params

GENRES = ["blues", "jazz", "rock"]
EVEN = np.full(3, 1 / 3)


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(Path(__file__).parents[2] / "params.yaml")


def with_values(params: Params, **values: object) -> Params:
    """Parameters with other values, such as ``sklearn__class_weight``."""
    content = params.model_dump()
    for name, value in values.items():
        *sections, key = name.split("__")
        section = content
        for each in sections:
            section = section[each]
        section[key] = value
    return Params.model_validate(content)


def songs(train: list[int], test: list[int]) -> pd.DataFrame:
    """A number of training and of test songs of each genre."""
    genre = np.repeat(GENRES * 2, [*train, *test])
    split = np.repeat(["train", "test"], [sum(train), sum(test)])
    return pd.DataFrame({"track_id": [f"t{at}" for at in range(len(genre))], "genre": genre, "split": split})


@pytest.mark.parametrize("heard", [0.3, 0.5, 0.62, 0.75])
def test_estimate_solves_the_case_that_can_be_solved_by_hand(heard: float) -> None:
    """Of rock 80 % of songs have a guitar, of jazz 20 %: the share of rock follows from the share with a guitar."""
    n = 1000
    has_guitar = np.arange(n) < heard * n
    rock = np.where(has_guitar, 0.8, 0.2)
    estimated = estimate_priors(np.stack([1 - rock, rock], axis=1), np.array([0.5, 0.5]))
    assert estimated[1] == pytest.approx((heard - 0.2) / (0.8 - 0.2), abs=1e-4)


def test_adjustment_is_bayes_theorem_with_the_densities() -> None:
    x = np.linspace(-3, 5, 50)
    density = norm.pdf(x[:, np.newaxis], loc=[0, 1, 2.5])
    priors, new = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.1, 0.8])
    trained, expected = density * priors, density * new
    adjusted = adjust_probabilities(trained / trained.sum(axis=1, keepdims=True), priors, new)
    np.testing.assert_allclose(adjusted, expected / expected.sum(axis=1, keepdims=True))


def test_estimate_maximizes_the_likelihood() -> None:
    rng = np.random.default_rng(1)
    priors = np.array([0.5, 0.3, 0.2])
    probabilities = rng.dirichlet([1, 1, 2], size=300)

    def loss(logits: np.ndarray) -> float:
        new = np.exp(logits) / np.exp(logits).sum()
        return -float(np.log(probabilities @ (new / priors)).sum())

    best = np.exp(minimize(loss, np.zeros(3), tol=1e-10).x)
    np.testing.assert_allclose(estimate_priors(probabilities, priors), best / best.sum(), atol=1e-3)


def test_a_model_trained_with_one_mix_finds_another_and_is_right_about_it() -> None:
    """Of 4,000 songs of three Gaussian genres, a third of each in training; in the collection, rock is the most."""
    rng = np.random.default_rng(2)
    mix = np.array([0.05, 0.15, 0.8])
    means = np.array([[0, 0], [1.5, 0], [0, 1.5]])
    truth = np.repeat([0, 1, 2], 1000)
    model = LinearDiscriminantAnalysis(priors=EVEN).fit(means[truth] + rng.normal(size=(3000, 2)), truth)
    collection = rng.choice(3, 4000, p=mix)
    probabilities = model.predict_proba(means[collection] + rng.normal(size=(4000, 2)))
    estimated = estimate_priors(probabilities, EVEN)
    np.testing.assert_allclose(estimated, mix, atol=0.03)
    adjusted = adjust_probabilities(probabilities, EVEN, estimated)
    before, after = (np.log(each[np.arange(4000), collection]).mean() for each in (probabilities, adjusted))
    assert after > before + 0.2
    assert (adjusted.argmax(axis=1) == collection).mean() > (probabilities.argmax(axis=1) == collection).mean() + 0.05


def test_without_a_shift_nothing_changes() -> None:
    priors = np.array([0.5, 0.3, 0.2])
    of_genre = np.array([[0.6, 0.3, 0.1], [0.3, 0.5, 0.2], [0.1, 0.2, 0.7]])  # a row per kind of song
    joint = of_genre * priors
    probabilities = np.repeat(joint / joint.sum(axis=1, keepdims=True), [41, 34, 25], axis=0)
    np.testing.assert_allclose(joint.sum(axis=1), [0.41, 0.34, 0.25])
    np.testing.assert_allclose(estimate_priors(probabilities, priors), priors)


def test_a_genre_that_is_certainly_absent_does_not_divide_by_zero() -> None:
    probabilities = np.array([[0.7, 0.3, 0], [0.2, 0.8, 0]])
    estimated = estimate_priors(probabilities, EVEN)
    assert estimated[2] == 0
    assert np.isfinite(adjust_probabilities(probabilities, EVEN, estimated)).all()


@pytest.mark.parametrize(
    ("balance", "expected"), [(0.0, [0.1, 0.3, 0.6]), (1.0, [1 / 3] * 3), (0.5, np.sqrt([0.1, 0.3, 0.6]) / 1.6388)]
)
def test_priors_are_the_shares_of_the_training_songs_unless_these_are_balanced(
    balance: float, expected: list[float]
) -> None:
    priors = training_priors(songs([10, 30, 60], [50, 5, 5]), balance)
    assert priors.index.tolist() == GENRES
    assert priors.tolist() == pytest.approx(expected, abs=1e-4)


def test_priors_of_each_model_follow_from_the_parameters(params: Params) -> None:
    tracks = songs([10, 30, 60], [10, 30, 60])
    shares = [0.1, 0.3, 0.6]
    assert model_priors("svm", tracks, params).tolist() == pytest.approx(shares)
    balanced = with_values(params, sklearn__class_weight="balanced", cnn__sampling__class_balance=1.0)
    assert model_priors("svm", tracks, balanced).tolist() == pytest.approx([1 / 3] * 3)
    assert model_priors("cnn", tracks, balanced).tolist() == pytest.approx([1 / 3] * 3)
    assert model_priors("transfer", tracks, balanced).tolist() == pytest.approx(shares)
    assert model_priors("baseline", tracks, balanced).tolist() == pytest.approx(shares)
    assert params.evaluation.ensemble == ["soft_voting", "cnn", "transfer"]
    assert model_priors(ENSEMBLE, tracks, balanced).tolist() == pytest.approx(
        (2 / 3 / 3 + np.array(shares) / 3).tolist()
    )


def test_genre_without_a_training_song_has_a_prior() -> None:
    assert training_priors(songs([0, 1, 3], [5, 5, 5]), 0).tolist() == pytest.approx([1 / 5, 1 / 5, 3 / 5])


def test_only_the_training_songs_count_for_the_cnn(params: Params) -> None:
    tracks = songs([20, 30, 50], [40, 0, 10]).replace({"split": {"test": "validation"}})
    assert model_priors("cnn", tracks, params).tolist() == pytest.approx([0.2, 0.3, 0.5])
    assert model_priors("svm", tracks, params).tolist() == pytest.approx([0.4, 0.2, 0.4])


def test_soft_vote_has_the_mean_of_the_priors_of_its_members(params: Params) -> None:
    tracks = songs([10, 30, 60], [10, 30, 60])
    voters = ["svm", "k_nearest_neighbours", "nystroem_svm"]  # which is meant for more songs
    balanced = with_values(params, sklearn__class_weight="balanced", sklearn__soft_voting_members=voters)
    expected = np.mean([EVEN, [0.1, 0.3, 0.6]], axis=0)
    assert model_priors("soft_voting", tracks, balanced).tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("model", sorted(PIPELINES))
def test_models_without_weights_are_those_that_balancing_does_not_change(model: str) -> None:
    none, balanced = (repr(build_pipeline(model, 0, weight, 3)) for weight in get_args(ClassWeight))
    assert (none == balanced) == (model in UNWEIGHTED)


def test_mix_changes_if_shares_differ_or_training_counts_genres(params: Params) -> None:
    assert not mix_changes(songs([10, 30, 60], [11, 29, 60]), params)
    assert mix_changes(songs([10, 30, 60], [60, 30, 10]), params)
    assert not mix_changes(songs([10, 30, 60], [0, 0, 0]), params)
    assert mix_changes(songs([10, 30, 60], [10, 30, 60]), with_values(params, transfer__class_weight="balanced"))


def test_comparison_shows_what_the_adjustment_gains(params: Params) -> None:
    rng = np.random.default_rng(5)
    tracks = songs([300, 300, 300], [20, 80, 900])
    test = tracks[tracks["split"] == "test"]
    x = test["genre"].map({"blues": 0.0, "jazz": 1.5, "rock": 3.0}).to_numpy() + rng.normal(size=len(test))
    density = norm.pdf(x[:, np.newaxis], loc=[0, 1.5, 3])
    shares = pd.DataFrame(density / density.sum(axis=1, keepdims=True), columns=GENRES)
    row = compare_adjusted(tabulate_predictions("svm", test, shares), tracks, params).loc["svm"]
    assert row["shift"] == pytest.approx(0.9 - 1 / 3, abs=0.04)
    for score, sign in (("accuracy", 1), ("log loss", -1), ("calibration error", -1)):
        assert sign * row[f"{score}, adjusted"] > sign * row[score]
