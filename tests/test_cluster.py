"""A scheduler, workers and an object store: real processes on this machine."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from moto.server import ThreadedMotoServer

import songgenre
from songgenre.compute import parallel_map
from songgenre.errors import UserError
from songgenre.features.corpus import extract_corpus
from songgenre.models.classical import grid_search
from songgenre.params import LOCAL, Compute, load_params
from songgenre.paths import Project
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import read_table, write_table
from songgenre.tables.mel_images import load_mel
from songgenre.tables.mel_index import MEL_INDEX

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[1]
DASK = Path(sys.executable).with_name("dask")
CONFIG = load_params(ROOT / "params.yaml").features
NOBODY = "tcp://127.0.0.1:1"
WAIT_S = 120
N_SONGS = 24
ENDINGS = ("mp3", "flac", "wav")


class Scheduler(NamedTuple):
    process: subprocess.Popen[bytes]
    address: str


class Cluster(NamedTuple):
    address: str
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def process(*command: str | Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process and all that it starts; none outlives the block."""
    started = subprocess.Popen(
        command,
        env=os.environ | variables,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        kill(started)


def kill(started: subprocess.Popen[bytes]) -> None:
    if started.poll() is None:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


@contextmanager
def scheduler(folder: Path) -> Iterator[Scheduler]:
    about = folder / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", about)
    with process(DASK, "scheduler", *options) as started:
        wait_until(lambda: about.is_file() and about.read_text().endswith("}"))
        yield Scheduler(started, json.loads(about.read_text())["address"])


@contextmanager
def workers(n: int, address: str, folder: Path, **variables: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers that have joined a cluster."""
    others = number_of_workers(address)
    command = (DASK, "worker", "--nthreads", "1", "--no-dashboard", "--local-directory", folder, address)
    with ExitStack() as stack:
        started = [stack.enter_context(process(*command, **variables)) for _ in range(n)]
        wait_until(lambda: number_of_workers(address) == others + n)
        yield started


def number_of_workers(address: str) -> int:
    with Client(address, timeout=WAIT_S, set_as_default=False) as client:
        return len(client.nthreads())


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket of an S3 server, which this process and those that it starts find in their environment."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(variable, "testing")
        fsspec.filesystem("s3").mkdir("music")
        yield "s3://music"
    server.stop()


@pytest.fixture(scope="module")
def two_workers(bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with scheduler(folder) as (_, address), workers(2, address, folder) as started:
        yield Cluster(address, started)


@pytest.fixture(autouse=True)
def timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("songgenre.compute.TIMEOUT_S", WAIT_S)


@pytest.fixture(scope="module")
def audio(
    tmp_path_factory: pytest.TempPathFactory,
    melody: Callable[..., np.ndarray],
    write_audio: Callable[..., Path],
    bucket: str,
) -> Path:
    """Songs in a folder, and in the bucket."""
    folder = tmp_path_factory.mktemp("local") / "data" / "raw" / "audio"
    for number in range(N_SONGS):
        write_audio(folder / f"{number}.{ENDINGS[number % 3]}", melody(number, seconds=3))
    fsspec.filesystem("s3").put(f"{folder}/", f"{bucket}/audio/", recursive=True)
    return folder


@pytest.fixture(scope="module")
def tracks(audio: Path) -> pd.DataFrame:
    paths = sorted(audio.iterdir())
    return pd.DataFrame(
        {
            "track_id": [path.stem for path in paths],
            "audio_path": [path.name for path in paths],
            "sha256": [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths],
            "clip_start_s": 0.5,
            "clip_duration_s": 2.0,
        }
    )


@pytest.fixture(scope="module")
def expected(audio: Path, tracks: pd.DataFrame) -> dict[str, bytes]:
    """What this machine writes."""
    return written(tracks, Project(audio.parents[2]))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without audio around the working folder."""
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def on(scheduler: str | None, audio_url: str = "", cache_url: str = "", partition_songs: int = 1000) -> Compute:
    return Compute(scheduler=scheduler, audio_url=audio_url, cache_url=cache_url, partition_songs=partition_songs)


def written(tracks: pd.DataFrame, project: Project, compute: Compute = LOCAL) -> dict[str, bytes]:
    mel_index = extract_corpus(tracks, project, CONFIG, compute)
    write_table(mel_index, MEL_INDEX, project.mel_index)
    return {path.name: path.read_bytes() for path in (project.descriptors, project.mel_index, project.mel)}


def test_cluster_writes_the_same_bytes_as_this_machine_and_is_not_asked_again(
    project: Project,
    two_workers: Cluster,
    bucket: str,
    tracks: pd.DataFrame,
    expected: dict[str, bytes],
) -> None:
    places = f"{bucket}/audio", f"{bucket}/features"
    assert written(tracks, project, on(two_workers.address, *places)) == expected
    assert written(tracks, project, on(NOBODY, *places)) == expected


def test_same_bytes_are_written_when_a_worker_is_killed(
    project: Project,
    two_workers: Cluster,
    bucket: str,
    tmp_path: Path,
    tracks: pd.DataFrame,
    expected: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed = threading.Event()

    def held(results: Iterator[Any], description: str, total: int) -> Iterator[Any]:
        for number, result in enumerate(results):
            if number == 4:
                killed.wait()
            yield result

    monkeypatch.setattr("songgenre.compute.progress_bar", held)
    storage = fsspec.filesystem("s3", use_listings_cache=False)
    with workers(1, two_workers.address, tmp_path) as [third], ThreadPoolExecutor() as threads:
        compute = on(two_workers.address, f"{bucket}/audio", f"{bucket}/killed")
        result = threads.submit(written, tracks, project, compute)
        try:
            wait_until(lambda: result.done() or len(storage.find(f"{bucket}/killed")) > 4)
            assert not result.done()
            kill(third)
        finally:
            killed.set()
        assert result.result() == expected


def test_partitions_survive_a_killed_worker_and_the_loss_of_an_entry(
    project: Project,
    two_workers: Cluster,
    bucket: str,
    tmp_path: Path,
    tracks: pd.DataFrame,
    expected: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("songgenre.partitions.SIZE", 3)
    stored = f"{bucket}/in-parts"
    compute = on(two_workers.address, f"{bucket}/audio", stored, partition_songs=3)
    storage = fsspec.filesystem("s3", use_listings_cache=False)

    def check() -> None:
        mel_index = extract_corpus(tracks, project, CONFIG, compute)
        tables = (read_table(DESCRIPTORS, project.descriptors), mel_index)
        for table, schema in zip(tables, (DESCRIPTORS, MEL_INDEX), strict=True):
            write_table(table, schema, tmp_path / f"{schema.name}.parquet")
            assert (tmp_path / f"{schema.name}.parquet").read_bytes() == expected[f"{schema.name}.parquet"]
        mel = load_mel(project.mel)
        assert b"".join(mel[row].tobytes() for row in range(len(mel))) == expected["mel.npy"][-mel.nbytes :]
        assert not storage.find(f"{stored}/partitions")

    with workers(1, two_workers.address, tmp_path) as [third], ThreadPoolExecutor() as threads:
        result = threads.submit(check)
        wait_until(lambda: result.done() or len(storage.find(stored)) > 0)
        kill(third)
        result.result()
    before = {path: storage.info(path)["LastModified"] for path in storage.find(stored)}
    lost = min(before)
    storage.rm(lost)
    check()
    after = {path: storage.info(path)["LastModified"] for path in storage.find(stored)}
    assert after.keys() == before.keys()
    assert {path for path in after if after[path] != before[path]} <= {lost}


def test_results_come_in_order_from_workers_with_one_thread_each(project: Project, two_workers: Cluster) -> None:
    def look(item: int) -> tuple[int, int, str | None]:
        time.sleep(0.05 * (item % 2))
        return item, os.getpgid(0), os.environ.get("OPENBLAS_NUM_THREADS")

    items, places, threads = zip(*parallel_map(look, range(50), "looking", on(two_workers.address)), strict=True)
    assert items == tuple(range(50))
    assert set(places) == {worker.pid for worker in two_workers.workers}
    assert set(threads) == {"1"}


def test_work_on_files_stays_here_where_the_workers_do_not_share_them(project: Project, bucket: str) -> None:
    compute = on(NOBODY, f"{bucket}/audio", f"{bucket}/features")
    assert list(parallel_map(len, ["a", "bc"], "measuring", compute)) == [1, 2]


def test_error_of_a_task_arrives_as_it_is(
    project: Project, two_workers: Cluster, bucket: str, tracks: pd.DataFrame
) -> None:
    compute = on(two_workers.address, f"{bucket}/nothing", f"{bucket}/none")
    with pytest.raises(UserError, match=r"s3://music/nothing/\d+\.\w+"):
        extract_corpus(tracks, project, CONFIG, compute)


def test_scheduler_that_does_not_answer_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("songgenre.compute.TIMEOUT_S", 0.5)
    with pytest.raises(UserError, match=rf"{NOBODY}.*`dask scheduler`"):
        list(parallel_map(len, ["a"], "measuring", on(NOBODY)))


def test_scheduler_without_workers_and_a_lost_one_are_named(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = Client.wait_for_workers
    with scheduler(tmp_path) as (started, address):
        with monkeypatch.context() as patch:
            patch.setattr(Client, "wait_for_workers", lambda client, n, timeout: wait(client, n, timeout=0.2))
            with pytest.raises(UserError, match=f"`dask worker --nthreads 1 --preload-nanny songgenre {address}`"):
                list(parallel_map(len, ["a"], "measuring", on(address)))
        with workers(1, address, tmp_path) as [one]:
            results = parallel_map(time.sleep, [0.0, *[600.0] * 10], "waiting", on(address))
            next(results)
            kill(one)
            kill(started)
            with pytest.raises(UserError, match=rf"{address}.*\blost\b"):
                next(results)


def test_workers_with_other_code_are_refused(project: Project, two_workers: Cluster, tmp_path: Path) -> None:
    package = tmp_path / "other" / "songgenre"
    shutil.copytree(Path(songgenre.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "audio" / "decoding.py").open("a") as file:
        file.write("LOUDER = 2\n")
    with (
        workers(1, two_workers.address, tmp_path, PYTHONPATH=str(package.parent)),
        pytest.raises(UserError, match=r"songgenre [0-9a-f]{12}\b.* [0-9a-f]{12}\b"),
    ):
        list(parallel_map(len, ["a"], "measuring", on(two_workers.address)))
    wait_until(lambda: number_of_workers(two_workers.address) == 2)


def test_grid_search_on_the_cluster_chooses_the_same_parameters(project: Project, two_workers: Cluster) -> None:
    rng = np.random.default_rng(0)
    genres = pd.Series(np.repeat(["rock", "jazz", "folk"], 40))
    X = pd.DataFrame(rng.normal(size=(120, 6)) + 0.5 * pd.factorize(genres)[0][:, None])
    artists = pd.Series(np.arange(120) // 4)
    grids = {"logistic_regression": {"C": [0.01, 1.0]}, "random_forest": {"n_estimators": [5], "max_depth": [1, 4]}}

    def searched(scheduler: str | None) -> list[tuple[dict[str, Any], list[float], np.ndarray]]:
        return [
            (search.best_params_, search.cv_results_["mean_test_score"].tolist(), model.predict_proba(X).tolist())
            for _, (search, model) in grid_search(grids, X, genres, artists, folds=3, seed=0, compute=on(scheduler))
        ]

    assert searched(two_workers.address) == searched(None)
