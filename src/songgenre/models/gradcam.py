"""Where in a mel image a network finds the genre (Grad-CAM, Selvaraju et al. 2017)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from songgenre.models.crops import MelDataset
from songgenre.native_stderr import suppress_native_stderr

with suppress_native_stderr():
    import keras
    import tensorflow as tf


class View(NamedTuple):
    """A crop of a song, and what of it speaks for the genre that the network names.

    Parameters
    ----------
    song : int
        Number of the song in its split.
    image : np.ndarray [shape=(n_mels, crop_frames), dtype=uint8]
    heat : np.ndarray [shape=(n_mels, crop_frames)]
        0 to 1.
    """

    song: int
    image: np.ndarray
    heat: np.ndarray


def heat_map(model: keras.Model, crop: np.ndarray, genre: int) -> np.ndarray:
    """How much each place of a crop speaks for a genre.

    The maps of the last convolutional block, weighted by the mean gradient of the log-probability, rectified, scaled
    so that the largest is one, and enlarged to the crop.

    Parameters
    ----------
    model : keras.Model
    crop : np.ndarray [shape=(n_mels, crop_frames)]
        0 to 255.
    genre : int

    Returns
    -------
    np.ndarray [shape=(n_mels, crop_frames)]
        0 to 1; zeros where nothing speaks for the genre.
    """
    last_maps = [layer.output for layer in model.layers if len(layer.output.shape) == 4][-1]
    inside = keras.Model(model.input, [last_maps, model.output])
    with tf.GradientTape() as tape:
        maps, answer = inside(crop[np.newaxis, ..., np.newaxis].astype(np.float32), training=False)
        evidence = tf.math.log(answer[0, genre] + 1e-7)
    weights = tf.reduce_mean(tape.gradient(evidence, maps), axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1, keepdims=True))
    heat = np.asarray(tf.image.resize(tf.cast(heat, tf.float32), crop.shape))[0, ..., 0]
    return heat / max(heat.max(), 1e-12)


def views(
    model: keras.Model, songs: MelDataset, probabilities: np.ndarray, n_songs: int
) -> tuple[list[View], list[View]]:
    """The middle of the songs of which the network is surest, among those it gets right and those it gets wrong.

    Parameters
    ----------
    model : keras.Model
    songs : MelDataset
    probabilities : np.ndarray [shape=(n_songs, n_genres)]
        What it says of them.
    n_songs : int
        How many of each, if there are so many.

    Returns
    -------
    right, wrong : list of View
        The surest first.
    """
    crop_frames = model.input_shape[2]
    start = (songs.mel.shape[2] - crop_frames) // 2
    predicted = probabilities.argmax(axis=1)
    surest = np.argsort(-probabilities.max(axis=1), kind="stable")

    def view(song: int) -> View:
        image = np.asarray(songs.mel[songs.rows[song], :, start : start + crop_frames])
        return View(song, image, heat_map(model, image, predicted[song]))

    right = predicted[surest] == songs.labels[surest]
    chosen_right, chosen_wrong = surest[right][:n_songs], surest[~right][:n_songs]
    return [view(int(song)) for song in chosen_right], [view(int(song)) for song in chosen_wrong]
