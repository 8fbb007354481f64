"""What differs between a parameters cell and params.yaml, and what is written there."""

import difflib
import io
import shutil
from pathlib import Path

import nbformat
import pytest
from rich.console import Console
from typer.testing import CliRunner

from songgenre.cli import app
from songgenre.errors import UserError
from songgenre.notebook import parameters, runner
from songgenre.params import load_params
from songgenre.paths import Project

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    return Project(tmp_path)


def edit(project: Project, name: str, *changes: tuple[str, str]) -> None:
    """Replace texts in the parameters cell of a notebook."""
    path = project.notebooks / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    for old, new in changes:
        assert old in cell.source
        cell.source = cell.source.replace(old, new)
    nbformat.write(notebook, path)


def differences(project: Project, name: str) -> list[str]:
    return parameters.find_differences(project, name, load_params(project.params))


def changed_lines(project: Project) -> list[str]:
    before, after = (path.read_text().splitlines() for path in (ROOT / "params.yaml", project.params))
    return [line for line in difflib.ndiff(before, after) if line.startswith(("+", "-"))]


def test_cell_that_agrees_has_no_differences_and_writes_nothing(project: Project) -> None:
    for path in project.notebooks.glob("*.ipynb"):
        assert differences(project, path.stem) == []
        parameters.write_parameters(project, path.stem)
    assert project.params.read_bytes() == (ROOT / "params.yaml").read_bytes()


@pytest.mark.parametrize(
    ("name", "old", "new", "place", "n_changed"),
    [
        ("03_eda", "songs_per_genre = 3", "songs_per_genre = 9", "eda.songs_per_genre", 2),
        ("03_eda", '"hip-hop", ', '"rock", ', "eda.compared_genres", 2),
        ("02_wrangling", 'multi_genre = "drop"', 'multi_genre = "primary"', "wrangling.multi_genre", 2),
        ("06_cnn", '"batch_size": 32', '"batch_size": 8', "cnn.sampling.batch_size", 2),
        ("05_sklearn", '"gamma": [0.0005, 0.001]', '"gamma": [1e-9, "scale"]', "sklearn.grids.svm.gamma", 2),
        ("05_sklearn", '"baseline": {},', '"baseline": {}, "nb": {"a": [None, True]},', "sklearn.grids.nb", 2),
        ("05_sklearn", '"weights": ["distance"]', "", "sklearn.grids.k_nearest_neighbours.weights", 1),
        (
            "01_scraping",
            '"Rap/Hip Hop": "hip-hop", "Hip-Hop/Rap": "hip-hop"',
            "",
            "scraping.genre_names.Rap/Hip Hop",
            4,
        ),
    ],
)
def test_values_of_the_cell_replace_only_their_lines(
    project: Project, name: str, old: str, new: str, place: str, n_changed: int
) -> None:
    edit(project, name, (old, new))
    assert differences(project, name)[0].startswith(f"{place}: ")
    parameters.write_parameters(project, name)
    section = load_params(project.params).section(parameters.section_of(name))
    assert section == parameters.parameters_cell(project.notebooks / f"{name}.ipynb")
    assert differences(project, name) == []
    changed = changed_lines(project)
    assert len(changed) == n_changed, changed
    comments = [line.partition("#")[2] for line in changed if "#" in line]
    assert len(set(comments)) * 2 == len(comments)


@pytest.mark.parametrize(
    ("name", "old", "new", "place"),
    [
        ("05_sklearn", "folds = 5", "folds = 1", "sklearn.folds"),
        ("05_sklearn", "folds = 5", "folds = 5\nextra = 1", "sklearn.extra"),
        ("05_sklearn", "folds = 5", "folds = {5}", "sklearn.folds"),
        ("08_evaluation", '"cnn"', '"cmm"', "cmm"),
        ("01_scraping", '"https://os.', '"https://anna:pa55w0rd@os.', "scraping.fma.url"),
    ],
)
def test_values_that_are_not_valid_are_not_written(project: Project, name: str, old: str, new: str, place: str) -> None:
    edit(project, name, (old, new))
    with pytest.raises(UserError, match=place) as error:
        parameters.write_parameters(project, name)
    assert str(project.params) in str(error.value)
    assert "pa55w0rd" not in str(error.value) + "".join(differences(project, name))
    assert project.params.read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_value_that_yaml_would_change_is_not_written(project: Project) -> None:
    edit(project, "03_eda", ('"hip-hop"', '"hip\\x85hop"'))
    with pytest.raises(UserError, match="not changed"):
        parameters.write_parameters(project, "03_eda")
    assert project.params.read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_link_and_permissions_of_the_file_stay(project: Project) -> None:
    linked = project.params.rename(project.root / "linked.yaml")
    linked.chmod(0o600)
    project.params.symlink_to(linked)
    edit(project, "03_eda", ("songs_per_genre = 3", "songs_per_genre = 9"))
    parameters.write_parameters(project, "03_eda")
    assert project.params.is_symlink()
    assert linked.stat().st_mode & 0o777 == 0o600
    assert load_params(linked).eda.songs_per_genre == 9


@pytest.mark.parametrize("content", ["", "{}", "[]", "[" * 99_999, '{"nbformat": 4, "cells": [1], "metadata": {}}'])
def test_file_that_is_no_notebook_is_named(project: Project, content: str) -> None:
    notebook = project.notebooks / "03_eda.ipynb"
    notebook.write_text(content)
    with pytest.raises(UserError, match=r"03_eda\.ipynb: not a readable notebook"):
        parameters.parameters_cell(notebook)


@pytest.mark.parametrize("line", ["songs_per_genre = b = 3", "songs_per_genre, b = 3, 4", "a.b = 3", "x: int = 3", "3"])
def test_line_that_is_no_assignment_to_one_name_is_refused(project: Project, line: str) -> None:
    edit(project, "03_eda", ("songs_per_genre = 3", line))
    with pytest.raises(UserError, match="literal"):
        parameters.parameters_cell(project.notebooks / "03_eda.ipynb")


def test_cell_with_a_list_as_a_key_is_refused(project: Project) -> None:
    edit(project, "03_eda", ("songs_per_genre = 3", "songs_per_genre = {[1]: 2}"))
    with pytest.raises(UserError, match="literal"):
        parameters.parameters_cell(project.notebooks / "03_eda.ipynb")


def test_command_shows_the_differences_and_writes_only_if_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(project, "03_eda", ("songs_per_genre = 3", "songs_per_genre = 9"))
    monkeypatch.chdir(project.notebooks)
    for options in ([], ["--write"]):
        assert changed_lines(project) == []
        ended = CliRunner().invoke(app, ["notebook", "params", "03_eda", *options])
        assert ended.exit_code == 0
        assert "eda.songs_per_genre: 9 in the cell, 3 in params.yaml" in ended.output
    assert load_params(project.params).eda.songs_per_genre == 9


@pytest.mark.integration
def test_stage_says_which_values_of_the_cell_it_does_not_use(project: Project) -> None:
    path = project.notebooks / "03_eda.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    nbformat.write(notebook, path)
    terminal = io.StringIO()
    for text in ("3", "9"):
        edit(project, "03_eda", ("songs_per_genre = 3", f"songs_per_genre = {text}"))
        runner.run(project, "03_eda", Console(file=terminal, width=200))
        assert ("eda.songs_per_genre: 9 in the cell, 3 in params.yaml" in terminal.getvalue()) == (text == "9")
