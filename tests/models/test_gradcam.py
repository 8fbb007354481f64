"""Networks whose answer is known by construction: genre 1 is whatever is loud at the marked place."""

import keras
import numpy as np
import pytest
from keras import layers

from songgenre.models import gradcam
from songgenre.models.crops import MelDataset


@pytest.fixture(scope="module")
def loudness() -> keras.Model:
    """Two maps, one of the picture and one of its negative; the mean of each speaks for a genre."""
    image = layers.Input((16, 24, 1))
    maps = layers.Conv2D(2, 1, activation="relu")(layers.Rescaling(1 / 255)(image))
    answer = layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(image, answer)
    model.layers[2].set_weights([np.array([[[[-1.0, 1.0]]]]), np.array([1.0, 0.0])])
    model.layers[-1].set_weights([np.eye(2), np.zeros(2)])
    return model


def spot() -> np.ndarray:
    crop = np.zeros((16, 24), dtype=np.uint8)
    crop[3:6, 10:14] = 255
    return crop


def test_heat_is_where_the_loud_spot_is(loudness: keras.Model) -> None:
    heat = gradcam.heat_map(loudness, spot(), 1)
    np.testing.assert_allclose(heat, spot() / 255, atol=1e-5)


def test_heat_for_the_other_genre_is_everywhere_else(loudness: keras.Model) -> None:
    heat = gradcam.heat_map(loudness, spot(), 0)
    np.testing.assert_allclose(heat, 1 - spot() / 255, atol=1e-5)


def test_heat_is_zero_where_nothing_speaks_for_the_genre(loudness: keras.Model) -> None:
    heat = gradcam.heat_map(loudness, np.zeros((16, 24)), 1)
    assert heat.tolist() == np.zeros((16, 24)).tolist()


def test_surest_songs_come_first_right_and_wrong_apart(loudness: keras.Model) -> None:
    mel = np.zeros((8, 16, 30), dtype=np.uint8)
    mel[5, :, 3:27] = np.arange(24)
    songs = MelDataset(mel, np.array([4, 5, 6, 7]), np.array([0, 1, 1, 0]))
    shares = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.7, 0.3]])
    right, wrong = gradcam.views(loudness, songs, shares, 2)
    assert [view.song for view in right] == [1, 3]
    assert [view.song for view in wrong] == [2]
    np.testing.assert_array_equal(right[0].image, np.tile(np.arange(24), (16, 1)))
    frames = slice(right[0].start, right[0].start + 24)
    np.testing.assert_array_equal(right[0].image, songs.mel[songs.rows[1], :, frames])
