"""A small convolutional network on mel spectrograms, which are read from disk batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from songgenre.code_version import code_version
from songgenre.errors import UserError
from songgenre.evaluation.folds import collection_folds, describe_collection
from songgenre.evaluation.metrics import tabulate_predictions
from songgenre.models.checkpoint import Checkpoint, TrainingState, training_hash
from songgenre.models.crops import (
    Batch,
    MelDataset,
    augmented_batches,
    covering_crops,
    n_batches,
    split_dataset,
)
from songgenre.params import Cnn, Hardware, Network
from songgenre.progress import progress_bar
from songgenre.runtime.native_stderr import suppress_native_stderr
from songgenre.tables.mel_images import MelImages

with suppress_native_stderr():
    import keras
    import tensorflow as tf
    from keras import layers

AVERAGED_SHARE = 0.25
"""Share of the epochs, the last ones, whose weights are averaged."""
CURVE = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
"""Columns of a learning curve."""


def build_network(n_mels: int, crop_frames: int, n_genres: int, network: Network) -> keras.Model:
    """Build the network: blocks of convolution and pooling, then mean and maximum over time and frequency.

    The network first standardizes each mel band. The first convolution, plain in every architecture, has a stride of 2
    over time, which halves the computation.

    Parameters
    ----------
    n_mels, crop_frames : int
        Height and width of a crop.
    n_genres : int
        Number of genres.
    network : Network
        Section ``cnn.network`` of ``params.yaml``.

    Returns
    -------
    keras.Model
        Maps crops of mel spectrograms [shape=(n, n_mels, crop_frames, 1)], 0 to 255, to probabilities of the genres.
    """
    image = layers.Input((n_mels, crop_frames, 1))
    x = layers.Rescaling(1 / 128, offset=-1)(image)
    x = layers.BatchNormalization(axis=1, center=False, scale=False, momentum=0.9, name="band_normalization")(x)
    for number, width in enumerate(network.filters):
        if number == 0:
            x = layers.ReLU()(_convolution(x, width, strides=(1, 2)))
        elif network.architecture == "residual":
            x = _residual_block(x, width)
        else:
            x = layers.ReLU()(_convolution(x, width))
        x = layers.MaxPooling2D(2, name=f"pooling_{number}")(x)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dropout(network.dropout, seed=0)(x)
    answer = layers.Dense(n_genres, activation="softmax", dtype="float32")(x)
    return keras.Model(image, answer, name="genre_cnn")


def _residual_block(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Add two convolutions with a shortcut (He et al., `he2016deep`)."""
    shortcut = layers.Conv2D(width, 1, use_bias=False)(x)
    x = _convolution(layers.ReLU()(_convolution(x, width)), width)
    return layers.ReLU()(layers.Add()([x, shortcut]))


def _convolution(x: keras.KerasTensor, width: int, strides: tuple[int, int] = (1, 1)) -> keras.KerasTensor:
    x = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def train(
    train_songs: MelDataset, validation_songs: MelDataset, n_genres: int, config: Cnn, cache: Path
) -> tuple[keras.Model, pd.DataFrame]:
    """Train the network on random crops, which are read from the memory-mapped mel spectrograms batch by batch.

    The learning rate rises over one epoch, then falls along a cosine. The result has the mean of the weights after each
    of the last epochs (Izmailov et al., `izmailov2018averaging`), which depends less on the last batches. A training
    that was killed continues after its last complete epoch, and ends with the same bytes.

    Parameters
    ----------
    train_songs, validation_songs : MelDataset
        Songs to train on, and songs for the learning curve, on which the weights do not depend; there may be none.
    n_genres : int
        Number of genres.
    config : Cnn
        Section ``cnn`` of ``params.yaml``.
    cache : Path
        Folder of the checkpoint, which is deleted at the end.

    Returns
    -------
    model : keras.Model
        Network with the mean weights.
    learning_curve : pd.DataFrame
        A row per epoch, columns `CURVE`. The loss is the mean cross-entropy; validation uses the weights after the
        epoch, averages the crops of a song, and is NaN without validation songs.

    Raises
    ------
    UserError
        If the mel spectrograms are narrower than a crop.
    """
    _, n_mels, n_frames = train_songs.mel.shape
    crop_frames = config.sampling.crop_frames
    if n_frames < crop_frames:
        raise UserError(
            f"params.yaml: cnn.sampling.crop_frames: mel spectrograms have {n_frames} frames, fewer than a crop of "
            f"{crop_frames}. Lower it or raise wrangling.clip_duration_s."
        )
    steps = n_batches(train_songs, config.sampling)
    keras.utils.set_random_seed(config.seed)
    with _scope(config.hardware):
        model = build_network(n_mels, crop_frames, n_genres, config.network)
        model.compile(_optimizer(config, steps), loss="categorical_crossentropy", metrics=["accuracy"])
        model.optimizer.build(model.trainable_variables)
    checkpoint = Checkpoint(
        cache / f"{training_hash(code_version(train), train_songs, validation_songs, n_genres, config)}.npz", model
    )
    state = checkpoint.restore() or TrainingState([])
    last_epochs = range(config.epochs - ceil(AVERAGED_SHARE * config.epochs) + 1, config.epochs + 1)
    for epoch in progress_bar(range(1, config.epochs + 1), "training the CNN", total=config.epochs):
        if epoch <= len(state.curve):
            continue
        batches = partial(
            augmented_batches, train_songs, n_genres, config.sampling, config.augmentation, config.seed, epoch
        )
        crops = _dataset(batches, model, n_genres)
        fitted = model.fit(crops, steps_per_epoch=steps, shuffle=False, verbose=0).history
        row = (epoch, fitted["loss"][-1], fitted["accuracy"][-1], *validation_scores(model, validation_songs))
        state = state.after(row, model.get_weights() if epoch in last_epochs else ())
        checkpoint.save(state)
    model.set_weights(state.mean_weights)
    checkpoint.remove()
    return model, pd.DataFrame(state.curve, columns=CURVE)


def predict_probabilities(model: keras.Model, songs: MelDataset) -> np.ndarray:
    """Predict the probability of each genre, the mean over crops that cover a song.

    Parameters
    ----------
    model : keras.Model
        Trained network.
    songs : MelDataset
        Songs to predict.

    Returns
    -------
    np.ndarray [shape=(n_songs, n_genres)]
        Rows in the order of `songs`.
    """
    crops = covering_crops(songs, model.input_shape[2])
    return np.array([model.predict_on_batch(of_song).mean(axis=0) for of_song in crops])


def validation_scores(model: keras.Model, songs: MelDataset) -> tuple[float, float]:
    """Compute the mean cross-entropy and the accuracy on songs.

    Parameters
    ----------
    model : keras.Model
        Trained network.
    songs : MelDataset
        Songs to predict, see `predict_probabilities`.

    Returns
    -------
    loss, accuracy : float
        Mean cross-entropy and share of correct predictions; NaN without songs.
    """
    if not len(songs.labels):
        return np.nan, np.nan
    predicted = predict_probabilities(model, songs)
    truth = predicted[np.arange(len(songs.labels)), songs.labels]
    accuracy = (predicted.argmax(axis=1) == songs.labels).mean()
    return float(-np.log(truth.clip(1e-7)).mean()), float(accuracy)


def cross_validate(
    tracks: pd.DataFrame, mel: MelImages, mel_index: pd.DataFrame, config: Cnn, cache: Path
) -> pd.DataFrame:
    """Predict every song by a network that was trained without its artist.

    Each training uses all songs of the other folds; no songs are kept for validation, since nothing is chosen by them.

    Parameters
    ----------
    tracks, mel_index : pd.DataFrame
        `songgenre.tables.tracks.TRACKS` and `songgenre.tables.mel_index.MEL_INDEX`.
    mel : np.ndarray [shape=(n_tracks, n_mels, n_frames), dtype=uint8]
        Mel spectrograms of the corpus.
    config : Cnn
        Section ``cnn`` of ``params.yaml``.
    cache : Path
        Folder of the checkpoints, see `train`.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.NESTED`, fold by fold.

    Raises
    ------
    UserError
        If the mel spectrograms are narrower than a crop.
    """
    splitter = StratifiedGroupKFold(config.folds, shuffle=True, random_state=config.seed)
    folds = splitter.split(tracks, tracks["genre"], tracks["artist_group"])
    predictions = [_predict_fold(tracks, test, mel, mel_index, config, cache) for _, test in folds]
    return pd.concat(predictions, ignore_index=True).assign(repeat=0)


def leave_collections_out(
    tracks: pd.DataFrame, mel: MelImages, mel_index: pd.DataFrame, config: Cnn, cache: Path
) -> pd.DataFrame:
    """Compute the accuracy on each collection of a network that was trained on the others, unless ``cnn.folds`` is 0.

    Parameters
    ----------
    tracks, mel_index : pd.DataFrame
        `songgenre.tables.tracks.TRACKS` and `songgenre.tables.mel_index.MEL_INDEX`.
    mel : np.ndarray [shape=(n_tracks, n_mels, n_frames), dtype=uint8]
        Mel spectrograms of the corpus.
    config : Cnn
        Section ``cnn`` of ``params.yaml``.
    cache : Path
        Folder of the checkpoints, see `train`.

    Returns
    -------
    pd.DataFrame
        A row per collection whose genres the others have, as in `songgenre.models.diagnostics.evaluation_protocols`:
        ``test``, ``songs`` and ``accuracy``.

    Raises
    ------
    UserError
        If the mel spectrograms are narrower than a crop.
    """
    rows = []
    for _, test in collection_folds(tracks) if config.folds else []:
        predictions = _predict_fold(tracks, test, mel, mel_index, config, cache)
        accuracy = (predictions["predicted"] == predictions["genre"]).mean()
        rows.append((describe_collection(tracks.iloc[test]), len(predictions), accuracy))
    return pd.DataFrame(rows, columns=["test", "songs", "accuracy"])


def _predict_fold(
    tracks: pd.DataFrame, test: np.ndarray, mel: MelImages, mel_index: pd.DataFrame, config: Cnn, cache: Path
) -> pd.DataFrame:
    """Predict the songs at the positions `test` by a network that was trained on all others."""
    genres = sorted(tracks["genre"].unique())
    split = np.full(len(tracks), "train", dtype=object)
    split[test] = "test"
    songs = split_dataset(tracks.assign(split=split), mel, mel_index, genres)
    model, _ = train(songs["train"], songs["validation"], len(genres), config, cache)
    probabilities = pd.DataFrame(predict_probabilities(model, songs["test"]), columns=genres)
    return tabulate_predictions("cnn", tracks.iloc[test], probabilities)


def _optimizer(config: Cnn, steps: int) -> keras.optimizers.Optimizer:
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, config.epochs - 1) * steps,
        warmup_target=config.learning_rate,
        warmup_steps=steps,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay)


@contextmanager
def _scope(hardware: Hardware) -> Iterator[None]:
    """Set the placement of the network's variables and the precision of its computations."""
    strategies: dict[str, Callable[[], Any]] = {
        "none": tf.distribute.get_strategy,
        "mirrored": tf.distribute.MirroredStrategy,
    }
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(hardware.precision)
    try:
        with strategies[hardware.distribution]().scope():
            yield
    finally:
        keras.config.set_dtype_policy(before)


def _dataset(batches: Callable[[], Iterator[Batch]], model: keras.Model, n_genres: int) -> tf.data.Dataset:
    signature = (
        tf.TensorSpec((None, *model.input_shape[1:]), tf.float32),
        tf.TensorSpec((None, n_genres), tf.float32),
    )
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return tf.data.Dataset.from_generator(batches, output_signature=signature).with_options(options).prefetch(2)
