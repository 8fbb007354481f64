import numpy as np
import pytest
import scipy.stats

from songgenre.features.kernels import statistics

ROWS = np.random.default_rng(0).gamma(2.0, size=(5, 1292)) * np.array([[1], [1e-6], [1e6], [-3], [1]])


def test_statistics_are_those_of_scipy() -> None:
    expected = [
        ROWS.mean(axis=1),
        ROWS.std(axis=1),
        scipy.stats.skew(ROWS, axis=1),
        scipy.stats.kurtosis(ROWS, axis=1),
        np.median(ROWS, axis=1),
        ROWS.min(axis=1),
        ROWS.max(axis=1),
        np.abs(np.diff(ROWS, axis=1)).mean(axis=1),
    ]
    np.testing.assert_allclose(statistics(ROWS), expected, rtol=1e-10)


def test_statistics_by_hand() -> None:
    computed = statistics(np.array([[1.0, 3.0, 2.0, 2.0], [0.0, 0.0, 0.0, 4.0]]))
    np.testing.assert_allclose(computed[0], [2, 1])
    np.testing.assert_allclose(computed[1], [np.sqrt(0.5), np.sqrt(3)])
    np.testing.assert_allclose(computed[2], [0, 2 / np.sqrt(3)], atol=1e-12)
    np.testing.assert_allclose(computed[4:7].T, [[2, 1, 3], [0, 0, 4]])
    np.testing.assert_allclose(computed[7], [1, 4 / 3])


@pytest.mark.parametrize("row", [[3.0], [3.0, 3.0, 3.0], [0.1] * 1000, [0.0] * 7, [1.0, 1.0 + 1e-8]])
def test_what_does_not_change_has_no_shape(row: list[float]) -> None:
    computed = statistics(np.array([row], dtype=np.float32))[:, 0]
    np.testing.assert_allclose(computed[[0, 4, 5, 6]], np.float32(row[0]), rtol=1e-6)
    np.testing.assert_allclose(computed[[1, 2, 3, 7]], 0, atol=1e-6)


def test_single_precision_does_not_add_up_errors() -> None:
    computed = statistics(np.full((1, 1_000_000), 0.1, dtype=np.float32))[:, 0]
    assert computed[0] == pytest.approx(float(np.float32(0.1)), rel=1e-9)
    assert computed[7] == 0
