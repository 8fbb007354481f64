"""A small convolutional network on mel images, which streams from disk and fits a laptop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre.errors import UserError
from songgenre.models.determinism import make_deterministic as make_deterministic
from songgenre.progress import track
from songgenre.quiet import quiet_libraries
from songgenre.tables import SPLITS

with quiet_libraries():
    import keras
    import tensorflow as tf
    from keras import layers


Batch = tuple[np.ndarray, np.ndarray]


class Size(NamedTuple):
    """How large the network is; see ``cnn`` in ``params.yaml``."""

    crop_frames: int
    widths: list[int]
    dropout: float


class Training(NamedTuple):
    """How the network is trained; see ``cnn`` in ``params.yaml``."""

    epochs: int
    crops_per_song: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    mixup: float
    seed: int


class Songs(NamedTuple):
    """The songs of one split.

    Parameters
    ----------
    mel : np.ndarray [shape=(n_tracks, n_mels, n_frames), dtype=uint8]
        Of the whole corpus, memory-mapped.
    rows : np.ndarray [shape=(n_songs,), dtype=int]
        Which of them are in the split.
    labels : np.ndarray [shape=(n_songs,), dtype=int]
        Number of the genre of each.
    """

    mel: np.ndarray
    rows: np.ndarray
    labels: np.ndarray


def songs_per_split(
    tracks: pd.DataFrame, mel: np.ndarray, mel_index: pd.DataFrame, genres: Sequence[str]
) -> dict[str, Songs]:
    """The songs of each split, in the order of `tracks`.

    Parameters
    ----------
    tracks, mel_index : pd.DataFrame
        `songgenre.tables.TRACKS` and `songgenre.tables.MEL_INDEX`.
    mel : np.ndarray [shape=(n_tracks, n_mels, n_frames), dtype=uint8]
    genres : sequence of str
        Their order gives each its number.
    """
    rows = tracks["track_id"].map(mel_index.set_index("track_id")["row"]).to_numpy()
    labels = pd.Categorical(tracks["genre"], categories=list(genres)).codes.astype(int)
    chosen = {split: (tracks["split"] == split).to_numpy() for split in SPLITS}
    return {split: Songs(mel, rows[mask], labels[mask]) for split, mask in chosen.items()}


def build(n_mels: int, n_genres: int, size: Size) -> keras.Model:
    """Build the network: blocks of convolution and pooling, then mean and maximum over the image.

    The first convolution takes every other frame, which halves the work.

    Parameters
    ----------
    n_mels, n_genres : int
    size : Size

    Returns
    -------
    keras.Model
        From a crop of a mel image [shape=(n_mels, crop_frames, 1)], 0 to 255, to probabilities of the genres.
    """
    image = layers.Input((n_mels, size.crop_frames, 1))
    x = layers.Rescaling(1 / 128, offset=-1)(image)
    for block, width in enumerate(size.widths):
        strides = (1, 2) if block == 0 else 1
        x = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dropout(size.dropout)(x)
    return keras.Model(image, layers.Dense(n_genres, activation="softmax")(x), name="genre_cnn")


def train(
    train_songs: Songs, validation_songs: Songs, n_genres: int, size: Size, training: Training
) -> tuple[keras.Model, pd.DataFrame]:
    """Train on random crops, which are read from the memory-mapped images batch by batch.

    Parameters
    ----------
    train_songs, validation_songs : Songs
    n_genres : int
    size : Size
    training : Training

    Returns
    -------
    model : keras.Model
    learning_curve : pd.DataFrame
        A row per epoch: ``epoch``, ``train_loss``, ``train_accuracy``, ``validation_loss``,
        ``validation_accuracy``. The loss is the mean cross-entropy; validation looks at the middle of each song.

    Raises
    ------
    UserError
        If the images are narrower than a crop.
    """
    _, n_mels, n_frames = train_songs.mel.shape
    if n_frames < size.crop_frames:
        raise UserError(
            f"Expected cnn.crop_frames to be at most the width of the mel images, {n_frames} frames, "
            f"got {size.crop_frames}. Lower it or raise wrangling.clip_duration_s."
        )
    model = build(n_mels, n_genres, size)
    steps = -(-len(train_songs.rows) * training.crops_per_song // training.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=training.epochs * steps,
        warmup_target=training.learning_rate,
        warmup_steps=steps,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=training.weight_decay),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    rows = []
    for epoch in track(range(1, training.epochs + 1), "training the CNN", total=training.epochs):
        batches = partial(_augmented_batches, train_songs, n_genres, size.crop_frames, training, epoch)
        crops = _dataset(batches, model, n_genres)
        fitted = model.fit(crops, steps_per_epoch=steps, shuffle=False, verbose=0).history
        rows.append((epoch, fitted["loss"][-1], fitted["accuracy"][-1], *_assess(model, validation_songs)))
    columns = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    return model, pd.DataFrame(rows, columns=columns)


def probabilities(model: keras.Model, songs: Songs) -> np.ndarray:
    """Probabilities of the genres of each song, the mean over crops that cover it.

    Parameters
    ----------
    model : keras.Model
    songs : Songs

    Returns
    -------
    np.ndarray [shape=(n_songs, n_genres)]
    """
    crop_frames = model.input_shape[2]
    starts = _covering_starts(songs.mel.shape[2], crop_frames)
    averaged = []
    for row in songs.rows:
        crops = np.stack([songs.mel[row, :, start : start + crop_frames] for start in starts])
        averaged.append(model.predict_on_batch(crops[..., np.newaxis].astype(np.float32)).mean(axis=0))
    return np.array(averaged)


def _covering_starts(n_frames: int, crop_frames: int) -> np.ndarray:
    n_crops = -(-n_frames // crop_frames)
    return np.linspace(0, n_frames - crop_frames, n_crops).round().astype(int)


def _assess(model: keras.Model, songs: Songs) -> tuple[float, float]:
    """Mean cross-entropy and accuracy on the middle crop of each song."""
    crop_frames = model.input_shape[2]
    start = (songs.mel.shape[2] - crop_frames) // 2
    crops = songs.mel[songs.rows, :, start : start + crop_frames, np.newaxis].astype(np.float32)
    predicted = model.predict(crops, verbose=0)
    truth = predicted[np.arange(len(songs.labels)), songs.labels]
    accuracy = (predicted.argmax(axis=1) == songs.labels).mean()
    return float(-np.log(truth.clip(1e-7)).mean()), float(accuracy)


def _dataset(batches: Callable[[], Iterator[Batch]], model: keras.Model, n_genres: int) -> tf.data.Dataset:
    signature = (
        tf.TensorSpec((None, *model.input_shape[1:]), tf.float32),
        tf.TensorSpec((None, n_genres), tf.float32),
    )
    return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)


def _augmented_batches(
    songs: Songs, n_genres: int, crop_frames: int, training: Training, epoch: int
) -> Iterator[Batch]:
    """One epoch of random crops, with time and frequency masks and mixup."""
    rng = np.random.default_rng([training.seed, epoch])
    targets = np.eye(n_genres, dtype=np.float32)[songs.labels]
    order = rng.permutation(np.repeat(np.arange(len(songs.rows)), training.crops_per_song))
    for start in range(0, len(order), training.batch_size):
        chosen = order[start : start + training.batch_size]
        crops = np.stack([_masked_crop(songs.mel[songs.rows[at]], crop_frames, rng) for at in chosen])
        yield _mixed(crops.astype(np.float32)[..., np.newaxis], targets[chosen], training.mixup, rng)


def _masked_crop(image: np.ndarray, crop_frames: int, rng: np.random.Generator) -> np.ndarray:
    """A random crop with one band of frequencies and one span of time blanked (SpecAugment, Park et al. 2019)."""
    start = rng.integers(image.shape[1] - crop_frames + 1)
    crop = image[:, start : start + crop_frames].copy()
    n_mels = len(crop)
    height, width = rng.integers(n_mels // 6), rng.integers(crop_frames // 6)
    bottom, left = rng.integers(n_mels - height), rng.integers(crop_frames - width)
    blank = int(crop.mean())
    crop[bottom : bottom + height] = blank
    crop[:, left : left + width] = blank
    return crop


def _mixed(crops: np.ndarray, targets: np.ndarray, mixup: float, rng: np.random.Generator) -> Batch:
    """Each crop blended with another (mixup, Zhang et al. 2018)."""
    if mixup == 0:
        return crops, targets
    share = rng.beta(mixup, mixup, size=len(crops)).astype(np.float32)
    other = rng.permutation(len(crops))
    image_share = share[:, np.newaxis, np.newaxis, np.newaxis]
    target_share = share[:, np.newaxis]
    return (
        image_share * crops + (1 - image_share) * crops[other],
        target_share * targets + (1 - target_share) * targets[other],
    )
