import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songgenre.errors import UserError
from songgenre.models import cnn
from songgenre.models.cnn import Size, Songs, Training
from songgenre.models.storage import load_keras

TINY = Size(crop_frames=32, widths=[4], dropout=0.0)


def training(mixup: float = 0.0, batch_size: int = 4, crops_per_song: int = 1, seed: int = 1) -> Training:
    return Training(1, crops_per_song, batch_size, learning_rate=0.01, weight_decay=0, mixup=mixup, seed=seed)


def flat_images(n_songs: int = 100) -> np.ndarray:
    """Images that are of one value each, the number of their row, so that masks do not show."""
    return np.tile(np.arange(n_songs, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 16, 40))


def batches(songs: Songs, how: Training, n_genres: int, epoch: int = 1) -> list[cnn.Batch]:
    return list(cnn._augmented_batches(songs, n_genres, 32, how, epoch))


def test_training_learns_what_holds_for_songs_never_seen(trained_twice: list[Path]) -> None:
    test = np.load(trained_twice[0] / "test.npz")
    assert (test["probabilities"].argmax(axis=1) == test["labels"]).mean() > 0.8


def test_learning_curve_falls(trained_twice: list[Path]) -> None:
    curve = pd.read_csv(trained_twice[0] / "curve.csv")
    assert curve.columns.tolist() == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
    ]
    assert curve["epoch"].tolist() == list(range(1, 9))
    assert np.isfinite(curve).all(axis=None)
    assert curve["train_loss"].iloc[-1] < 0.8 * curve["train_loss"].iloc[0]
    assert curve["validation_loss"].iloc[-1] < 0.8 * curve["validation_loss"].iloc[0]


def test_two_processes_train_the_same_weights(trained_twice: list[Path]) -> None:
    one, two = (load_keras(folder / "model.keras").get_weights() for folder in trained_twice)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (trained_twice[0] / "curve.csv").read_bytes() == (trained_twice[1] / "curve.csv").read_bytes()


def test_probabilities_are_the_mean_over_crops_that_cover_the_song(trained_twice: list[Path]) -> None:
    test = np.load(trained_twice[0] / "test.npz")
    model = load_keras(trained_twice[0] / "model.keras")
    shares = cnn.probabilities(model, Songs(test["mel"], test["rows"], test["labels"]))
    images = test["mel"][test["rows"]].astype(np.float32)[..., np.newaxis]
    expected = np.mean([model.predict(images[:, :, at : at + 32], verbose=0) for at in (0, 24, 48)], axis=0)
    np.testing.assert_allclose(shares, expected, atol=1e-5)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("n_frames", "starts"), [(32, [0]), (33, [0, 1]), (64, [0, 32]), (80, [0, 24, 48])])
def test_crops_cover_the_song(n_frames: int, starts: list[int]) -> None:
    assert cnn._covering_starts(n_frames, 32).tolist() == starts


@pytest.mark.parametrize("mixup", [0.0, 0.3])
@pytest.mark.parametrize("crops_per_song", [1, 3])
def test_crops_come_from_the_given_rows_only_with_their_labels(mixup: float, crops_per_song: int) -> None:
    rows = np.array([3, 50, 97, 8, 20])
    songs = Songs(flat_images(), rows, np.arange(5))
    crops, targets = map(np.concatenate, zip(*batches(songs, training(mixup, 4, crops_per_song), 5), strict=True))
    assert crops.shape == (5 * crops_per_song, 16, 32, 1)
    assert np.ptp(crops, axis=(1, 2, 3)).max() < 1e-3
    np.testing.assert_allclose(crops[:, 0, 0, 0], targets @ rows, rtol=1e-4)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    if mixup == 0:
        assert sorted(crops[:, 0, 0, 0]) == sorted(np.repeat(rows, crops_per_song))
        assert set(targets.ravel()) == {0, 1}
    else:
        assert len(np.unique(targets)) > 2


def test_last_batch_may_be_smaller() -> None:
    songs = Songs(flat_images(), np.arange(10), np.zeros(10, dtype=int))
    assert [len(crops) for crops, _ in batches(songs, training(), 2)] == [4, 4, 2]


def test_crops_are_those_of_the_seed_and_the_epoch() -> None:
    mel = np.random.default_rng(0).integers(256, size=(6, 16, 40), dtype=np.uint8)
    songs = Songs(mel, np.arange(6), np.zeros(6, dtype=int))
    first, again, next_epoch, other_seed = (
        np.concatenate([crops for crops, _ in batches(songs, training(seed=seed), 2, epoch)])
        for seed, epoch in [(1, 1), (1, 1), (1, 2), (2, 1)]
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_epoch)
    assert not np.array_equal(first, other_seed)


def test_masks_leave_most_of_a_crop_and_none_of_the_song_changed() -> None:
    mel = np.random.default_rng(0).integers(256, size=(1, 60, 100), dtype=np.uint8)
    before = mel.copy()
    rng = np.random.default_rng(1)
    windows = np.lib.stride_tricks.sliding_window_view(mel[0], 90, axis=1).transpose(1, 0, 2)
    for _ in range(50):
        crop = cnn._masked_crop(mel[0], 90, rng)
        assert (windows == crop).mean(axis=(1, 2)).max() > 0.65
    np.testing.assert_array_equal(mel, before)


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
    songs = cnn.songs_per_split(tracks, flat_images(4), mel_index, ["jazz", "rock"])
    assert {split: (s.rows.tolist(), s.labels.tolist()) for split, s in songs.items()} == {
        "train": ([3, 1], [1, 0]),
        "validation": ([0], [1]),
        "test": ([2], [0]),
    }


def test_network_is_of_the_size_asked_for() -> None:
    model = cnn.build(n_mels=40, n_genres=7, size=Size(64, [3, 5, 9], 0.5))
    assert model.input_shape == (None, 40, 64, 1)
    assert model.output_shape == (None, 7)
    assert [layer.filters for layer in model.layers if hasattr(layer, "filters")] == [3, 5, 9]


def test_crop_wider_than_the_songs_says_what_to_change() -> None:
    songs = Songs(flat_images(4), np.arange(4), np.zeros(4, dtype=int))
    with pytest.raises(UserError, match=r"cnn\.crop_frames.*40 frames, got 41"):
        cnn.train(songs, songs, 2, TINY._replace(crop_frames=41), training())


def private_memory() -> int:
    """Bytes of this process that are not files mapped into memory."""
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("there is no /proc")
    return 1024 * int(re.search(r"^RssAnon:\s+(\d+)", status.read_text(), re.MULTILINE)[1])


def test_memory_mapped_images_are_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    """The file is sparse: 4 GB, of which hardly any are on the disk."""
    n_songs = 2_000_000
    mel = np.lib.format.open_memmap(tmp_path / "mel.npy", "w+", dtype=np.uint8, shape=(n_songs, 32, 64))
    rows = np.linspace(0, n_songs - 1, 40).round().astype(int)
    songs = Songs(np.load(tmp_path / "mel.npy", mmap_mode="r"), rows, np.arange(40) % 2)
    before = private_memory()
    model, _ = cnn.train(songs, songs, 2, TINY, training(mixup=0.3, batch_size=16))
    cnn.probabilities(model, songs)
    assert private_memory() - before < mel.nbytes / 8
