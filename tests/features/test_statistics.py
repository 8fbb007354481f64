import numpy as np
import pytest

from songgenre.features.statistics import summarise


def test_statistics_by_hand() -> None:
    frames = np.array([[1.0, 3.0, 2.0, 2.0], [0.0, 0.0, 0.0, 4.0]])
    assert summarise("mfcc", frames) == pytest.approx(
        {
            "mfcc_01_mean": 2,
            "mfcc_01_std": np.sqrt(0.5),
            "mfcc_01_change": 1,
            "mfcc_02_mean": 1,
            "mfcc_02_std": np.sqrt(3),
            "mfcc_02_change": 4 / 3,
        }
    )


def test_single_row_needs_no_number() -> None:
    assert list(summarise("rms", np.zeros((1, 5)))) == ["rms_mean", "rms_std", "rms_change"]


def test_names_sort_as_the_rows_do() -> None:
    means = [name for name in summarise("mfcc", np.zeros((20, 2))) if name.endswith("mean")]
    assert means == sorted(means)


def test_single_frame_does_not_change() -> None:
    assert summarise("rms", np.array([[3.0]])) == {"rms_mean": 3, "rms_std": 0, "rms_change": 0}


def test_single_precision_does_not_add_up_errors() -> None:
    frames = np.full((1, 1_000_000), 0.1, dtype=np.float32)
    statistics = summarise("rms", frames)
    assert statistics["rms_mean"] == pytest.approx(float(np.float32(0.1)), rel=1e-9)
    assert statistics["rms_change"] == 0
    assert {type(value) for value in statistics.values()} == {float}
