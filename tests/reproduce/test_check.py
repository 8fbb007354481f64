"""Rebuilds of a small pipeline that are the same, that differ, and that fail."""

import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest
from rich.console import Console
from ruamel.yaml import YAML
from typer.testing import CliRunner

from songgenre.cli import app
from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.reproduce.check import reproduce

if TYPE_CHECKING:
    from conftest import Clone

pytestmark = pytest.mark.integration
WHEEL = Path("data") / "cache" / "wheels" / "a.whl"
FEATURE = Path("data") / "cache" / "features" / "b"
PIPELINE = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [train]
    outs: [models]
    metrics:
      - accuracy.json: {cache: false}
  show:
    cmd: python -c "open('page.html', 'w').write('<p>' + open('accuracy.json').read())"
    deps: [accuracy.json]
    outs: [page.html]
  alone:
    cmd: python -c "open('alone.csv', 'w').write('a\\n1\\n')"
    outs: [alone.csv]
"""
TRAIN = """
import json, os, pathlib
import numpy as np
noise = float(os.environ.get("NOISE", "0"))
pathlib.Path("models").mkdir(exist_ok=True)
np.save("models/weights.npy", np.array([1.0, 2.0 + noise]))
pathlib.Path("models/licence.txt").write_text("MIT")
pathlib.Path("pythonpath.txt").write_text(os.environ.get("PYTHONPATH", ""))
pathlib.Path("accuracy.json").write_text(json.dumps({"svm": {"accuracy": 0.75 + noise}}))
"""


class Comparison(NamedTuple):
    """What `reproduce` says, line by line, and where the rebuild is."""

    same: bool
    lines: list[str]
    rebuilt: Path


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "As it is")


def copy(folder: Path, to: Path) -> Path:
    """A copy of its own, with the cache of DVC."""
    return shutil.copytree(folder, to, symlinks=True)


def compared(folder: Path, **options: Path) -> tuple[bool, list[str]]:
    printed = io.StringIO()
    same = reproduce(Project(folder), Console(file=printed, width=80), **options)
    return same, printed.getvalue().splitlines()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in git and DVC, built and committed."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "train.py").write_text(TRAIN)
    (folder / "params.yaml").write_text("train:\n  epochs: 3\n  rates: [0.1, 0.2]\n")
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "repro", "--quiet")
    commit(folder)
    return folder


@pytest.fixture
def clone(built: Path, tmp_path: Path) -> Path:
    return copy(built, tmp_path / "a clone")


@pytest.fixture(scope="module")
def repeated(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """With a rebuild of a clone in which something is not committed, and there are caches."""
    clone = copy(built, tmp_path_factory.mktemp("repeated") / "a clone")
    (clone / "train.py").write_text("raise SystemExit('not committed')")
    for path in (WHEEL, FEATURE):
        (clone / path).parent.mkdir(parents=True)
        (clone / path).write_text("kept")
    rebuilt = clone.with_name("rebuilt")
    return Comparison(*compared(clone, into=rebuilt), rebuilt)


@pytest.fixture(scope="module")
def noisy(built: Path) -> Comparison:
    """With a rebuild in a temporary folder, in which chance is another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOISE", "0.125")
        same, [first, *lines] = compared(built)
    return Comparison(same, lines, Path(re.search(r"/\S+", first)[0]))


@pytest.fixture(scope="module")
def altered(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """With a rebuild of other code, parameters and stages."""
    clone = copy(built, tmp_path_factory.mktemp("altered") / "a clone")
    (clone / "train.py").write_text(TRAIN.replace('"0"', '"1"'))
    (clone / "params.yaml").write_text("train:\n  epochs: 4\n  rates: [0.1, 0.2]\n")
    (clone / "dvc.yaml").write_text(PIPELINE.replace("alone", "other"))
    (clone / "dvc.lock").unlink()
    run(clone, "dvc", "repro", "--quiet")
    return Comparison(*compared(built, rebuilt=clone), clone)


def hash_of(folder: Path, stage: str, path: str) -> str:
    [md5] = [
        out["md5"] for out in YAML(typ="safe").load(folder / "dvc.lock")["stages"][stage]["outs"] if out["path"] == path
    ]
    return md5


def about(lines: list[str], stage: str) -> list[str]:
    """The lines from that of a stage on."""
    return lines[next(number for number, line in enumerate(lines) if line.startswith(f"{stage} ")) :]


def says(line: str, *words: str) -> bool:
    """Whether a line has these words, in this order."""
    return bool(re.search(".*".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words), line))


def test_rebuild_of_what_is_committed_is_identical(repeated: Comparison) -> None:
    assert repeated.same
    assert says(repeated.lines[-1], "identical", "3", "5")


def test_rebuild_uses_what_is_committed_and_no_cache(repeated: Comparison) -> None:
    assert (repeated.rebuilt / "train.py").read_text() == TRAIN
    assert (repeated.rebuilt / WHEEL).read_text() == "kept"
    assert not (repeated.rebuilt / FEATURE).exists()
    assert (repeated.rebuilt / ".dvc" / "cache" / "files").is_dir()


def test_rebuild_runs_the_code_that_is_committed(repeated: Comparison) -> None:
    assert (repeated.rebuilt / "pythonpath.txt").read_text() == str(repeated.rebuilt.resolve() / "src")


def test_chance_is_told_where_it_enters_and_where_it_leads(noisy: Comparison) -> None:
    assert not noisy.same
    expected = [
        ("train", "other", "inputs", "parameters", "code"),
        ("accuracy.json",),
        ("svm.accuracy", "0.75", "0.875"),
        ("models",),
        ("weights.npy", "1", "2", "0.12", "0.062", "1", "2.0", "2.125"),
        ("show", "other", "train"),
        ("page.html",),
        ("1", '<p>{"svm": {"accuracy": 0.75}}', '<p>{"svm": {"accuracy": 0.875}}'),
        ("2", "3", "train", "other", "show", "other"),
    ]
    for line, words in zip(noisy.lines, expected, strict=True):
        assert says(line, *words), line


def test_rounding_is_told_from_other_differences(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISE", "1e-9")
    same, lines = compared(built)
    assert not same
    assert says(lines[-1], "2", "3", "train", "rounding", "show", "rounding")


def test_temporary_rebuild_is_removed(noisy: Comparison) -> None:
    assert noisy.rebuilt.is_absolute()
    assert not noisy.rebuilt.exists()


def test_other_code_and_parameters_are_named(altered: Comparison) -> None:
    assert not altered.same
    line, *_ = about(altered.lines, "train")
    assert says(line, "train.py", "train.epochs", "3", "4")
    assert "rates" not in line


def test_stages_and_files_of_one_side_only(altered: Comparison) -> None:
    for stage, word in (("alone", "missing"), ("other", "new")):
        first, path, difference, *_ = about(altered.lines, stage)
        assert says(first, stage, word)
        assert says(path, f"{stage}.csv")
        assert says(difference, word)
    assert says(altered.lines[-1], "4", "3")
    assert all(says(altered.lines[-1], stage) for stage in ("train", "show", "alone", "other"))


def test_files_that_are_not_here_are_told_by_their_hashes(clone: Path, altered: Comparison) -> None:
    shutil.rmtree(clone / ".dvc" / "cache")
    _, lines = compared(clone, rebuilt=altered.rebuilt)
    _, metrics, change, models, hashes, *_ = about(lines, "train")
    assert says(metrics, "accuracy.json")
    assert says(change, "svm.accuracy", "0.75", "1.75")
    for path, line, stage in ((models, hashes, "train"), (*about(lines, "show")[1:3], "show")):
        before, after = (hash_of(folder, stage, path.strip()) for folder in (clone, altered.rebuilt))
        assert says(line, before, after, "cache", "remote")


def test_rebuild_that_fails_says_where(clone: Path) -> None:
    (clone / "train.py").write_text("raise SystemExit('out of luck')")
    commit(clone)
    with pytest.raises(UserError, match=r"a clone.*dvc repro --force"):
        compared(clone)


def test_rebuild_that_is_stopped_leaves_nothing_behind(fresh_clone: "Callable[..., Clone]", tmp_path: Path) -> None:
    programs, temporary = tmp_path / "programs", tmp_path / "temporary"
    programs.mkdir()
    temporary.mkdir()
    slow = f'#!/bin/sh\n[ "$1" = clone ] || exec {shutil.which("git")} "$@"\nmkdir "$4" && sleep 600\n'
    (programs / "git").write_text(slow)
    (programs / "git").chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(temporary)}
    command = [Path(sys.executable).with_name("songgenre"), "reproduce"]
    with subprocess.Popen(command, cwd=fresh_clone().root, env=environment, stdout=subprocess.DEVNULL) as process:
        while not any(temporary.glob("songgenre-*/*")):
            assert process.poll() is None
            time.sleep(0.05)
        cloning = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
    assert process.returncode != 0
    assert list(temporary.iterdir()) == []
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in cloning)


def test_folder_that_holds_something_is_left_alone(built: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").touch()
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "full"))):
        compared(built, into=tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["diary.txt"]


def test_folder_without_a_rebuild_is_named(built: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "nowhere"))):
        compared(built, rebuilt=tmp_path / "nowhere")


def test_rebuild_whose_outputs_are_not_those_of_its_lock_is_refused(built: Path, clone: Path) -> None:
    (clone / "alone.csv").write_text("a\n2\n")
    with pytest.raises(UserError, match=re.escape(str(clone))):
        compared(built, rebuilt=clone)


def test_lock_that_is_no_lock_is_named(built: Path, clone: Path) -> None:
    (clone / "dvc.lock").write_text("")
    with pytest.raises(UserError, match=r"dvc\.lock"):
        compared(built, rebuilt=clone)


def test_project_that_was_never_built_is_named(clone: Path) -> None:
    run(clone, "git", "rm", "--quiet", "dvc.lock")
    run(clone, "git", "commit", "--quiet", "--message", "No lock")
    with pytest.raises(UserError, match=r"dvc\.lock.*dvc repro"):
        compared(clone)


def test_command_ends_with_one_where_something_differs(
    built: Path, repeated: Comparison, altered: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built)
    same = CliRunner().invoke(app, ["reproduce", "--with", str(repeated.rebuilt)])
    assert (same.exit_code, same.stdout.splitlines()) == (0, repeated.lines[-1:])
    other = CliRunner().invoke(app, ["reproduce", "--with", str(altered.rebuilt)])
    assert (other.exit_code, other.stdout.splitlines()) == (1, altered.lines)
    assert isinstance(other.exception, SystemExit)
