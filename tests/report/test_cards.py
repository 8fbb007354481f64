"""The cards in docs are of the run that the metrics are of."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.report import cards

ROOT = Path(__file__).parents[2]


def test_model_card_in_docs_is_of_the_metrics_that_are_committed() -> None:
    metrics = json.loads((ROOT / "reports" / "metrics" / "evaluation.json").read_text())
    best = max(metrics, key=lambda model: metrics[model]["accuracy"])
    text = (ROOT / "docs" / "model_card.md").read_text()
    assert f"{metrics[best]['accuracy']:.3f}" in text
    nested = pd.read_csv(ROOT / "reports" / "plots" / "nested.csv").set_index("model")["accuracy"]
    assert best not in nested or f"**{nested[best]:.3f}**" in text
    assert f"`{metrics[best]['model_hash']}`" in text
    for genre, f1 in metrics[best]["f1"].items():
        assert re.search(rf"\| {genre} \| \d+ \| [\d.]+ \| [\d.]+ \| {f1:.2f} \|", text)


def test_data_card_in_docs_is_of_the_same_tracks() -> None:
    metrics = json.loads((ROOT / "reports" / "metrics" / "evaluation.json").read_text())
    [data_hash] = {model["data_hash"] for model in metrics.values()}
    assert f"`{data_hash}`" in (ROOT / "docs" / "data_card.md").read_text()


def test_card_before_the_first_run_says_what_to_do(tmp_path: Path) -> None:
    for card in (cards.model_card, cards.data_card):
        with pytest.raises(UserError, match="dvc repro"):
            card(Project(tmp_path))
