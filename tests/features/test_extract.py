from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songgenre import tables
from songgenre.audio import Clip, load
from songgenre.errors import UserError
from songgenre.features.descriptors import describe
from songgenre.features.extract import Recipe, extract, extract_corpus
from songgenre.features.spectra import mel_image, spectra
from songgenre.paths import Project

Maker = Callable[..., np.ndarray]
Writer = Callable[..., Path]

RECIPE = Recipe(sample_rate=22_050, n_fft=1024, hop_length=256, n_mfcc=5, n_mels=32, mel_db_range=60.0)

TRACKS = pd.DataFrame(
    {
        "track_id": ["c", "a", "b"],
        "audio_path": ["c.flac", "a.wav", "b.mp3"],
        "clip_start_s": [0.5, 0.0, 1.0],
        "clip_duration_s": [3.0, 1.25, 3.0],
    },
    index=[4, 1, 7],
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, melody: Maker, write_audio: Writer) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    for seed, name in enumerate(TRACKS["audio_path"]):
        write_audio(project.audio / name, melody(seed, seconds=4))
    return project


@pytest.fixture(scope="module")
def extracted(project: Project) -> tuple[pd.DataFrame, pd.DataFrame]:
    return extract_corpus(TRACKS, project, RECIPE)


def clip(project: Project, row: int) -> Clip:
    track = TRACKS.iloc[row]
    return Clip(project.audio / track["audio_path"], track["clip_start_s"], track["clip_duration_s"])


def test_features_are_those_of_the_decoded_clip(project: Project) -> None:
    features = extract(clip(project, 0), RECIPE)
    y = load(clip(project, 0), 22_050)
    its_spectra = spectra(y, 22_050, 1024, 256, 32)
    image, db_max = mel_image(its_spectra.mel_power, 60)
    assert features.descriptors == describe(y, its_spectra, 5)
    np.testing.assert_array_equal(features.mel, image)
    assert features.mel_db_max == db_max


def test_rows_are_in_the_order_of_the_tracks(project: Project, extracted: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    descriptors, mel_index = extracted
    mel = np.load(project.mel, mmap_mode="r")
    assert descriptors["track_id"].tolist() == mel_index["track_id"].tolist() == ["c", "a", "b"]
    assert mel_index["row"].tolist() == [0, 1, 2]
    for row in range(3):
        alone = extract(clip(project, row), RECIPE)
        values = descriptors.drop(columns="track_id").iloc[row]
        np.testing.assert_allclose(values, list(alone.descriptors.values()), rtol=1e-5, atol=1e-7)
        width = alone.mel.shape[1]
        assert np.abs(mel[row, :, :width].astype(int) - alone.mel).max() <= 1
        assert mel_index["db_max"].iloc[row] == pytest.approx(alone.mel_db_max, abs=1e-4)


def test_images_have_the_width_of_the_longest_clip_and_shorter_ones_begin_anew(
    project: Project, extracted: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    mel = np.load(project.mel, mmap_mode="r")
    assert mel.dtype == np.uint8
    assert mel.shape == (3, 32, 1 + 3 * 22_050 // 256)
    width = 1 + round(1.25 * 22_050) // 256
    np.testing.assert_array_equal(mel[1, :, width : 2 * width], mel[1, :, :width])
    np.testing.assert_array_equal(mel[1, :, 2 * width :], mel[1, :, : mel.shape[2] - 2 * width])


def test_tables_fit_their_schemas(extracted: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    descriptors, mel_index = extracted
    tables.write(descriptors, tables.DESCRIPTORS, tmp_path / "descriptors.parquet")
    tables.write(mel_index, tables.MEL_INDEX, tmp_path / "mel_index.parquet")
    assert len(tables.read(tables.MEL_INDEX, tmp_path / "mel_index.parquet")) == 3


def test_file_that_cannot_be_decoded_is_named_and_the_old_images_stay(
    project: Project, extracted: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    before = project.mel.read_bytes()
    (project.audio / "broken.mp3").write_text("not a song")
    broken = TRACKS.assign(audio_path=["c.flac", "broken.mp3", "b.mp3"])
    with pytest.raises(UserError, match=r"broken\.mp3"):
        extract_corpus(broken, project, RECIPE)
    assert project.mel.read_bytes() == before
    assert list(project.mel.parent.iterdir()) == [project.mel]
