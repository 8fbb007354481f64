"""The pipeline as a user runs it, in fresh clones."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from songgenre.paths import Project

if TYPE_CHECKING:
    from conftest import Clone


@pytest.fixture(scope="session")
def demo(made_once: "Callable[..., Path]", fresh_clone: "Callable[..., Clone]", clone_at: "type[Clone]") -> "Clone":
    """A clone after `dvc repro` with the parameters as they are committed, and what it wrote committed too."""

    def fill(root: Path) -> None:
        clone = fresh_clone(root)
        clone.run("dvc", "repro")
        clone.run("git", "add", "--all")
        clone.run("git", "commit", "--quiet", "--allow-empty", "--message", "Built")

    return clone_at(made_once("demo", fill))


@pytest.fixture(scope="session", params=["small", pytest.param("demo", marks=pytest.mark.slow)])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Clone":
    """A built clone, in which commands may run but nothing is to be changed.

    A test that uses it runs on the small corpus, and on the demo as a slow test. Of the small clone it gets a copy,
    since tests in the other process use that, too.
    """
    clone: Clone = request.getfixturevalue(request.param)
    return clone.copy(tmp_path_factory.mktemp("built") / "clone") if request.param == "small" else clone


@pytest.fixture(scope="session")
def project(built: "Clone") -> Project:
    return Project(built.root)
