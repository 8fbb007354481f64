import numpy as np
import pandas as pd
import pytest

from songgenre.evaluation.intervals import accuracy_interval, bootstrap_accuracy, confidence_interval


@pytest.fixture
def correct() -> pd.Series:
    """Whether 200 songs are right; about two thirds are."""
    return pd.Series(np.random.default_rng(0).random(200) < 2 / 3)


@pytest.fixture
def artists() -> pd.Series:
    return pd.Series([f"artist {at % 40}" for at in range(200)])


def width(bootstrap: np.ndarray) -> float:
    low, high = np.quantile(bootstrap, [0.025, 0.975])
    return float(high - low)


def test_bootstrap_over_artists_is_wider_than_over_songs_where_artists_are_all_right_or_all_wrong() -> None:
    artists = pd.Series(np.repeat(np.arange(20), 10))
    correct = artists % 2 == 0
    over_artists = bootstrap_accuracy(correct, artists, seed=1)
    over_songs = bootstrap_accuracy(correct, pd.Series(range(200)), seed=1)
    assert width(over_artists) > 2 * width(over_songs)
    assert over_artists.mean() == pytest.approx(0.5, abs=0.02)
    assert over_artists.std() == pytest.approx(np.sqrt(0.25 / 20), rel=0.05)
    assert over_songs.std() == pytest.approx(np.sqrt(0.25 / 200), rel=0.05)


def test_bootstrap_draws_artists_and_counts_their_songs() -> None:
    correct = pd.Series([True, False, False, False], index=[7, 7, 2, 1])
    artists = pd.Series(["one", "three", "three", "three"], index=[0, 1, 2, 3])
    assert set(bootstrap_accuracy(correct, artists, seed=1)) == {0, 1 / 4, 1}


def test_bootstrap_of_one_seed_is_the_same_and_of_another_is_not(correct: pd.Series, artists: pd.Series) -> None:
    first, again, other = (bootstrap_accuracy(correct, artists, seed, 50) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("right", [True, False])
def test_interval_of_a_perfect_or_zero_score_is_that_of_wilson_over_artists(right: bool) -> None:
    artists = pd.Series(np.repeat(np.arange(9), 4))
    low, high = accuracy_interval(pd.Series([right] * 36), artists, seed=1)
    unseen = 1.959964**2 / (9 + 1.959964**2)
    assert (low, high) == pytest.approx((1 - unseen, 1) if right else (0, unseen))


def test_interval_of_any_other_score_is_that_of_the_bootstrap(correct: pd.Series, artists: pd.Series) -> None:
    assert accuracy_interval(correct, artists, seed=1) == confidence_interval(bootstrap_accuracy(correct, artists, 1))


@pytest.mark.parametrize("artists", [[1, 1, 1, 1], [1, 1, 2, 2]])
def test_interval_has_a_width_if_all_artists_have_the_same_share(artists: list[int]) -> None:
    low, high = accuracy_interval(pd.Series([True, False, True, False]), pd.Series(artists), seed=1)
    assert 0 <= low < 0.5 < high <= 1
