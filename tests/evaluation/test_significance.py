import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from songgenre.evaluation import significance
from songgenre.evaluation.intervals import bootstrap_accuracy


def width(bootstrap: np.ndarray) -> float:
    low, high = np.quantile(bootstrap, [0.025, 0.975])
    return float(high - low)


@pytest.mark.parametrize(
    ("better", "worse", "interval"),
    [([1, 1, 1], [0, 0, 0], (0.44, 1)), ([1, 0, 1], [1, 0, 1], (-0.56, 0.56)), ([0, 0, 0], [1, 1, 1], (-1, -0.44))],
)
def test_difference_by_hand(better: list[int], worse: list[int], interval: tuple[float, float]) -> None:
    sides = pd.Series(better, dtype=bool), pd.Series(worse, dtype=bool)
    assert significance.paired_difference(*sides, pd.Series(list("123")), seed=1) == pytest.approx(interval, abs=0.005)


def test_difference_is_paired() -> None:
    rng = np.random.default_rng(0)
    worse = pd.Series(rng.random(300) < 0.5)
    better = worse.copy()
    better[np.flatnonzero(~worse)[:30]] = True
    artists = pd.Series(range(300))
    low, high = significance.paired_difference(better, worse, artists, seed=1)
    assert 0.05 < low < 0.1 < high < 0.15
    assert high - low < width(bootstrap_accuracy(better, artists, seed=1))
    other_way = significance.paired_difference(worse, better, artists, seed=1)
    assert other_way == pytest.approx((-high, -low))


def sides(both: int, only_one: int, only_other: int) -> tuple[pd.Series, pd.Series]:
    one = [True] * both + [True] * only_one + [False] * only_other
    other = [True] * both + [False] * only_one + [True] * only_other
    return pd.Series(one), pd.Series(other)


@pytest.mark.parametrize(("only_one", "only_other"), [(1, 0), (10, 2), (5, 5), (0, 8)])
def test_mcnemar_counts_only_the_songs_on_which_they_differ(only_one: int, only_other: int) -> None:
    expected = binomtest(only_one, only_one + only_other).pvalue
    for both in (0, 100):
        assert significance.mcnemar(*sides(both, only_one, only_other)) == pytest.approx(expected)


def test_mcnemar_of_models_that_agree_is_one() -> None:
    assert significance.mcnemar(*sides(10, 0, 0)) == 1


def test_holm_by_hand() -> None:
    corrected = significance.holm(pd.Series({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.9}))
    assert corrected.to_dict() == pytest.approx({"a": 0.09, "b": 0.04, "c": 0.09, "d": 0.9})


def test_the_best_is_compared_with_every_other_on_the_same_songs() -> None:
    names = [f"t{at}" for at in range(40)]
    tracks = pd.DataFrame({"track_id": names[::-1], "artist_group": [f"a{at}" for at in range(40)]})
    right = {"good": np.arange(40) < 30, "poor": np.arange(40) < 10, "same": np.arange(40) < 30}
    said = pd.concat(
        pd.DataFrame(
            {"track_id": names, "model": model, "genre": "rock", "predicted": np.where(is_right, "rock", "jazz")}
        ).sample(frac=1, random_state=1)
        for model, is_right in right.items()
    )
    table = significance.compare_with("good", said, tracks, seed=1, samples=500)
    assert table.index.tolist() == ["poor", "same"]
    assert table.loc["poor", "difference"] == pytest.approx(0.5)
    assert table.loc["poor", "p"] == pytest.approx(2 * binomtest(20, 20).pvalue)
    assert 0.3 < table.loc["poor", "ci95_low"] < 0.5 < table.loc["poor", "ci95_high"] < 0.7
    low, high = table.loc["same", ["ci95_low", "ci95_high"]]
    assert -0.1 < low < 0 < high < 0.1
    assert table.loc["same", ["difference", "p"]].tolist() == [0, 1]
