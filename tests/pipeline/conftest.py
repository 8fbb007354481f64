"""The pipeline as a user runs it, in fresh clones."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Clone


@pytest.fixture(scope="session")
def built(fresh_clone: Callable[[], "Clone"]) -> "Clone":
    """A clone after `dvc repro` with the parameters as they are committed, and what it wrote committed too."""
    clone = fresh_clone()
    clone.run("dvc", "repro")
    clone.run("git", "add", "--all")
    clone.run("git", "commit", "--quiet", "--allow-empty", "--message", "Built")
    return clone
