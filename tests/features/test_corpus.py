import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from songgenre.audio import Clip, load_clip
from songgenre.cache import Cache
from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.features import describe, mel_image
from songgenre.features.corpus import extract_corpus
from songgenre.features.descriptors import columns
from songgenre.features.extract import ClipFeatures, extract
from songgenre.features.spectra import MAX_MFCC
from songgenre.params import LOCAL, Compute, Features
from songgenre.paths import Project
from songgenre.plots.features import plot_mel_gallery
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import read_table, write_table
from songgenre.tables.mel_images import load_mel
from songgenre.tables.mel_index import MEL_INDEX

Maker = Callable[..., np.ndarray]
Writer = Callable[..., Path]

CONFIG = Features(
    feature_set="basic", sample_rate=22_050, n_fft=1024, hop_length=256, n_mfcc=5, n_mels=48, mel_db_range=60.0
)

TRACKS = pd.DataFrame(
    {
        "track_id": ["c", "a", "b"],
        "audio_path": ["c.flac", "a.wav", "b.mp3"],
        "sha256": ["c" * 64, "a" * 64, "b" * 64],
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
    return extract_tables(TRACKS, project, CONFIG)


def extract_tables(
    tracks: pd.DataFrame, project: Project, config: Features, compute: Compute = LOCAL
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of descriptors and of mel spectrograms."""
    mel_index = extract_corpus(tracks, project, config, compute)
    return read_table(DESCRIPTORS, project.descriptors), mel_index


def in_turn(function: Callable[[Any], Any], items: Sequence[Any], *_: Any, remote_ok: bool) -> Iterator[Any]:
    with threadpool_limits(1):
        yield from map(function, items)


@pytest.fixture(scope="module", autouse=True)
def one_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("songgenre.features.corpus.parallel_map", in_turn)
        patch.setattr("songgenre.partitions.parallel_map", in_turn)
        yield


def clip(project: Project, row: int) -> Clip:
    track = TRACKS.iloc[row]
    return Clip(project.audio / track["audio_path"], track["clip_start_s"], track["clip_duration_s"])


def test_features_are_those_of_the_decoded_clip(project: Project) -> None:
    features = extract(clip(project, 0), CONFIG.model_copy(update={"n_mels": 128}))
    y = load_clip(clip(project, 0), 22_050)
    described = describe(y, 22_050, feature_set="basic", n_fft=1024, hop_length=256, n_mfcc=MAX_MFCC)
    np.testing.assert_array_equal(features.descriptors, described)
    np.testing.assert_array_equal(features.mel, mel_image(y, 22_050, n_fft=1024, hop_length=256, db_range=60.0))


def test_rows_are_in_the_order_of_the_tracks(project: Project, extracted: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    descriptors, mel_index = extracted
    mel = np.load(project.mel, mmap_mode="r")
    assert descriptors["track_id"].tolist() == mel_index["track_id"].tolist() == ["c", "a", "b"]
    assert mel_index["row"].tolist() == [0, 1, 2]
    for row in range(3):
        alone = extract(clip(project, row), CONFIG)
        expected = pd.Series(alone.descriptors, columns("basic", MAX_MFCC))[columns("basic", 5)]
        values = descriptors.drop(columns="track_id").iloc[row]
        assert values.index.tolist() == expected.index.tolist()
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-7)
        width = alone.mel.shape[1]
        assert np.abs(mel[row, :, :width].astype(int) - alone.mel).max() <= 1
        assert mel_index["db_max"].iloc[row] == pytest.approx(alone.mel_db_max, abs=1e-4)


def test_images_have_the_width_of_the_longest_clip_and_shorter_ones_begin_anew(
    project: Project, extracted: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    mel = np.load(project.mel, mmap_mode="r")
    assert mel.dtype == np.uint8
    assert mel.shape == (3, 48, 1 + 3 * 22_050 // 256)
    width = 1 + round(1.25 * 22_050) // 256
    np.testing.assert_array_equal(mel[1, :, width : 2 * width], mel[1, :, :width])
    np.testing.assert_array_equal(mel[1, :, 2 * width :], mel[1, :, : mel.shape[2] - 2 * width])


def test_tables_fit_their_schemas(extracted: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> None:
    descriptors, mel_index = extracted
    write_table(descriptors, DESCRIPTORS, tmp_path / "descriptors.parquet")
    write_table(mel_index, MEL_INDEX, tmp_path / "mel_index.parquet")
    assert len(read_table(MEL_INDEX, tmp_path / "mel_index.parquet")) == 3


def test_file_that_cannot_be_decoded_is_named_and_the_old_images_stay(
    project: Project, extracted: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    before = project.mel.read_bytes(), project.descriptors.read_bytes()
    (project.audio / "broken.mp3").write_text("not a song")
    broken = TRACKS.assign(audio_path=["c.flac", "broken.mp3", "b.mp3"], sha256=["c" * 64, "d" * 64, "b" * 64])
    with pytest.raises(UserError, match=r"broken\.mp3"):
        extract_corpus(broken, project, CONFIG)
    assert (project.mel.read_bytes(), project.descriptors.read_bytes()) == before
    assert sorted(project.mel.parent.iterdir()) == [project.descriptors, project.mel]


@pytest.fixture
def copy(project: Project, extracted: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path) -> Project:
    """The project with its cache."""
    shutil.copytree(project.root, tmp_path / "copy")
    return Project(tmp_path / "copy")


def same(project: Project, copy: Project, config: Features = CONFIG) -> None:
    """Features computed with what is in the cache of the copy are those computed from nothing."""
    with_cache = extract_tables(TRACKS, copy, config)
    images = copy.mel.read_bytes()
    shutil.rmtree(copy.feature_cache)
    shutil.copytree(project.audio, copy.audio, dirs_exist_ok=True)
    without = extract_tables(TRACKS, copy, config)
    assert images == copy.mel.read_bytes()
    for before, after in zip(with_cache, without, strict=True):
        pd.testing.assert_frame_equal(before, after, check_exact=True)


def unreadable(project: Project, *names: str) -> None:
    for name in names:
        (project.audio / name).write_text("not a song any more")


@pytest.mark.integration
def test_other_processes_compute_the_same(
    project: Project, extracted: tuple[pd.DataFrame, pd.DataFrame], copy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("songgenre.features.corpus.parallel_map", parallel_map)
    shutil.rmtree(copy.feature_cache)
    for here, there in zip(extracted, extract_tables(TRACKS, copy, CONFIG), strict=True):
        pd.testing.assert_frame_equal(here, there, check_exact=True)
    assert copy.mel.read_bytes() == project.mel.read_bytes()


def test_songs_that_are_known_are_not_decoded_again(project: Project, copy: Project) -> None:
    unreadable(copy, "a.wav", "b.mp3", "c.flac")
    same(project, copy)


def test_another_number_of_mfcc_decodes_nothing(project: Project, copy: Project) -> None:
    unreadable(copy, "a.wav", "b.mp3", "c.flac")
    same(project, copy, CONFIG.model_copy(update={"n_mfcc": 31}))


def test_only_new_songs_are_computed(project: Project, copy: Project, melody: Maker, write_audio: Writer) -> None:
    write_audio(copy.audio / "new.wav", melody(9, seconds=4))
    new = TRACKS.iloc[:1].assign(track_id="new", audio_path="new.wav", sha256="e" * 64)
    unreadable(copy, "a.wav", "b.mp3", "c.flac")
    descriptors, _ = extract_tables(pd.concat([TRACKS[:2], new, TRACKS[2:]]), copy, CONFIG)
    assert descriptors["track_id"].tolist() == ["c", "a", "new", "b"]


@pytest.mark.parametrize(
    "changed",
    [{"hop_length": 512}, {"n_mels": 40}, {"feature_set": "fma"}, {"mel_db_range": 50.0}, {"sample_rate": 16_000}],
)
def test_other_parameters_compute_anew(copy: Project, changed: dict[str, object]) -> None:
    unreadable(copy, "a.wav", "b.mp3", "c.flac")
    with pytest.raises(UserError):
        extract_corpus(TRACKS, copy, CONFIG.model_copy(update=changed))


@pytest.mark.parametrize("column", ["sha256", "clip_start_s", "clip_duration_s"])
def test_other_audio_or_another_part_of_it_is_computed_anew(copy: Project, column: str) -> None:
    unreadable(copy, "c.flac")
    other = TRACKS.copy()
    other.loc[other.index[0], column] = "f" * 64 if column == "sha256" else 0.25
    with pytest.raises(UserError, match=r"c\.flac"):
        extract_corpus(other, copy, CONFIG)


def test_other_code_computes_anew(copy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("songgenre.cache.code_version", lambda code: "another")
    unreadable(copy, "c.flac")
    with pytest.raises(UserError, match=r"c\.flac"):
        extract_corpus(TRACKS, copy, CONFIG)


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_damaged_entry_is_computed_anew_and_mended(project: Project, copy: Project, damage: bytes | None) -> None:
    entry = next(copy.feature_cache.rglob("*.npz"))
    whole = entry.read_bytes()
    middle = len(whole) // 2
    entry.write_bytes(whole[:middle] + b"????" + whole[middle + 4 :] if damage is None else damage)
    extract_corpus(TRACKS, copy, CONFIG)
    with np.load(entry) as mended:
        assert set(mended) == {"descriptors", "mel", "mel_db_max"}
    same(project, copy)


def test_cache_may_be_deleted_at_any_time(project: Project, copy: Project) -> None:
    for entry in list(copy.feature_cache.rglob("*.npz"))[:2]:
        entry.unlink()
    same(project, copy)


@pytest.mark.integration
def test_work_done_before_a_kill_is_kept(project: Project, copy: Project) -> None:
    shutil.rmtree(copy.feature_cache)
    script = (
        "import sys; from pathlib import Path; import pandas as pd; from songgenre.paths import Project;"
        "from songgenre.features.corpus import extract_corpus; from songgenre.params import Features;"
        "config = Features.model_validate_json(sys.argv[3]);"
        "extract_corpus(pd.read_pickle(sys.argv[2]), Project(Path(sys.argv[1])), config)"
    )
    tracks = copy.root / "tracks.pickle"
    many = pd.concat(
        [
            TRACKS.assign(track_id=TRACKS["track_id"] + str(place), sha256=TRACKS["sha256"].str[:60] + f"{place:04d}")
            for place in range(300)
        ]
    )
    many.to_pickle(tracks)
    killed = subprocess.Popen(
        [sys.executable, "-c", script, str(copy.root), str(tracks), CONFIG.model_dump_json()], start_new_session=True
    )
    deadline = time.monotonic() + 120
    while len(list(copy.feature_cache.rglob("*.npz"))) < 30:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    parameters = CONFIG.model_dump()
    del parameters["n_mfcc"]
    cache = Cache(str(copy.feature_cache), ClipFeatures, parameters, extract)
    keys = [cache.key(*track) for track in many[["sha256", "clip_start_s", "clip_duration_s"]].itertuples(index=False)]
    cached = many[[cache.get(key) is not None for key in keys]]
    torn = len(cache.keys()) - len(cached)
    assert 0 <= torn <= (os.cpu_count() or 1)
    assert 30 <= len(cached) + torn < len(many)
    unreadable(copy, "a.wav", "b.mp3", "c.flac")
    extract_corpus(cached, copy, CONFIG)


IN_PARTITIONS = LOCAL.model_copy(update={"partition_songs": 2})


@pytest.fixture
def partitions_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("songgenre.partitions.SIZE", 2)


@pytest.mark.usefixtures("partitions_of_two")
def test_partitions_have_the_same_rows_as_one_file(
    project: Project, copy: Project, extracted: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    for table, expected in zip(extract_tables(TRACKS, copy, CONFIG, IN_PARTITIONS), extracted, strict=True):
        pd.testing.assert_frame_equal(table, expected)
    whole, parts = load_mel(project.mel), load_mel(copy.mel)
    assert (len(parts), parts.shape, parts.nbytes) == (len(whole), whole.shape, whole.nbytes)
    for row in range(3):
        np.testing.assert_array_equal(parts[row], whole[row])
        np.testing.assert_array_equal(parts[np.int64(row), :, 3:7], whole[row, :, 3:7])
    for row in (-1, 3):
        with pytest.raises(IndexError):
            parts[row]
    assert [path.name for path in copy.feature_cache.parent.iterdir()] == ["features"]


@pytest.mark.usefixtures("partitions_of_two")
def test_gallery_is_drawn_from_partitions(copy: Project) -> None:
    mel_index = extract_corpus(TRACKS, copy, CONFIG, IN_PARTITIONS)
    songs = TRACKS.assign(genre=["rock", "rock", "jazz"], title="A song")
    assert plot_mel_gallery(load_mel(copy.mel), mel_index, songs, songs_per_genre=2).axes


@pytest.mark.usefixtures("partitions_of_two")
def test_partitions_compute_only_songs_that_are_not_in_the_cache(
    copy: Project, extracted: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    def times() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in copy.feature_cache.rglob("*.npz")}

    before = times()
    lost = min(before)
    next(copy.feature_cache.rglob(lost)).unlink()
    descriptors, _ = extract_tables(TRACKS, copy, CONFIG, IN_PARTITIONS)
    pd.testing.assert_frame_equal(descriptors, extracted[0])
    assert {name for name, time in times().items() if time != before[name]} == {lost}
