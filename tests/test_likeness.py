import numpy as np

from songgenre.likeness import similarities


def test_similarity_is_the_cosine_after_standardising() -> None:
    X = np.array([[0.0, 10.0], [2.0, 10.0], [0.0, 30.0], [2.0, 30.0]])
    found = similarities(X, np.array([2.0, 30.0]))
    np.testing.assert_allclose(found, [-1, 0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(similarities(X, X)[3], found, atol=1e-12)


def test_a_number_that_is_always_the_same_tells_nothing() -> None:
    X = np.array([[0.0, 7.0], [2.0, 7.000001]])
    np.testing.assert_allclose(similarities(X, X), [[1, -1], [-1, 1]])
