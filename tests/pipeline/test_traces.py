"""What is built tells nothing of where, when and by whom it was."""

import getpass
import socket
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from conftest import Clone

BUILT = ["data/raw", "data/clean", "data/features", "data/pretrained", "models", "reports"]
UNTRACKED = {"downloads", "failed", "logs"}


def traces(root: Path) -> set[bytes]:
    """The folder of a clone, of this project and of this user, the name of this machine, and the date."""
    now = datetime.now()
    dates = [now.strftime(form) for form in ("%Y-%m-%d", "%d %b %Y", "%b %d, %Y", "%a %b %d")]
    names = [str(root), str(Path(__file__).parents[2]), f"{Path.home()}/", f"/{getpass.getuser()}/"]
    if len(socket.gethostname()) > len("host"):  # a shorter one stands in compressed music by chance
        names.append(socket.gethostname())
    return {text.encode() for text in [*dates, *names]}


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and those that it holds in compressed form."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield str(table.schema.metadata).encode()
        yield table.to_pandas().select_dtypes(exclude="number").to_csv().encode()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from map(archive.read, archive.namelist())


def found(root: Path, sought: set[bytes]) -> dict[str, set[bytes]]:
    """The files below the folders that stages write in which something of what is sought stands."""
    files = [path for folder in BUILT for path in (root / folder).rglob("*") if path.is_file()]
    assert len(files) > 100
    held = {
        str(path.relative_to(root)): {text for content in contents(path) for text in sought if text in content}
        for path in files
        if not UNTRACKED & set(path.parts)
    }
    return {name: texts for name, texts in held.items() if texts}


def test_nothing_that_is_built_tells_where_when_and_by_whom(built: "Clone") -> None:
    assert found(built.root, traces(built.root)) == {}


@pytest.mark.parametrize("name", ["reports/metrics/cnn.json", "models/cnn/cnn.keras", "data/clean/tracks.parquet"])
def test_traces_would_be_found(built: "Clone", name: str) -> None:
    words = {"reports/metrics/cnn.json": b"accuracy", "models/cnn/cnn.keras": b"conv2d"}
    assert name in found(built.root, {words.get(name, b"country")})
