import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from songgenre.evaluation.metrics import tabulate_predictions
from songgenre.models import classical, embeddings
from songgenre.models.pretrained import head, train
from songgenre.params import Transfer
from songgenre.report import bundled_card


@pytest.fixture(scope="module")
def tracks() -> pd.DataFrame:
    """Four songs of each of eight artists of each genre."""
    artists = [f"{genre} {number}" for genre in ("blues", "jazz", "rock") for number in range(8)]
    table = pd.DataFrame({"artist_group": np.repeat(artists, 4)})
    genre, number = table["artist_group"].str.split().str[0], table["artist_group"].str[-1].astype(int)
    collection = np.where(number < 4, "here", "there")
    return table.assign(genre=genre, collection=collection, track_id=[f"t{at}" for at in range(len(table))])


def test_card_tells_what_was_measured(tracks: pd.DataFrame) -> None:
    """Of every genre, every fourth song is called rock, which only songs of rock are rightly."""
    genres = ["blues", "jazz", "rock"]
    shares = pd.DataFrame(0.1, index=tracks.index, columns=genres)
    said = tracks["genre"].mask(tracks.index % 4 == 0, "rock")
    for genre in genres:
        shares.loc[said == genre, genre] = 0.8
    nested = tabulate_predictions(train.MODEL, tracks, shares)
    there = nested["track_id"].isin(tracks["track_id"][tracks["collection"] == "there"])
    unseen_collection = nested[there].assign(predicted="jazz")
    config = Transfer(folds=3, repeats=1, shrinkage=[0.1], seed=1)
    text = bundled_card.bundled_card(train.Trained(tracks, nested, unseen_collection), config)
    accuracy = 1 - 16 / 96
    log_loss = -(80 * np.log(0.8) + 16 * np.log(0.1)) / 96
    assert f"**{accuracy:.3f}**" in text
    assert re.search(r"\b96\b.*\b24 artists", text)
    assert "| jazz | 32 | 8 | 0.75 | 0.86 |" in text
    assert re.search(r"\| here \| 48 \| 0\.83 \(0\.\d\d to [01]\.\d\d\) \| \D+ \|\n", text)
    assert re.search(r"\| there \| 48 \| 0\.83 \(0\.\d\d to [01]\.\d\d\) \| 0\.33 \(0\.\d\d to 0\.\d\d\) \|", text)
    assert f"{log_loss:.3f}" in text
    assert f"{accuracy - 0.8:.3f}" in text


def test_songs_of_a_collection_are_judged_by_a_model_that_has_not_heard_it(tracks: pd.DataFrame) -> None:
    """Every collection has its own number, which says the genre within it and something else in the other."""
    genre = tracks["genre"].map({"blues": 0, "jazz": 1, "rock": 2})
    X = pd.get_dummies((genre + (tracks["collection"] == "there")) % 3).astype(float)
    said = train.leave_one_collection_out(make_pipeline(KNeighborsClassifier(1)), X, tracks)
    assert set(said["track_id"]) == set(tracks["track_id"])
    assert (said["genre"] != said["predicted"]).all()
    in_both = tracks[(tracks["genre"] != "rock") | (tracks["collection"] == "there")]
    said = train.leave_one_collection_out(make_pipeline(KNeighborsClassifier(1)), X.loc[in_both.index], in_both)
    assert set(said["track_id"]) == set(in_both["track_id"][in_both["collection"] == "here"])


def test_probabilities_of_a_linear_model_are_calibrated() -> None:
    """Few songs and many numbers that tell nothing: what fits such songs is far too sure, until it is calibrated."""
    rng = np.random.default_rng(0)
    y = pd.Series(np.repeat(["blues", "jazz", "rock"], 200))
    X = rng.standard_normal((600, 60))
    X[:, :3] += np.repeat(np.eye(3) * 1.5, 200, axis=0)
    learn = np.arange(600) % 2 == 0
    pipeline = classical.PIPELINES["lda"](0).set_params(calibratedclassifiercv__estimator__shrinkage=0.01)
    model = pipeline.fit(X[learn], y[learn])
    shares = model.predict_proba(X[~learn])
    raw = model[-1].calibrated_classifiers_[0].estimator.predict_proba(model[:-1].transform(X[~learn]))
    np.testing.assert_array_equal(shares.argmax(axis=1), raw.argmax(axis=1))
    assert log_loss(y[~learn], shares) < log_loss(y[~learn], raw)


def test_head_that_ships_is_small_and_fits_the_networks() -> None:
    shipped = head.load_head()
    assert set(shipped.genres) == {"electronic", "hip-hop", "classical", "country", "rock"}
    assert shipped.weights.shape == (len(embeddings.columns()), 5)
    assert head.BUNDLED.stat().st_size < 200_000
    shares = shipped.probabilities(np.zeros(len(shipped.weights)))
    assert shares.sum() == pytest.approx(1)


def test_readme_says_what_the_card_says() -> None:
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text("utf-8").split())
    text = bundled_card.BUNDLED_CARD.read_text("utf-8")
    [accuracy] = re.findall(r"\*\*(\d\.\d{3})\*\*", text)
    unheard = [float(share) for share in re.findall(r"^\| .* \| ([\d.]+) \([^|]*\) \|$", text, re.M)]
    assert re.search(rf"\b{100 * float(accuracy):.0f}( of 100| ?%)", readme)
    assert re.search(rf"\b{100 * min(unheard):.0f} to {100 * max(unheard):.0f}( of 100| ?%)", readme)
    assert re.search(r"\b{:.2f}, {:.2f} and {:.2f}\b".format(*unheard), readme)
