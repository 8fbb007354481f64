import numpy as np
import pandas as pd
import pytest

from songgenre.models import embeddings, head, shipping


@pytest.fixture(scope="module")
def tracks() -> pd.DataFrame:
    """Four songs of each of eight artists of each genre."""
    artists = [f"{genre} {number}" for genre in ("blues", "jazz", "rock") for number in range(8)]
    table = pd.DataFrame({"artist_group": np.repeat(artists, 4)})
    return table.assign(genre=table["artist_group"].str.split().str[0])


@pytest.fixture(scope="module")
def outcome(tracks: pd.DataFrame) -> shipping.Outcome:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3, 12))[pd.Categorical(tracks["genre"]).codes]
    X = pd.DataFrame(centres + 0.7 * rng.standard_normal((96, 12)))
    return shipping.train(X, tracks["genre"], tracks["artist_group"], [0.01, 1.0], folds=3, seed=1)


def test_every_song_is_judged_by_a_head_without_its_artist(tracks: pd.DataFrame) -> None:
    """Songs give away the artist and nothing else, so that only an artist on both sides would help."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(np.repeat(rng.standard_normal((24, 30)), 4, axis=0) + 0.01 * rng.standard_normal((96, 30)))
    outcome = shipping.train(X, tracks["genre"], tracks["artist_group"], [1.0], folds=3, seed=1)
    assert (outcome.probabilities.idxmax(axis=1) == tracks["genre"]).mean() < 0.65
    fitted = X.apply(lambda song: outcome.head.probabilities(song.to_numpy()).idxmax(), axis=1)
    assert (fitted == tracks["genre"]).mean() > 0.9


def test_card_tells_what_was_measured(tracks: pd.DataFrame, outcome: shipping.Outcome) -> None:
    accuracy = (outcome.probabilities.idxmax(axis=1) == tracks["genre"]).mean()
    assert accuracy > 0.8
    text = shipping.card(tracks, outcome, folds=3, seed=1)
    assert f"Accuracy **{accuracy:.3f}**" in text
    assert "96 clips of 30 s by 24 artists" in text
    assert "| jazz | 32 | 8 |" in text


def test_head_that_ships_is_small_and_fits_the_networks() -> None:
    shipped = head.load()
    assert set(shipped.genres) == {"electronic", "hip-hop", "classical", "country", "rock"}
    assert shipped.weights.shape == (len(embeddings.columns()), 5)
    assert head.SHIPPED.stat().st_size < 200_000
    shares = shipped.probabilities(np.zeros(len(shipped.weights)))
    assert shares.sum() == pytest.approx(1)
