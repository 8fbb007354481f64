"""The rebuilt networks against numpy, and, with the published weights, against what the tags should say."""

from collections.abc import Callable
from pathlib import Path

import librosa
import musicnn_keras
import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from songgenre import audio
from songgenre.errors import UserError
from songgenre.models import embeddings, musicnn, musicnn_weights
from songgenre.params import LOCAL
from songgenre.paths import Project

ROOT = Path(__file__).parents[2]
Variables = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published weights; through pip where they are not here yet."""
    folder = tmp_path_factory.mktemp("weights")
    kept = ROOT / "data" / "cache" / "wheels"
    try:
        musicnn_weights.extract_weights(
            kept if (kept / musicnn_weights.MUSICNN.file).is_file() else folder, folder / "pretrained"
        )
    except UserError as error:
        pytest.skip(f"No published weights: {error}")
    return folder / "pretrained"


def normalised(x: np.ndarray, variables: Variables, number: str) -> np.ndarray:
    gamma, beta, mean, variance = (
        variables[f"batch_normalization{number}/{name}"] for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta


def over_time(x: np.ndarray, variables: Variables, number: int) -> np.ndarray:
    """Convolution over 7 frames of all columns [shape=(n_frames, n)]."""
    kernel, bias = variables[f"conv2d_{number}/kernel"][:, :, 0], variables[f"conv2d_{number}/bias"]
    padded = np.pad(x, ((3, 3), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 7, axis=0)
    convolved = np.einsum("tnk,knf->tf", windows, kernel) + bias
    return normalised(np.maximum(convolved, 0), variables, f"_{number + 1}")


def by_hand(patch: np.ndarray, variables: Variables) -> tuple[np.ndarray, np.ndarray]:
    """Embedding and tags of a patch, as the paper describes them, with numpy alone."""
    x = normalised(patch[..., np.newaxis], variables, "")[..., 0]
    columns = []
    for number, (height, width) in enumerate([(7, 38), (7, 67), (128, 1), (64, 1), (32, 1)]):
        suffix = f"_{number}" if number else ""
        before = 3 if number < 2 else (height - 1) // 2
        padded = np.pad(x, ((before, height - 1 - before), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width))
        kernel = variables[f"conv2d{suffix}/kernel"][:, :, 0]
        convolved = np.tensordot(windows, kernel, ([2, 3], [0, 1])) + variables[f"conv2d{suffix}/bias"]
        columns.append(normalised(np.maximum(convolved, 0), variables, f"_{number + 1}").max(axis=1))
    front = np.concatenate(columns, axis=1)
    first = over_time(front, variables, 5)
    second = over_time(first, variables, 6) + first
    third = over_time(second, variables, 7) + second
    found = np.concatenate([front, first, second, third], axis=1)
    pooled = np.stack([found.max(axis=0), found.mean(axis=0)], axis=1).ravel()
    x = normalised(pooled, variables, "_9") @ variables["dense/kernel"] + variables["dense/bias"]
    penultimate = normalised(np.maximum(x, 0), variables, "_10")
    logits = penultimate @ variables["dense_1/kernel"] + variables["dense_1/bias"]
    return np.concatenate([penultimate, found.mean(axis=0), found.max(axis=0)]), 1 / (1 + np.exp(-logits))


@pytest.mark.integration
@pytest.mark.parametrize("name", musicnn_weights.NETWORKS)
def test_network_computes_what_the_paper_says(pretrained: Path, name: str, melody: Callable[..., np.ndarray]) -> None:
    variables = musicnn_weights.load_weights(pretrained, name)
    spectrogram = musicnn.log_mel(melody(1, 6.1, 16_000).astype(np.float32))
    heard = musicnn.forward(variables, spectrogram)
    precise = {key: value.astype(float) for key, value in variables.items()}
    of_patches = [by_hand(patch.astype(float), precise) for patch in musicnn.cut_patches(spectrogram)]
    found, tags = map(np.stack, zip(*of_patches, strict=True))
    assert len(found) == 2
    mean, deviation = found.mean(axis=0), np.abs(found[0] - found[1]) / 2
    np.testing.assert_allclose(heard.embedding, np.concatenate([mean, deviation]), rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(heard.tags, tags.mean(axis=0), atol=1e-5)
    assert heard.embedding.dtype == heard.tags.dtype == np.float32
    assert len(musicnn.TAGS[name]) == tags.shape[1] == 50


@pytest.mark.integration
@pytest.mark.parametrize("name", musicnn_weights.NETWORKS)
def test_keras_model_hears_the_same(pretrained: Path, name: str, melody: Callable[..., np.ndarray]) -> None:
    variables = musicnn_weights.load_weights(pretrained, name)
    spectrogram = musicnn.log_mel(melody(3, 7, 16_000).astype(np.float32))
    heard, keras_heard = (
        musicnn.forward(variables, spectrogram),
        musicnn_keras.forward(musicnn_keras.build_network(variables), spectrogram),
    )
    np.testing.assert_allclose(keras_heard.embedding, heard.embedding, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(keras_heard.tags, heard.tags, atol=1e-5)


def test_music_of_one_patch_does_not_change(pretrained: Path, melody: Callable[..., np.ndarray]) -> None:
    variables = musicnn_weights.load_weights(pretrained, musicnn_weights.NETWORKS[0])
    heard = musicnn.forward(variables, musicnn.log_mel(melody(1, 3.1, 16_000).astype(np.float32)))
    mean, deviation = np.split(heard.embedding, 2)
    assert np.abs(mean).max() > 0
    assert (deviation == 0).all()


def test_spectrogram_is_that_of_the_paper_and_does_not_overflow() -> None:
    y = np.sign(np.sin(np.arange(32_000) / 5)).astype(np.float32)
    magnitude = np.abs(librosa.stft(y, n_fft=512, hop_length=256, pad_mode="reflect"))
    filters = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=96)
    spectrogram = musicnn.log_mel(y)
    np.testing.assert_allclose(spectrogram, np.log10(1 + 10_000 * filters @ magnitude**2).T, rtol=1e-4, atol=1e-4)
    assert spectrogram.dtype == np.float32
    assert spectrogram.max() > np.log10(np.finfo(np.float16).max)


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 512, 513, 768, 16_000, 16_128])
def test_spectrogram_of_any_length_is_that_of_librosa(n: int) -> None:
    y = np.random.default_rng(n).normal(size=n).astype(np.float32)
    power = librosa.feature.melspectrogram(y=y, sr=16_000, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect")
    expected, found = np.log10(1 + 10_000 * power).T, musicnn.log_mel(y)
    np.testing.assert_allclose(found[:-1], expected[:-1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found[-1], expected[-1], atol=1e-2 if n % 256 == 0 else 1e-6)


@pytest.mark.parametrize("y", [np.zeros(512, np.int16), np.full(512, np.nan, np.float32), np.array([0, np.inf])])
def test_signal_that_is_not_in_finite_fractions_is_refused(y: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite"):
        musicnn.log_mel(y)


def test_spectrogram_is_the_same_with_any_number_of_threads() -> None:
    y = np.random.default_rng(0).normal(size=30 * musicnn.SAMPLE_RATE).astype(np.float32)
    spectrograms = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads):
            spectrograms.append(musicnn.log_mel(y))
    assert np.array_equal(spectrograms[0], spectrograms[1])
    assert np.array_equal(spectrograms[0], spectrograms[2])


@pytest.mark.parametrize(("n_frames", "starts"), [(187, [0]), (373, [0]), (374, [0, 187]), (400, [0, 213])])
def test_as_many_patches_as_fit_are_spread_evenly(n_frames: int, starts: list[int]) -> None:
    spectrogram = np.tile(np.arange(n_frames)[:, np.newaxis], 96)
    cut = musicnn.cut_patches(spectrogram)
    assert cut[:, 0, 0].tolist() == starts
    assert (np.diff(cut, axis=1) == 1).all()


def test_short_music_begins_anew_to_fill_a_patch() -> None:
    [patch] = musicnn.cut_patches(np.tile(np.arange(100)[:, np.newaxis], 96))
    assert patch[:, 0].tolist() == [*range(100), *range(87)]


@pytest.mark.parametrize(
    ("n_taps", "width", "n_places"), [(1, 1, 5), (38, 7, 59), (67, 7, 30), (128, 1, 187), (64, 2, 1)]
)
def test_shared_products_are_those_of_every_place(n_taps: int, width: int, n_places: int) -> None:
    rng = np.random.default_rng(0)
    x, taps = rng.standard_normal((n_taps + n_places - 1, width, 4)), rng.standard_normal((n_taps, width, 3))
    expected = [np.einsum("kwc,kwn->nc", x[place : place + n_taps], taps) for place in range(n_places)]
    np.testing.assert_allclose(list(musicnn._convolve(x, taps, n_places)), expected, atol=1e-10)


def test_same_bits_however_many_threads(pretrained: Path, melody: Callable[..., np.ndarray]) -> None:
    variables = musicnn_weights.load_weights(pretrained, "MSD_musicnn")
    spectrogram = musicnn.log_mel(melody(2, 4, 16_000).astype(np.float32))
    heard = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            heard.append(musicnn.forward(variables, spectrogram).embedding)
    np.testing.assert_array_equal(*heard)


@pytest.fixture(scope="module")
def networks(pretrained: Path) -> list[embeddings.Network]:
    return embeddings.load_networks(pretrained)


def mean_tags(real_music: Path, networks: list[embeddings.Network], genre: str) -> pd.Series:
    songs = sorted((real_music / genre).iterdir())[:8]
    tags = [embeddings.embed(audio.Clip(song, 5.0, 15.0), networks).tags for song in songs]
    return pd.Series(np.mean(tags, axis=0), musicnn.MSD_TAGS + musicnn.MTT_TAGS)


def test_classical_music_is_tagged_classical_and_strings(real_music: Path, networks: list[embeddings.Network]) -> None:
    assert {"classical", "strings"} <= set(mean_tags(real_music, networks, "classical").nlargest(5).index)


def test_hip_hop_is_tagged_hip_hop(real_music: Path, networks: list[embeddings.Network]) -> None:
    assert mean_tags(real_music, networks, "hip-hop").idxmax() == "Hip-Hop"


def test_columns_name_every_number_of_an_embedding(
    networks: list[embeddings.Network],
    tmp_path: Path,
    write_audio: Callable[..., Path],
    tone: Callable[..., np.ndarray],
) -> None:
    heard = embeddings.embed(audio.Clip(write_audio(tmp_path / "tone.wav", tone(4)), 0.0, 4.0), networks)
    names = embeddings.columns()
    assert len(names) == len(set(names)) == len(heard.embedding)
    assert names[0] == "MSD_musicnn_penultimate_0000_mean"
    assert names[-1] == "MTT_musicnn_max_0752_std"


@pytest.mark.integration
def test_partitions_have_the_same_embeddings_and_tags(
    networks: list[embeddings.Network],
    tmp_path: Path,
    tone: Callable[..., np.ndarray],
    write_audio: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("songgenre.partitions.SIZE", 2)
    project = Project(tmp_path)
    files = [write_audio(project.audio / f"{at}.wav", tone(4)[at * 1000 :]) for at in range(3)]
    tracks = pd.DataFrame(
        {
            "track_id": ["c", "a", "b"],
            "audio_path": [file.name for file in files],
            "sha256": [f"{at:064d}" for at in range(3)],
            "clip_start_s": 0.0,
            "clip_duration_s": 3.5,
        }
    )
    whole = embeddings.embed_corpus(tracks, project, networks)
    in_parts = LOCAL.model_copy(update={"partition_songs": 2})
    for table, expected in zip(embeddings.embed_corpus(tracks, project, networks, in_parts), whole, strict=True):
        pd.testing.assert_frame_equal(table, expected)
