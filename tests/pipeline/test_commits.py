"""What is checked before a commit, and what git shows of a notebook that was run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration
NOTEBOOK = "notebooks/08_evaluation.ipynb"


@pytest.fixture(scope="module")
def committed(fresh_clone: "Callable[..., Clone]") -> "Clone":
    clone = fresh_clone()
    clone.run("pre-commit", "install")
    return clone


@pytest.fixture
def clone(committed: "Clone") -> "Iterator[Clone]":
    """A clone in which nothing is changed."""
    yield committed
    committed.run("git", "reset", "--quiet", "--hard")
    committed.run("git", "clean", "--quiet", "--force")


def run_it(path: Path) -> None:
    """Leave a notebook as an editor without the hook of `make lab` does."""
    notebook = nbformat.read(path, as_version=4)
    code = next(cell for cell in notebook.cells if cell.cell_type == "code")
    code.execution_count = 3
    code.outputs = [nbformat.v4.new_output("stream", text="3\n")]
    notebook.metadata["language_info"]["version"] = "3.12.1"
    nbformat.write(notebook, path)


@pytest.mark.slow
def test_everything_passes_as_it_is(clone: "Clone") -> None:
    printed = clone.run("pre-commit", "run", "--all-files")
    assert printed.count("Passed") == 5
    assert clone.run("git", "status", "--porcelain") == ""


def test_notebook_with_outputs_is_not_committed_but_cleaned(clone: "Clone") -> None:
    before = (clone.root / NOTEBOOK).read_bytes()
    run_it(clone.root / NOTEBOOK)
    clone.run("git", "add", "--all")
    with pytest.raises(AssertionError, match="hook id: notebooks-are-clean"):
        clone.run("git", "commit", "--message", "With outputs")
    assert (clone.root / NOTEBOOK).read_bytes() == before


def test_parameters_cell_that_differs_from_params_yaml_is_not_committed(clone: "Clone") -> None:
    params = clone.root / "params.yaml"
    params.write_text(params.read_text().replace("bootstrap_samples: 2000", "bootstrap_samples: 2001"))
    clone.run("git", "add", "--all")
    with pytest.raises(AssertionError, match="hook id: parameters"):
        clone.run("git", "commit", "--message", "Another parameter")


def test_command_says_which_notebook_is_not_clean_and_cleans_it(clone: "Clone") -> None:
    assert clone.run("songgenre", "dev", "clean-notebooks", "--check") == ""
    run_it(clone.root / NOTEBOOK)
    with pytest.raises(AssertionError, match=NOTEBOOK):
        clone.run("songgenre", "dev", "clean-notebooks", "--check", NOTEBOOK)
    assert NOTEBOOK in clone.run("git", "diff", "--name-only")
    assert NOTEBOOK in clone.run("songgenre", "dev", "clean-notebooks")
    assert clone.run("git", "diff", "--name-only") == ""


def test_what_is_no_notebook_is_named(clone: "Clone") -> None:
    (clone.root / "notebooks" / "09_broken.ipynb").write_text("{")
    with pytest.raises(AssertionError, match=r"09_broken\.ipynb"):
        clone.run("songgenre", "dev", "clean-notebooks", "--check")


def test_clone_that_asks_for_other_line_ends_has_the_bytes_of_the_commit(clone: "Clone", tmp_path: Path) -> None:
    clone.run("git", "-c", "core.autocrlf=true", "clone", "--quiet", ".", str(tmp_path / "clone"))
    stored = [line.split()[1] for line in clone.run("git", "ls-files", "--stage").splitlines()]
    paths = [str(tmp_path / "clone" / path) for path in clone.run("git", "ls-files").splitlines()]
    assert clone.run("git", "hash-object", "--no-filters", *paths).split() == stored


def test_what_commands_write_into_the_checkout_is_ignored(clone: "Clone") -> None:
    clone.run("songgenre", "report", "build")
    clone.run("songgenre", "report", "slides")
    clone.run("songgenre", "report", "export", "--to", "site.zip")
    clone.run("dvc", "plots", "show")
    clone.run("dvc", "plots", "diff", "HEAD", "--out", "plots_diff")
    assert clone.run("git", "status", "--porcelain") == ""
    assert all((clone.root / name).exists() for name in ("slides.html", "site.zip", "dvc_plots", "plots_diff"))
