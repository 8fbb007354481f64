import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songgenre.errors import UserError
from songgenre.models import cnn
from songgenre.models.checkpoint import TrainingState, training_hash
from songgenre.models.crops import NO_AUGMENTATION, MelDataset
from songgenre.models.storage import load_keras
from songgenre.notebook.runner import BFLOAT16_ENVIRONMENT
from songgenre.params import Augmentation, load_params
from songgenre.tables.files import check_table
from songgenre.tables.predictions import NESTED

pytestmark = pytest.mark.integration

CNN = load_params(Path(__file__).parents[2] / "params.yaml").cnn
TINY = CNN.network.model_copy(update={"filters": [4], "dropout": 0.0})
CONFIG = CNN.model_copy(
    update={
        "epochs": 1,
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "network": TINY,
        "sampling": CNN.sampling.model_copy(update={"crop_frames": 32, "crops_per_song": 1, "batch_size": 16}),
        "augmentation": Augmentation(mixup=0.3, spec_augment=0.1, pitch_shift_bands=0, random_eq_std=0.0),
        "seed": 1,
    }
)


def noise(n_songs: int) -> MelDataset:
    mel = np.random.default_rng(0).integers(256, size=(n_songs, 16, 40), dtype=np.uint8)
    return MelDataset(mel, np.arange(n_songs), np.arange(n_songs) % 2)


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
    assert curve["validation_loss"].min() < 0.8 * curve["validation_loss"].iloc[0]


def test_two_processes_train_the_same_weights(trained_twice: list[Path]) -> None:
    for name in ("model.keras", "curve.csv"):
        assert (trained_twice[0] / name).read_bytes() == (trained_twice[1] / name).read_bytes()


@pytest.mark.slow
def test_killed_training_goes_on_and_ends_with_the_same_bytes(
    trained_twice: list[Path], start_training: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    assert start_training(tmp_path, "killed").wait() == -signal.SIGKILL
    assert not (tmp_path / "model.keras").exists()
    [kept] = tmp_path.glob("cache/*.npz")
    assert len(np.load(kept)["curve"]) == 7
    assert start_training(tmp_path).wait() == 0
    for name in ("model.keras", "curve.csv"):
        assert (tmp_path / name).read_bytes() == (trained_twice[0] / name).read_bytes()
    assert not list(tmp_path.glob("cache/*.npz"))


def test_network_has_the_mean_weights_of_the_last_quarter_of_the_epochs(trained_twice: list[Path]) -> None:
    after_epochs = np.load(trained_twice[0] / "test.npz")["weights"]
    assert len(after_epochs) == 8
    model = load_keras(trained_twice[0] / "model.keras")
    weights = np.concatenate([np.ravel(array) for array in model.get_weights()])
    np.testing.assert_allclose(weights, after_epochs[-2:].mean(axis=0), rtol=1e-5, atol=1e-6)


def test_epochs_without_weights_do_not_change_the_mean() -> None:
    state = TrainingState([])
    for epoch, weights in enumerate([(), [np.array(2.0)], [np.array(4.0)], (), [np.array(9.0)]], start=1):
        state = state.after((epoch, 1.0, 0.5, 1.0, 0.5), weights)
    assert [row[0] for row in state.curve] == [1, 2, 3, 4, 5]
    assert state.mean_weights == [5]
    assert state.n_averaged == 3


def test_weights_do_not_depend_on_the_validation_songs(tmp_path: Path) -> None:
    songs = noise(24)
    learning = MelDataset(songs.mel, songs.rows[:16], songs.labels[:16])
    others, none = (MelDataset(songs.mel, songs.rows[at], songs.labels[at]) for at in (slice(16, 24), slice(0)))
    (model, curve), (again, without) = (cnn.train(learning, held, 2, CONFIG, tmp_path) for held in (others, none))
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert curve["train_loss"].tolist() == without["train_loss"].tolist()
    assert without[["validation_loss", "validation_accuracy"]].isna().all(axis=None)


@pytest.mark.parametrize("change", ["code", "image", "label", "config"])
def test_backup_is_of_the_same_training_only(change: str) -> None:
    songs = noise(6)
    code = "code"
    before = training_hash(code, songs, songs, 2, CONFIG)
    assert training_hash(code, noise(6), noise(6), 2, CONFIG) == before
    config = CONFIG
    if change == "code":
        code = "other code"
    elif change == "image":
        songs.mel[3, 4, 5] += 1
    elif change == "label":
        songs.labels[3] = 1 - songs.labels[3]
    else:
        config = CONFIG.model_copy(update={"network": TINY.model_copy(update={"dropout": 0.1})})
    assert training_hash(code, songs, songs, 2, config) != before


def test_probabilities_are_the_mean_over_crops_that_cover_the_song(trained_twice: list[Path]) -> None:
    test = np.load(trained_twice[0] / "test.npz")
    model = load_keras(trained_twice[0] / "model.keras")
    shares = cnn.predict_probabilities(model, MelDataset(test["mel"], test["rows"], test["labels"]))
    images = test["mel"][test["rows"]].astype(np.float32)[..., np.newaxis]
    expected = np.mean([model.predict(images[:, :, at : at + 32], verbose=0) for at in (0, 24, 48)], axis=0)
    np.testing.assert_allclose(shares, expected, atol=1e-5)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("architecture", "filters"), [("plain", [3, 5, 9]), ("residual", [3, 5, 5, 5, 9, 9, 9])])
def test_network_is_of_the_size_asked_for(architecture: str, filters: list[int]) -> None:
    network = CNN.network.model_copy(update={"architecture": architecture, "filters": [3, 5, 9]})
    model = cnn.build_network(n_mels=40, crop_frames=64, n_genres=7, network=network)
    assert model.input_shape == (None, 40, 64, 1)
    assert model.output_shape == (None, 7)
    assert sorted(layer.filters for layer in model.layers if hasattr(layer, "filters")) == filters


def test_crop_wider_than_the_songs_says_what_to_change(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"sampling": CONFIG.sampling.model_copy(update={"crop_frames": 41})})
    with pytest.raises(UserError, match=r"cnn\.sampling\.crop_frames.*\b40\b.*\b41\b"):
        cnn.train(noise(4), noise(4), 2, config, tmp_path)


IN_MIXED_PRECISION = """
import sys
from pathlib import Path
import keras
import numpy as np
from songgenre.models import cnn
from songgenre.models.crops import NO_AUGMENTATION, MelDataset
from songgenre.params import Cnn, Hardware, Network, Sampling

precision = sys.argv[1]
mel = np.random.default_rng(0).integers(256, size=(16, 16, 40), dtype=np.uint8)
songs = MelDataset(mel, np.arange(16), np.arange(16) % 2)
config = Cnn.model_construct(
    epochs=2, learning_rate=0.01, weight_decay=0.0,
    network=Network(architecture="plain", filters=[4], dropout=0.0),
    sampling=Sampling.model_construct(
        crop_frames=32, crops_per_song=1, batch_size=8, class_balance=0.0, label_smoothing=0.0
    ),
    augmentation=NO_AUGMENTATION,
    hardware=Hardware(distribution="none", precision=precision, intra_op_threads=2), seed=1,
)
model, curve = cnn.train(songs, songs, 2, config, Path(sys.argv[2]))
assert np.isfinite(curve).all(axis=None)
assert next(layer for layer in model.layers if hasattr(layer, "filters")).compute_dtype == precision[6:]
assert cnn.predict_probabilities(model, songs).dtype == np.float32
assert keras.config.dtype_policy().name == "float32"
"""


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_answers_in_full_precision(precision: str, tmp_path: Path) -> None:
    environment = os.environ | (BFLOAT16_ENVIRONMENT if precision == "mixed_bfloat16" else {})
    subprocess.run([sys.executable, "-c", IN_MIXED_PRECISION, precision, str(tmp_path)], env=environment, check=True)


ON_TWO_DEVICES = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
from songgenre.models import cnn, determinism
from songgenre.models.crops import NO_AUGMENTATION, MelDataset
from songgenre.params import Cnn, Hardware, Network, Sampling

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
determinism.make_deterministic(1, 2)
mel = np.random.default_rng(0).integers(256, size=(32, 16, 40), dtype=np.uint8)
songs = MelDataset(mel, np.arange(32), np.arange(32) % 2)
assert tf.distribute.MirroredStrategy().num_replicas_in_sync == 2
for name in ("none", "mirrored"):
    config = Cnn.model_construct(
        epochs=2, learning_rate=0.01, weight_decay=0.0,
        network=Network(architecture="plain", filters=[4], dropout=0.0),
        sampling=Sampling.model_construct(
            crop_frames=32, crops_per_song=1, batch_size=32, class_balance=0.0, label_smoothing=0.0
        ),
        augmentation=NO_AUGMENTATION,
        hardware=Hardware(distribution=name, precision="float32", intra_op_threads=2), seed=1,
    )
    model, curve = cnn.train(songs, songs, 2, config, Path(sys.argv[1]))
    print(*curve["train_loss"], *curve["validation_loss"])
"""


@pytest.mark.slow
def test_several_devices_train_as_one_does(tmp_path: Path) -> None:
    """Each batch is divided among them; batch normalisation sees its part only, so the losses are alike, not equal."""
    said = subprocess.check_output([sys.executable, "-c", ON_TWO_DEVICES, str(tmp_path)], text=True)
    one, two = (np.array(line.split(), dtype=float) for line in said.splitlines()[-2:])
    assert not np.array_equal(one, two)
    np.testing.assert_allclose(one, two, rtol=0.3)


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
    songs = MelDataset(np.load(tmp_path / "mel.npy", mmap_mode="r"), rows, np.arange(40) % 2)
    before = private_memory()
    model, _ = cnn.train(songs, songs, 2, CONFIG, tmp_path / "cache")
    cnn.predict_probabilities(model, songs)
    assert private_memory() - before < mel.nbytes / 8


@pytest.fixture
def patterns() -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Tracks, mel images and their index: each artist plays a pattern of its own, and no genre sounds alike."""
    rng = np.random.default_rng(0)
    mel = np.repeat(np.tile(rng.integers(256, size=(12, 16, 1), dtype=np.uint8), 40), 4, axis=0)
    tracks = pd.DataFrame(
        {
            "track_id": [f"t{at}" for at in range(48)],
            "genre": np.repeat(["blues", "jazz"], 24),
            "artist_group": np.repeat([f"artist {at}" for at in range(12)], 4),
            "collection": np.tile(["discs", "discs", "discs", "tapes"], 12),
        }
    )
    return tracks, mel, pd.DataFrame({"track_id": tracks["track_id"], "row": np.arange(48)})


WITHOUT_AUGMENTATION = CONFIG.model_copy(update={"epochs": 6, "augmentation": NO_AUGMENTATION, "folds": 2})


def test_every_song_is_predicted_once_by_a_network_without_its_artist(
    patterns: tuple[pd.DataFrame, np.ndarray, pd.DataFrame], tmp_path: Path
) -> None:
    """Only a known artist is recognised."""
    tracks = patterns[0]
    said = cnn.cross_validate(*patterns, WITHOUT_AUGMENTATION, tmp_path)
    assert sorted(said["track_id"]) == sorted(tracks["track_id"])
    check_table(said, NESTED, "said")
    assert said.merge(tracks, on=["track_id", "genre"]).shape[0] == 48
    assert (said["genre"] == said["predicted"]).mean() < 0.8
    np.testing.assert_allclose(said[["p_blues", "p_jazz"]].sum(axis=1), 1, atol=1e-5)


def test_network_that_knows_the_artists_recognises_them_in_another_collection(
    patterns: tuple[pd.DataFrame, np.ndarray, pd.DataFrame], tmp_path: Path
) -> None:
    wide = TINY.model_copy(update={"filters": [32, 32]})
    config = WITHOUT_AUGMENTATION.model_copy(update={"epochs": 40, "network": wide})
    table = cnn.leave_collections_out(*patterns, config, tmp_path).set_index("test")
    assert table["songs"].to_dict() == {
        "leave-one-collection-out: discs": 36,
        "leave-one-collection-out: tapes": 12,
    }
    assert table["accuracy"]["leave-one-collection-out: tapes"] > 0.9
    none = cnn.leave_collections_out(*patterns, config.model_copy(update={"folds": 0}), tmp_path)
    assert none.empty
    assert none.columns.tolist() == ["test", "songs", "accuracy"]
