"""Regions of a mel spectrogram that support a genre (Grad-CAM, Selvaraju et al., `selvaraju2017gradcam`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from songgenre.models.crops import MelDataset
from songgenre.runtime.native_stderr import suppress_native_stderr

with suppress_native_stderr():
    import keras
    import tensorflow as tf


class View(NamedTuple):
    """A crop of a song and its heat map for the predicted genre.

    Parameters
    ----------
    song : int
        Number of the song in its split.
    start : int
        First frame of the crop.
    image : np.ndarray [shape=(n_mels, crop_frames), dtype=uint8]
        Mel spectrogram of the crop.
    heat : np.ndarray [shape=(n_mels, crop_frames)]
        Heat map, 0 to 1.
    """

    song: int
    start: int
    image: np.ndarray
    heat: np.ndarray


def heat_map(model: keras.Model, crop: np.ndarray, genre: int) -> np.ndarray:
    """Compute how much each place of a crop supports a genre.

    The heat map is the sum of the feature maps of the last convolutional block, weighted by the mean gradient of the
    log-probability, rectified, resized to the crop and scaled to a maximum of 1.

    Parameters
    ----------
    model : keras.Model
        Trained network.
    crop : np.ndarray [shape=(n_mels, crop_frames)]
        Mel spectrogram, 0 to 255.
    genre : int
        Number of the genre.

    Returns
    -------
    np.ndarray [shape=(n_mels, crop_frames)]
        0 to 1; all zeros if no place supports the genre.
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
    """Compute heat maps of the most confident correct and the most confident wrong predictions.

    Parameters
    ----------
    model : keras.Model
        Trained network.
    songs : MelDataset
        Songs; the central crop of each is shown.
    probabilities : np.ndarray [shape=(n_songs, n_genres)]
        Predictions of the network for `songs`.
    n_songs : int
        Largest number of songs in each list.

    Returns
    -------
    right, wrong : list of View
        Correct and wrong predictions, the most confident first.
    """
    crop_frames = model.input_shape[2]
    start = (songs.mel.shape[2] - crop_frames) // 2
    predicted = probabilities.argmax(axis=1)
    by_confidence = np.argsort(-probabilities.max(axis=1), kind="stable")

    def view(song: int) -> View:
        image = np.asarray(songs.mel[songs.rows[song], :, start : start + crop_frames])
        return View(song, start, image, heat_map(model, image, predicted[song]))

    right = predicted[by_confidence] == songs.labels[by_confidence]
    chosen_right, chosen_wrong = by_confidence[right][:n_songs], by_confidence[~right][:n_songs]
    return [view(int(song)) for song in chosen_right], [view(int(song)) for song in chosen_wrong]
