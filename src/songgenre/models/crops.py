"""Crops of mel spectrograms: read from a memory-mapped file, augmented for training, or covering a whole song."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre.params import Augmentation, Sampling
from songgenre.tables.columns import SPLITS
from songgenre.tables.mel_images import MelImages

Batch = tuple[np.ndarray, np.ndarray]

EQ_BANDS = 5
"""Number of random gains, between which those of the mel bands are interpolated."""

NO_AUGMENTATION = Augmentation(mixup=0.0, spec_augment=0.0, pitch_shift_bands=0, random_eq_std=0.0)


class MelDataset(NamedTuple):
    """The songs of one split.

    Parameters
    ----------
    mel : np.ndarray [shape=(n_tracks, n_mels, n_frames), dtype=uint8]
        Mel spectrograms of the whole corpus, memory-mapped.
    rows : np.ndarray [shape=(n_songs,), dtype=int]
        Rows of `mel` that belong to the split.
    labels : np.ndarray [shape=(n_songs,), dtype=int]
        Number of each song's genre.
    """

    mel: MelImages
    rows: np.ndarray
    labels: np.ndarray


def split_dataset(
    tracks: pd.DataFrame, mel: MelImages, mel_index: pd.DataFrame, genres: Sequence[str]
) -> dict[str, MelDataset]:
    """Divide a corpus by split.

    Parameters
    ----------
    tracks, mel_index : pd.DataFrame
        `songgenre.tables.tracks.TRACKS` and `songgenre.tables.mel_index.MEL_INDEX`.
    mel : np.ndarray [shape=(n_tracks, n_mels, n_frames), dtype=uint8]
        Mel spectrograms of the corpus.
    genres : sequence of str
        Names of the genres; the position of a name is its label.

    Returns
    -------
    dict of MelDataset
        From the name of a split to its songs, in the order of `tracks`.
    """
    rows = tracks["track_id"].map(mel_index.set_index("track_id")["row"]).to_numpy()
    labels = pd.Categorical(tracks["genre"], categories=list(genres)).codes.astype(int)
    chosen = {split: (tracks["split"] == split).to_numpy() for split in SPLITS}
    return {split: MelDataset(mel, rows[mask], labels[mask]) for split, mask in chosen.items()}


def n_batches(songs: MelDataset, sampling: Sampling) -> int:
    """Compute the number of batches in an epoch.

    Parameters
    ----------
    songs : MelDataset
        Training songs.
    sampling : Sampling
        Section ``cnn.sampling`` of ``params.yaml``.

    Returns
    -------
    int
        The number, including a smaller last batch.
    """
    return -(-len(songs.rows) * sampling.crops_per_song // sampling.batch_size)


def augmented_batches(
    songs: MelDataset, n_genres: int, sampling: Sampling, augmentation: Augmentation, seed: int, epoch: int
) -> Iterator[Batch]:
    """Yield the batches of one epoch: random crops, augmented, with smoothed targets.

    Parameters
    ----------
    songs : MelDataset
        Training songs.
    n_genres : int
        Number of genres.
    sampling : Sampling
        Section ``cnn.sampling`` of ``params.yaml``.
    augmentation : Augmentation
        Section ``cnn.augmentation`` of ``params.yaml``.
    seed, epoch : int
        Seed of the training and number of the epoch; together they determine all random choices.

    Yields
    ------
    crops : np.ndarray [shape=(n, n_mels, crop_frames, 1), dtype=float32]
        0 to 255.
    targets : np.ndarray [shape=(n, n_genres), dtype=float32]
        Target probabilities; each row sums to 1.
    """
    rng = np.random.default_rng([seed, epoch])
    smoothing = sampling.label_smoothing
    targets = ((1 - smoothing) * np.eye(n_genres) + smoothing / n_genres).astype(np.float32)[songs.labels]
    order = _sample_order(songs.labels, sampling, rng)
    for start in range(0, len(order), sampling.batch_size):
        chosen = order[start : start + sampling.batch_size]
        crops = np.stack(
            [_augment(songs.mel[songs.rows[at]], sampling.crop_frames, augmentation, rng) for at in chosen]
        )
        yield _mixup(crops[..., np.newaxis], targets[chosen], augmentation.mixup, rng)


def covering_crops(songs: MelDataset, crop_frames: int) -> Iterator[np.ndarray]:
    """Cut each song into the fewest crops that cover it, evenly spread.

    Parameters
    ----------
    songs : MelDataset
        Songs to cut.
    crop_frames : int
        Width of a crop.

    Yields
    ------
    np.ndarray [shape=(n_crops, n_mels, crop_frames, 1), dtype=float32]
        Crops of one song, 0 to 255.
    """
    starts = covering_starts(songs.mel.shape[2], crop_frames)
    for row in songs.rows:
        crops = np.stack([songs.mel[row, :, start : start + crop_frames] for start in starts])
        yield crops[..., np.newaxis].astype(np.float32)


def covering_starts(n_frames: int, crop_frames: int) -> np.ndarray:
    """Compute the first frames of the fewest crops that cover a song, evenly spread.

    Parameters
    ----------
    n_frames, crop_frames : int
        Width of the song and of a crop.

    Returns
    -------
    np.ndarray [shape=(n_crops,), dtype=int]
        First frame of each crop, ascending.

    Examples
    --------
    >>> covering_starts(100, 40)
    array([ 0, 30, 60])
    """
    n_crops = -(-n_frames // crop_frames)
    return np.linspace(0, n_frames - crop_frames, n_crops).round().astype(int)


def _sample_order(labels: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> np.ndarray:
    """Draw songs in random order, each in proportion to its weight (systematic sampling).

    Without class balance each song is drawn `crops_per_song` times; with a balance of 1, each genre equally often.
    """
    share = np.bincount(labels)[labels].astype(float) ** -sampling.class_balance
    size = len(labels) * sampling.crops_per_song
    shuffled = rng.permutation(len(labels))
    bounds = np.cumsum(share[shuffled])
    places = (np.arange(size) + rng.uniform(0.1, 0.9)) / size
    return rng.permutation(shuffled[np.searchsorted(bounds, places * bounds[-1])])


def _augment(image: np.ndarray, crop_frames: int, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Cut a crop at a random time, shift its bands, equalize it and mask parts of it."""
    start = rng.integers(image.shape[1] - crop_frames + 1)
    crop = image[:, start : start + crop_frames].astype(np.float32)
    if augmentation.pitch_shift_bands:
        crop = _shift_bands(
            crop, int(rng.integers(-augmentation.pitch_shift_bands, augmentation.pitch_shift_bands + 1))
        )
    if augmentation.random_eq_std:
        crop = _equalize(crop, rng.normal(0, augmentation.random_eq_std, EQ_BANDS))
    return _mask(crop, augmentation.spec_augment, rng)


def _shift_bands(crop: np.ndarray, bands: int) -> np.ndarray:
    """Shift a crop up by some bands, or down if `bands` is negative; the edge band fills the gap."""
    source = np.clip(np.arange(len(crop)) - bands, 0, len(crop) - 1)
    return crop[source]


def _equalize(crop: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Add gains to a crop, interpolated between `gains` from the lowest band to the highest."""
    bands = np.interp(np.linspace(0, 1, len(crop)), np.linspace(0, 1, len(gains)), gains)
    return np.clip(crop + bands[:, np.newaxis].astype(np.float32), 0, 255)


def _mask(crop: np.ndarray, mask: float, rng: np.random.Generator) -> np.ndarray:
    """Set one range of bands and one range of frames to the mean (SpecAugment, Park et al., `park2019specaugment`)."""
    crop = crop.copy()
    blank = crop.mean()
    height, width = (int(rng.integers(int(mask * length) + 1)) for length in crop.shape)
    bottom, left = rng.integers(crop.shape[0] - height + 1), rng.integers(crop.shape[1] - width + 1)
    crop[bottom : bottom + height] = blank
    crop[:, left : left + width] = blank
    return crop


def _mixup(crops: np.ndarray, targets: np.ndarray, mixup: float, rng: np.random.Generator) -> Batch:
    """Blend each crop, and its target, with another (mixup, Zhang et al., `zhang2018mixup`)."""
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
