"""docs/versions.md, command by command, on a small corpus; the bucket is one of a server on this machine."""

import doctest
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from songgenre.models.storage import load_sklearn
from songgenre.paths import Project
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import read_table
from songgenre.tables.predictions import PREDICTIONS
from songgenre.tables.tracks import TRACKS

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.slow
PAGE = (Path(__file__).parents[2] / "docs" / "versions.md").read_text()


class Step(NamedTuple):
    """Commands of the page, and what it says that they print."""

    commands: str
    printed: str


def steps() -> list[Step]:
    return [
        Step(commands, printed)
        for commands, printed in re.findall(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", PAGE, re.M | re.S)
    ]


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """An S3 server with an empty bucket called bucket, as variables that name it."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    fsspec.filesystem("s3", endpoint_url=address, key="testing", secret="testing").mkdir("bucket")
    yield {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    server.stop()


@pytest.fixture(scope="module")
def reader(small: "Clone", store: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> "Clone":
    """The clone of somebody who has typed what the page says, in order."""
    clone = small.copy(tmp_path_factory.mktemp("reader") / "project")
    for step in steps():
        said = clone.run("bash", "-ec", step.commands, COLUMNS="200", **store)
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert doctest.OutputChecker().check_output(step.printed or "...", said, flags), f"{step}\n{said}"
    return clone


def hashes(root: Path) -> dict[str, str]:
    """What lies below the folders that DVC keeps."""
    files = [path for name in ("data", "models", "reports/html") for path in (root / name).rglob("*")]
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file() and "cache" not in path.parts and path.name != "provenance.js"
    }


def test_page_shows_what_is_printed(reader: "Clone") -> None:
    assert len(steps()) > 8
    assert sum(bool(step.printed) for step in steps()) > 5


@pytest.mark.parametrize("elsewhere", ["elsewhere", "from-the-bucket"])
def test_other_clones_have_everything_and_have_computed_nothing(reader: "Clone", elsewhere: str) -> None:
    root = reader.root.parent / elsewhere
    assert (root / "reports" / "html" / "index.html").is_file()
    assert not (root / "reports" / "logs").exists()
    assert "up to date" in type(reader)(root).run("dvc", "status")


def test_what_was_pulled_is_what_was_pushed(reader: "Clone") -> None:
    assert hashes(reader.root) == hashes(reader.root.parent / "from-the-bucket")


def test_a_model_that_was_pulled_predicts_what_it_did(reader: "Clone") -> None:
    project = Project(reader.root.parent / "elsewhere")
    tracks = read_table(TRACKS, project.tracks).set_index("track_id")
    descriptors = read_table(DESCRIPTORS, project.descriptors).set_index("track_id")
    said = read_table(PREDICTIONS, project.predictions("sklearn")).query("model == 'svm'")
    X = descriptors.loc[said["track_id"]]
    assert load_sklearn(project.model("sklearn") / "svm.skops").predict(X).tolist() == said["predicted"].tolist()
    assert tracks.loc[said["track_id"], "split"].eq("test").all()


@pytest.mark.parametrize("model", ["sklearn", "transfer", "cnn"])
def test_a_clone_that_has_computed_nothing_tells_the_genre_of_a_song(reader: "Clone", model: str) -> None:
    clone = type(reader)(reader.root.parent / "elsewhere")
    said = read_table(PREDICTIONS, Project(clone.root).predictions(model))
    tracks = read_table(TRACKS, Project(clone.root).tracks).set_index("track_id")
    song = said["track_id"].iloc[0]
    printed = clone.run(
        "songgenre", "predict", "--json", "--model", model, f"data/raw/audio/{tracks.loc[song, 'audio_path']}"
    )
    answer = json.loads(printed.splitlines()[-1])
    assert answer["genre"] == said.set_index(["model", "track_id"]).loc[(answer["model"], song), "predicted"]


def test_the_released_model_is_that_of_its_version(reader: "Clone") -> None:
    released = reader.root.parent / "released"
    for file in (reader.root / "models" / "sklearn").iterdir():
        assert (released / file.name).read_bytes() == file.read_bytes()


def test_an_older_commit_brings_back_its_data_models_and_reports(small: "Clone", reader: "Clone") -> None:
    now = hashes(reader.root)
    last = reader.run("git", "rev-parse", "HEAD").strip()
    first = small.run("git", "rev-parse", "HEAD").strip()
    reader.run("git", "checkout", "--quiet", first)
    reader.run("dvc", "checkout")
    assert hashes(reader.root) == hashes(small.root) != now
    reader.run("git", "checkout", "--quiet", last)
    reader.run("dvc", "checkout")
    assert hashes(reader.root) == now
