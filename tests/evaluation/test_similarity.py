import numpy as np
import pandas as pd
import pytest

from songgenre.errors import UserError
from songgenre.evaluation import similarity
from songgenre.evaluation.similarity import cosine_similarities


def test_similarity_is_the_cosine_after_standardising() -> None:
    X = np.array([[0.0, 10.0], [2.0, 10.0], [0.0, 30.0], [2.0, 30.0]])
    found = cosine_similarities(X, np.array([2.0, 30.0]))
    np.testing.assert_allclose(found, [-1, 0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(cosine_similarities(X, X)[3], found, atol=1e-12)


def test_a_number_that_is_always_the_same_tells_nothing() -> None:
    X = np.array([[0.0, 7.0], [2.0, 7.000001]])
    np.testing.assert_allclose(cosine_similarities(X, X), [[1, -1], [-1, 1]])


def corpus(genres: str, artists: str, places: list[list[float]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = [f"song-{number}" for number in range(len(genres))]
    tracks = pd.DataFrame({"track_id": names, "genre": list(genres), "artist_group": list(artists)})
    features = pd.DataFrame(places, columns=["x", "y"]).assign(track_id=names)
    return features, tracks


SQUARE = [[1, 1], [1, 0.9], [-1, 1], [1, -1], [-1, -1], [-1, -0.9]]
"""By their directions from the centre: 0 and 1 are neighbours, and so are 4 and 5."""


def test_precision_of_a_case_counted_by_hand() -> None:
    """Of 0 and 1 it is the other, of 4 and 5 as well; of 2 it is 0, and of 3 it is 4.

    Standardised, the second number is that of the square over its spread, 0.968. So of 2, at (-1, 1.033), the cosine
    with 0, at (1, 1.033), is (1.033 ** 2 - 1) / (1.033 ** 2 + 1) = 0.033; those with 1 and 5 are -0.02 and 0.02.
    """
    features, tracks = corpus("ppqqrr", "abcdef", SQUARE)
    assert similarity.precision_at(1, features, tracks) == pytest.approx(4 / 6)
    features, tracks = corpus("pqpqrr", "abcdef", SQUARE)
    assert similarity.precision_at(1, features, tracks) == pytest.approx(3 / 6)
    features, tracks = corpus("ppprrr", "abcdef", SQUARE)
    assert similarity.precision_at(1, features, tracks) == 1


def test_songs_of_the_same_artist_do_not_count() -> None:
    """Without song 1, by the same artist, song 0 is nearest to 2 or 3, which are of other genres."""
    features, tracks = corpus("ppqqrr", "aabcdd", SQUARE)
    assert similarity.precision_at(1, features, tracks) == 0
    assert similarity.precision_at(1, features.iloc[::-1], tracks) == 0


def test_chance_is_the_share_of_the_genre_among_other_artists() -> None:
    _, tracks = corpus("pppq", "aabc", [[0, 0]] * 4)
    assert similarity.chance_precision(tracks) == pytest.approx((1 / 2 + 1 / 2 + 2 / 3 + 0) / 4)


def test_chance_is_what_random_features_reach() -> None:
    rng = np.random.default_rng(0)
    features, tracks = corpus("pqr" * 100, "abcdefghij" * 30, rng.standard_normal((300, 2)).tolist())
    assert similarity.precision_at(10, features, tracks) == pytest.approx(similarity.chance_precision(tracks), abs=0.03)


def test_too_few_songs_by_others_are_told() -> None:
    features, tracks = corpus("ppqqrr", "aaaaab", SQUARE)
    with pytest.raises(UserError, match=r"\b2\b.*artists"):
        similarity.precision_at(2, features, tracks)
