import numpy as np
import pandas as pd
import pytest

from songgenre.models import crops
from songgenre.models.crops import NO_AUGMENTATION, Batch, MelDataset
from songgenre.params import Augmentation, Sampling


def sampling(crops_per_song: int = 1, balance: float = 0.0, label_smoothing: float = 0.0) -> Sampling:
    return Sampling.model_construct(
        crop_frames=32,
        crops_per_song=crops_per_song,
        batch_size=4,
        class_balance=balance,
        label_smoothing=label_smoothing,
    )


def flat_images(n_songs: int = 100) -> np.ndarray:
    """Images that are of one value each, the number of their row, so that masks and shifts do not show."""
    return np.tile(np.arange(n_songs, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 16, 40))


def batches(
    songs: MelDataset,
    n_genres: int,
    how: Sampling,
    augmentation: Augmentation = NO_AUGMENTATION,
    seed: int = 1,
    epoch: int = 1,
) -> list[Batch]:
    return list(crops.augmented_batches(songs, n_genres, how, augmentation, seed, epoch))


@pytest.mark.parametrize("mixup", [0.0, 0.3])
@pytest.mark.parametrize("crops_per_song", [1, 3])
def test_crops_come_from_the_given_rows_only_with_their_labels(mixup: float, crops_per_song: int) -> None:
    rows = np.array([3, 50, 97, 8, 20])
    songs = MelDataset(flat_images(), rows, np.arange(5))
    made = batches(
        songs,
        5,
        sampling(crops_per_song),
        Augmentation(mixup=mixup, spec_augment=0.2, pitch_shift_bands=2, random_eq_std=0.0),
    )
    images, targets = map(np.concatenate, zip(*made, strict=True))
    assert images.shape == (5 * crops_per_song, 16, 32, 1)
    assert np.ptp(images, axis=(1, 2, 3)).max() < 1e-3
    np.testing.assert_allclose(images[:, 0, 0, 0], targets @ rows, rtol=1e-4)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    if mixup == 0:
        assert sorted(images[:, 0, 0, 0]) == sorted(np.repeat(rows, crops_per_song))
        assert set(targets.ravel()) == {0, 1}
    else:
        assert len(np.unique(targets)) > 2


def test_last_batch_may_be_smaller() -> None:
    songs = MelDataset(flat_images(), np.arange(10), np.zeros(10, dtype=int))
    made = batches(songs, 2, sampling())
    assert [len(images) for images, _ in made] == [4, 4, 2]
    assert crops.n_batches(songs, sampling()) == 3


def test_smoothed_labels_sum_to_one_and_keep_their_maximum() -> None:
    songs = MelDataset(flat_images(), np.arange(8), np.arange(8) % 4)
    targets = np.concatenate([targets for _, targets in batches(songs, 4, sampling(label_smoothing=0.2))])
    np.testing.assert_allclose(np.sort(targets, axis=1), [[0.05, 0.05, 0.05, 0.85]] * 8, rtol=1e-5)


@pytest.mark.parametrize(("balance", "expected"), [(0.0, [24, 6]), (1.0, [15, 15])])
def test_balance_brings_rare_genres_more_often(balance: float, expected: list[int]) -> None:
    songs = MelDataset(flat_images(), np.arange(10), np.array([0] * 8 + [1] * 2))
    targets = np.concatenate([targets for _, targets in batches(songs, 2, sampling(3, balance))])
    np.testing.assert_allclose(targets.sum(axis=0), expected, atol=1)


def test_crops_are_those_of_the_seed_and_the_epoch() -> None:
    mel = np.random.default_rng(0).integers(256, size=(6, 16, 40), dtype=np.uint8)
    songs = MelDataset(mel, np.arange(6), np.zeros(6, dtype=int))
    everything = Augmentation(mixup=0.3, spec_augment=0.2, pitch_shift_bands=2, random_eq_std=5.0)
    first, again, next_epoch, other_seed = (
        np.concatenate([images for images, _ in batches(songs, 2, sampling(), everything, seed, epoch)])
        for seed, epoch in [(1, 1), (1, 1), (1, 2), (2, 1)]
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_epoch)
    assert not np.array_equal(first, other_seed)


def test_crops_begin_anywhere_and_are_of_the_song() -> None:
    mel = np.tile(np.arange(40, dtype=np.uint8), (1, 16, 1))
    songs = MelDataset(mel, np.array([0]), np.array([0]))
    images = np.concatenate([images for images, _ in batches(songs, 1, sampling(200))])
    assert set(images[:, 0, 0, 0]) == set(range(9))
    np.testing.assert_array_equal(np.diff(images[:, :, :, 0], axis=2), 1)


def test_masks_blank_one_band_and_one_span_at_most_as_large_as_asked() -> None:
    rng = np.random.default_rng(1)
    crop = rng.integers(1, 256, size=(60, 90)).astype(np.float32)
    before = crop.copy()
    sizes = []
    for _ in range(200):
        blank = crops._mask(crop, 0.2, rng) == crop.mean()
        bands, frames = np.flatnonzero(blank.all(axis=1)), np.flatnonzero(blank.all(axis=0))
        assert all(np.diff(bands) == 1)
        assert all(np.diff(frames) == 1)
        assert blank.sum() == 90 * len(bands) + 60 * len(frames) - len(bands) * len(frames)
        sizes.append((len(bands), len(frames)))
    assert np.max(sizes, axis=0).tolist() == [12, 18]
    assert np.min(sizes, axis=0).tolist() == [0, 0]
    np.testing.assert_array_equal(crop, before)


@pytest.mark.parametrize(("bands", "expected"), [(0, [0, 1, 2, 3]), (1, [0, 0, 1, 2]), (-2, [2, 3, 3, 3])])
def test_shift_moves_bands_and_repeats_the_edge(bands: int, expected: list[int]) -> None:
    crop = np.tile(np.arange(4.0)[:, np.newaxis], (1, 3))
    np.testing.assert_array_equal(crops._shift_bands(crop, bands)[:, 0], expected)


def test_equaliser_raises_bands_between_the_gains_and_stays_in_range() -> None:
    crop = np.full((9, 2), 100, dtype=np.float32)
    raised = crops._equalize(crop, np.array([0.0, 10, 20, -200, 200]))
    assert raised[:, 0].tolist() == [100, 105, 110, 115, 120, 10, 0, 100, 255]


def test_songs_of_a_split_are_found_by_name_not_by_order() -> None:
    tracks = pd.DataFrame(
        {
            "track_id": ["a", "b", "c", "d"],
            "genre": ["rock", "jazz", "jazz", "rock"],
            "split": ["train", "test", "train", "validation"],
        },
        index=[5, 6, 7, 8],
    )
    mel_index = pd.DataFrame({"track_id": ["d", "c", "b", "a"], "row": [0, 1, 2, 3]})
    songs = crops.split_dataset(tracks, flat_images(4), mel_index, ["jazz", "rock"])
    assert {split: (s.rows.tolist(), s.labels.tolist()) for split, s in songs.items()} == {
        "train": ([3, 1], [1, 0]),
        "validation": ([0], [1]),
        "test": ([2], [0]),
    }


@pytest.mark.parametrize(("n_frames", "starts"), [(32, [0]), (33, [0, 1]), (64, [0, 32]), (80, [0, 24, 48])])
def test_crops_cover_the_song(n_frames: int, starts: list[int]) -> None:
    assert crops.covering_starts(n_frames, 32).tolist() == starts
