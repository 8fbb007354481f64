import json
from pathlib import Path

import pandas as pd

from songgenre.evaluation.files import write_headline


def test_headline_is_of_the_best_model_of_each_table(tmp_path: Path) -> None:
    nested = pd.DataFrame({"accuracy": [0.9, 0.8], "ci95_low": [0.85, 0.7], "ci95_high": [0.95, 0.9]}, ["svm", "cnn"])
    test = pd.DataFrame({"accuracy": [0.7, 0.6], "ci95_low": [0.6, 0.5], "ci95_high": [0.8, 0.7]}, ["cnn", "svm"])
    write_headline(nested, test, tmp_path / "headline.json")
    assert json.loads((tmp_path / "headline.json").read_text()) == {
        "accuracy": 0.9,
        "ci95_low": 0.85,
        "ci95_high": 0.95,
        "test_accuracy": 0.7,
        "test_ci95_low": 0.6,
        "test_ci95_high": 0.8,
    }
