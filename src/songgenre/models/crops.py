"""Crops of mel images: cut from a memory-mapped file, varied for training, and covering a song for its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre.params import Augmentation, Sampling
from songgenre.tables.columns import SPLITS

Batch = tuple[np.ndarray, np.ndarray]

EQ_BANDS = 5


NO_AUGMENTATION = Augmentation(mixup=0.0, spec_augment=0.0, pitch_shift_bands=0, random_eq_std=0.0)


class MelDataset(NamedTuple):
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


def split_dataset(
    tracks: pd.DataFrame, mel: np.ndarray, mel_index: pd.DataFrame, genres: Sequence[str]
) -> dict[str, MelDataset]:
    """The songs of each split, in the order of `tracks`.

    Parameters
    ----------
    tracks, mel_index : pd.DataFrame
        `songgenre.tables.tracks.TRACKS` and `songgenre.tables.mel_index.MEL_INDEX`.
    mel : np.ndarray [shape=(n_tracks, n_mels, n_frames), dtype=uint8]
    genres : sequence of str
        Their order gives each its number.
    """
    rows = tracks["track_id"].map(mel_index.set_index("track_id")["row"]).to_numpy()
    labels = pd.Categorical(tracks["genre"], categories=list(genres)).codes.astype(int)
    chosen = {split: (tracks["split"] == split).to_numpy() for split in SPLITS}
    return {split: MelDataset(mel, rows[mask], labels[mask]) for split, mask in chosen.items()}


def n_batches(songs: MelDataset, sampling: Sampling) -> int:
    """How many batches an epoch has."""
    return -(-len(songs.rows) * sampling.crops_per_song // sampling.batch_size)


def augmented_batches(
    songs: MelDataset, n_genres: int, sampling: Sampling, augmentation: Augmentation, seed: int, epoch: int
) -> Iterator[Batch]:
    """The batches of one epoch, read one after the other.

    Parameters
    ----------
    songs : MelDataset
    n_genres : int
    sampling : Sampling
    augmentation : Augmentation
    seed, epoch : int
        Together they settle all that is random.

    Yields
    ------
    crops : np.ndarray [shape=(n, n_mels, crop_frames, 1), dtype=float32]
        0 to 255.
    targets : np.ndarray [shape=(n, n_genres), dtype=float32]
        What the network should answer; each sums to one.
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
    """For each song, the fewest crops that cover it, evenly spread.

    Parameters
    ----------
    songs : MelDataset
    crop_frames : int

    Yields
    ------
    np.ndarray [shape=(n_crops, n_mels, crop_frames, 1), dtype=float32]
    """
    starts = covering_starts(songs.mel.shape[2], crop_frames)
    for row in songs.rows:
        crops = np.stack([songs.mel[row, :, start : start + crop_frames] for start in starts])
        yield crops[..., np.newaxis].astype(np.float32)


def covering_starts(n_frames: int, crop_frames: int) -> np.ndarray:
    """First frames of the fewest crops that cover a song, evenly spread."""
    n_crops = -(-n_frames // crop_frames)
    return np.linspace(0, n_frames - crop_frames, n_crops).round().astype(int)


def _sample_order(labels: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> np.ndarray:
    """Songs in random order, each as often as its share demands (systematic sampling).

    Without balance each comes `crops_per_song` times; with a balance of one, each genre equally often.
    """
    share = np.bincount(labels)[labels].astype(float) ** -sampling.class_balance
    size = len(labels) * sampling.crops_per_song
    shuffled = rng.permutation(len(labels))
    bounds = np.cumsum(share[shuffled])
    places = (np.arange(size) + rng.uniform(0.1, 0.9)) / size
    return rng.permutation(shuffled[np.searchsorted(bounds, places * bounds[-1])])


def _augment(image: np.ndarray, crop_frames: int, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """A crop from a random time, shifted along the frequencies, equalised and blanked in parts."""
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
    """The crop moved up by some bands, or down if negative; its edge fills the gap."""
    source = np.clip(np.arange(len(crop)) - bands, 0, len(crop) - 1)
    return crop[source]


def _equalize(crop: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """The crop with gains between which each band's is interpolated, from the lowest to the highest."""
    bands = np.interp(np.linspace(0, 1, len(crop)), np.linspace(0, 1, len(gains)), gains)
    return np.clip(crop + bands[:, np.newaxis].astype(np.float32), 0, 255)


def _mask(crop: np.ndarray, mask: float, rng: np.random.Generator) -> np.ndarray:
    """The crop with one band of frequencies and one span of time blanked (SpecAugment, Park et al. 2019)."""
    crop = crop.copy()
    blank = crop.mean()
    height, width = (int(rng.integers(int(mask * length) + 1)) for length in crop.shape)
    bottom, left = rng.integers(crop.shape[0] - height + 1), rng.integers(crop.shape[1] - width + 1)
    crop[bottom : bottom + height] = blank
    crop[:, left : left + width] = blank
    return crop


def _mixup(crops: np.ndarray, targets: np.ndarray, mixup: float, rng: np.random.Generator) -> Batch:
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
