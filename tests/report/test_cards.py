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


@pytest.mark.parametrize(("unknown", "said"), [(0, "No artists are"), (2, "No known artists are"), (4, None)])
def test_cards_say_that_songs_without_artist_may_leak(unknown: int, said: str | None) -> None:
    artists = [None] * unknown + ["Ada", "Ben", "Cy", "Dot"][unknown:]
    groups = [artist or f"unknown artist of {number}" for number, artist in enumerate(artists)]
    split = ["train", "train", "test", "test"]
    text = cards.describe_leakage(pd.DataFrame({"artist": artists, "artist_group": groups, "split": split}))
    assert (f"artists of {unknown} songs are unknown" in text) == (unknown > 0)
    assert said is None or said in text
    assert said is not None or "more than one split" not in text
