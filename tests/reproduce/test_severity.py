"""Rounding, changed predictions and other differences are told apart."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from songgenre.models.storage import save_sklearn
from songgenre.reproduce.severity import TOLERANCE, Severity, assess, classify_stage

PREDICTIONS = pd.DataFrame({"track_id": ["a", "b"], "predicted": ["rock", "jazz"], "p_rock": [0.75, 0.25]})
METRICS = {"svm": {"accuracy": 0.75, "n_test": 48}}


@pytest.fixture(params=[".parquet", ".csv"])
def table_severity(request: pytest.FixtureRequest, tmp_path: Path):
    def measure(before: pd.DataFrame, after: pd.DataFrame) -> Severity | None:
        paths = tmp_path / f"before{request.param}", tmp_path / f"after{request.param}"
        for table, path in zip((before, after), paths, strict=True):
            table.to_parquet(path) if request.param == ".parquet" else table.to_csv(path, index=False)
        return assess(*paths)

    return measure


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ({}, None),
        ({"p_rock": [0.75, 0.25 + 0.5 * TOLERANCE]}, Severity.ROUNDING),
        ({"p_rock": [0.75, 0.25 + 2 * TOLERANCE]}, Severity.VALUES),
        ({"p_rock": [0.75, np.nan]}, Severity.VALUES),
        ({"track_id": ["a", "c"]}, Severity.VALUES),
        ({"predicted": ["rock", "rock"], "p_rock": [0.75, 0.55]}, Severity.DECISIONS),
        ({"p_jazz": [0.25, 0.75]}, Severity.STRUCTURE),
        ({"p_rock": ["high", "low"]}, Severity.STRUCTURE),
    ],
)
def test_tables(table_severity, change: dict[str, list], severity: Severity | None) -> None:
    assert table_severity(PREDICTIONS, PREDICTIONS.assign(**change)) == severity


def test_a_missing_row_is_structure(table_severity) -> None:
    assert table_severity(PREDICTIONS, PREDICTIONS.head(1)) == Severity.STRUCTURE


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ({"accuracy": 0.75 * (1 - 0.5 * TOLERANCE)}, Severity.ROUNDING),
        ({"accuracy": 0.73}, Severity.VALUES),
        ({"n_test": 49}, Severity.VALUES),
        ({"log_loss": 0.1}, Severity.STRUCTURE),
    ],
)
def test_metrics(tmp_path: Path, change: dict[str, float], severity: Severity) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(METRICS))
    after.write_text(json.dumps({"svm": METRICS["svm"] | change}))
    assert assess(before, after) == severity


def test_a_mel_image_may_differ_by_one_level(tmp_path: Path) -> None:
    before, after = tmp_path / "before.npy", tmp_path / "after.npy"
    for step, severity in ((1, Severity.ROUNDING), (2, Severity.VALUES)):
        np.save(before, np.array([[0, 255]], dtype=np.uint8))
        np.save(after, np.array([[0, 255 - step]], dtype=np.uint8))
        assert assess(before, after) == severity


def test_weights_of_a_model(tmp_path: Path) -> None:
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.repeat(["jazz", "rock"], 20)
    for folder, shift in (("before", 0.0), ("after", 1e-7)):
        (tmp_path / folder).mkdir()
        save_sklearn(LogisticRegression().fit(X + shift, y), tmp_path / folder / "svm.skops")
    assert assess(tmp_path / "before", tmp_path / "after") == Severity.ROUNDING
    (tmp_path / "after" / "knn.skops").touch()
    assert assess(tmp_path / "before", tmp_path / "after") == Severity.STRUCTURE


@pytest.mark.parametrize(
    ("before", "after", "severity"),
    [
        ([1.0, np.inf], [1.0, -np.inf], Severity.VALUES),
        ([1.0, np.nan], [1.0 + 0.5 * TOLERANCE, np.nan], Severity.ROUNDING),
        ([0.0, 0.0], [0.0, 1e-300], Severity.ROUNDING),
        ([0.0, 0.0], [0.0, 1e-3], Severity.VALUES),
        (["rock"], ["pop"], Severity.STRUCTURE),
    ],
)
def test_arrays(tmp_path: Path, before: list, after: list, severity: Severity) -> None:
    for name, values in (("before.npy", before), ("after.npy", after)):
        np.save(tmp_path / name, np.array(values))
    assert assess(tmp_path / "before.npy", tmp_path / "after.npy") == severity


@pytest.mark.parametrize(
    ("before", "after", "severity"),
    [("rock", "pop", Severity.VALUES), (1, 0.999999, Severity.ROUNDING), (None, 1.0, Severity.STRUCTURE)],
)
def test_values_of_json(tmp_path: Path, before: object, after: object, severity: Severity) -> None:
    (tmp_path / "before.json").write_text(json.dumps([before]))
    (tmp_path / "after.json").write_text(json.dumps([after]))
    assert assess(tmp_path / "before.json", tmp_path / "after.json") == severity


@pytest.mark.parametrize(("name", "severity"), [("a.mp3", Severity.VALUES), ("empty.npy", Severity.STRUCTURE)])
def test_other_bytes_are_never_called_rounding(tmp_path: Path, name: str, severity: Severity) -> None:
    for folder, content in (("before", b""), ("after", b"other")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(content)
    assert assess(tmp_path / "before", tmp_path / "after") == severity


def test_a_broken_file_is_structure_and_a_page_has_no_severity(tmp_path: Path) -> None:
    for name, severity in (("t.parquet", Severity.STRUCTURE), ("page.html", None)):
        (tmp_path / f"before-{name}").write_text("one")
        (tmp_path / f"after-{name}").write_text("two")
        assert assess(tmp_path / f"before-{name}", tmp_path / f"after-{name}") == severity


def test_a_page_has_the_class_of_what_it_presents() -> None:
    assert classify_stage([], ["rounding", "changed decisions"], other_inputs=False) == "changed decisions"
    assert classify_stage([], [], other_inputs=False) == "other"


def test_a_stage_with_other_code_has_other_differences() -> None:
    assert classify_stage([Severity.ROUNDING], [], other_inputs=True) == "other"


def test_accuracy_follows_changed_decisions() -> None:
    assert classify_stage([Severity.VALUES], ["changed decisions"], other_inputs=False) == "changed decisions"
    assert classify_stage([Severity.VALUES], ["rounding"], other_inputs=False) == "other"
