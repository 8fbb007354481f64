import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from songgenre.evaluation import predictions
from songgenre.models import classical, embeddings, head, shipping


@pytest.fixture(scope="module")
def tracks() -> pd.DataFrame:
    """Four songs of each of eight artists of each genre."""
    artists = [f"{genre} {number}" for genre in ("blues", "jazz", "rock") for number in range(8)]
    table = pd.DataFrame({"artist_group": np.repeat(artists, 4)})
    return table.assign(genre=table["artist_group"].str.split().str[0], track_id=[f"t{at}" for at in range(len(table))])


def test_card_tells_what_was_measured(tracks: pd.DataFrame) -> None:
    """Of every genre, every fourth song is called rock, which only songs of rock are rightly."""
    genres = ["blues", "jazz", "rock"]
    shares = pd.DataFrame(0.1, index=tracks.index, columns=genres)
    said = tracks["genre"].mask(tracks.index % 4 == 0, "rock")
    for genre in genres:
        shares.loc[said == genre, genre] = 0.8
    text = shipping.card(tracks, predictions(shipping.MODEL, tracks, shares), folds=3, repeats=1, seed=1)
    accuracy = 1 - 16 / 96
    log_loss = -(80 * np.log(0.8) + 16 * np.log(0.1)) / 96
    assert f"Accuracy **{accuracy:.3f}**" in text
    assert "96 clips of 30 s by 24 artists" in text
    assert "| jazz | 32 | 8 | 0.75 | 0.86 |" in text
    assert f"log loss is\n{log_loss:.3f}" in text
    assert f"\n{accuracy - 0.8:.3f}." in text


def test_probabilities_of_a_linear_model_are_calibrated() -> None:
    """Few songs and many numbers that tell nothing: what fits such songs is far too sure, until it is calibrated."""
    rng = np.random.default_rng(0)
    y = pd.Series(np.repeat(["blues", "jazz", "rock"], 200))
    X = rng.standard_normal((600, 60))
    X[:, :3] += np.repeat(np.eye(3) * 1.5, 200, axis=0)
    learn = np.arange(600) % 2 == 0
    pipeline = classical.PIPELINES["linear"](0).set_params(calibratedclassifiercv__estimator__shrinkage=0.01)
    model = pipeline.fit(X[learn], y[learn])
    shares = model.predict_proba(X[~learn])
    raw = model[-1].calibrated_classifiers_[0].estimator.predict_proba(model[:-1].transform(X[~learn]))
    np.testing.assert_array_equal(shares.argmax(axis=1), raw.argmax(axis=1))
    assert log_loss(y[~learn], shares) < log_loss(y[~learn], raw)


def test_head_that_ships_is_small_and_fits_the_networks() -> None:
    shipped = head.load()
    assert set(shipped.genres) == {"electronic", "hip-hop", "classical", "country", "rock"}
    assert shipped.weights.shape == (len(embeddings.columns()), 5)
    assert head.SHIPPED.stat().st_size < 200_000
    shares = shipped.probabilities(np.zeros(len(shipped.weights)))
    assert shares.sum() == pytest.approx(1)
