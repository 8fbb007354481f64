"""Rebuilds of a small pipeline that are the same, that differ, and that fail."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from ruamel.yaml import YAML

from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.reproduce import reproduce

ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "GIT_AUTHOR_NAME": "tests",
    "GIT_AUTHOR_EMAIL": "tests@localhost",
    "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@localhost",
    "DVC_NO_ANALYTICS": "true",
}
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
pathlib.Path("accuracy.json").write_text(json.dumps({"svm": {"accuracy": 0.75 + noise}}))
"""


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)


def commit(folder: Path) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "As it is")


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
    """A copy of its own, with the cache of DVC."""
    return shutil.copytree(built, tmp_path / "a clone", symlinks=True)


def compared(folder: Path, **options: Path) -> tuple[bool, list[str]]:
    """What `reproduce` says, line by line."""
    printed = io.StringIO()
    same = reproduce(Project(folder), Console(file=printed, width=80), **options)
    return same, printed.getvalue().splitlines()


def hash_of(folder: Path, stage: str, path: str) -> str:
    [md5] = [
        out["md5"] for out in YAML(typ="safe").load(folder / "dvc.lock")["stages"][stage]["outs"] if out["path"] == path
    ]
    return md5


def test_rebuild_of_what_is_committed_is_identical(clone: Path) -> None:
    same, [rebuilding, result] = compared(clone)
    assert same
    assert result == "identical: 3 stages, 5 files"
    assert not Path(rebuilding.rpartition(" ")[2]).exists()


def test_rebuild_uses_what_is_committed_and_no_cache(clone: Path, tmp_path: Path) -> None:
    (clone / "train.py").write_text("raise SystemExit('not committed')")
    wheel = clone / "data" / "cache" / "wheels" / "a.whl"
    feature = clone / "data" / "cache" / "features" / "b"
    for path in (wheel, feature):
        path.parent.mkdir(parents=True)
        path.write_text("kept")
    into = tmp_path / "rebuilt"
    same, _ = compared(clone, into=into)
    assert same
    assert (into / wheel.relative_to(clone)).read_text() == "kept"
    assert not (into / feature.relative_to(clone)).exists()
    assert (into / ".dvc" / "cache" / "files").is_dir()


def test_rebuild_runs_the_code_that_is_committed(clone: Path) -> None:
    check = "assert os.environ['PYTHONPATH'] == os.path.abspath('src') != os.environ['ELSEWHERE']\n"
    (clone / "train.py").write_text(f"import os\nos.environ['ELSEWHERE'] = {str(clone / 'src')!r}\n{check}{TRAIN}")
    commit(clone)
    same, _ = compared(clone)
    assert same


def test_chance_is_told_where_it_enters_and_where_it_leads(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISE", "0.125")
    same, [_, *lines] = compared(clone)
    assert not same
    assert lines == [
        "train differs (from the same inputs, parameters and code)",
        "  accuracy.json",
        "    svm.accuracy: 0.75 became 0.875",
        "  models",
        "    weights.npy: 1 of 2 values differ, by at most 0.12 (relative 0.062); first at 1: 2.0 became 2.125",
        "show differs (follows from train)",
        "  page.html",
        '    line 1: \'<p>{"svm": {"accuracy": 0.75}}\' became \'<p>{"svm": {"accuracy": 0.875}}\'',
        "2 of 3 stages differ: train, show",
    ]


def test_other_code_and_parameters_are_named(clone: Path, built: Path) -> None:
    (clone / "train.py").write_text(TRAIN.replace('"0"', '"1"'))
    (clone / "params.yaml").write_text("train:\n  epochs: 4\n  rates: [0.1, 0.2]\n")
    run(clone, "dvc", "repro", "--quiet")
    same, [first, *_] = compared(built, rebuilt=clone)
    assert not same
    assert first == "train differs (train.py differs; train.epochs: 3 became 4)"


def test_stages_and_files_of_one_side_only(clone: Path, built: Path) -> None:
    text = (clone / "dvc.yaml").read_text().replace("alone", "other")
    (clone / "dvc.yaml").write_text(text)
    (clone / "dvc.lock").unlink()
    run(clone, "dvc", "repro", "--quiet")
    _, lines = compared(built, rebuilt=clone)
    assert lines == [
        "alone differs (the stage is missing)",
        "  alone.csv",
        "    is missing",
        "other differs (the stage is new)",
        "  other.csv",
        "    is new",
        "2 of 3 stages differ: alone, other",
    ]


def test_files_that_are_not_here_are_told_by_their_hashes(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOISE", "1")
    rebuilt = shutil.copytree(clone, tmp_path / "rebuilt", symlinks=True)
    subprocess.run(["dvc", "repro", "--force"], cwd=rebuilt, env=ENVIRONMENT | {"NOISE": "1"}, check=True)
    shutil.rmtree(clone / ".dvc" / "cache")
    _, lines = compared(clone, rebuilt=rebuilt)
    assert lines[1:3] == ["  accuracy.json", "    svm.accuracy: 0.75 became 1.75"]
    for line, stage, path in ((lines[4], "train", "models"), (lines[7], "show", "page.html")):
        before, after = (hash_of(folder, stage, path) for folder in (clone, rebuilt))
        assert line == (
            f"    {before} became {after}; the committed one is neither in the cache of DVC here nor in a remote"
        )


def test_rebuild_that_fails_says_where(clone: Path) -> None:
    (clone / "train.py").write_text("raise SystemExit('out of luck')")
    commit(clone)
    with pytest.raises(UserError, match=r"rebuild failed at `.* dvc repro --force`"):
        compared(clone)


def test_folder_that_holds_something_is_left_alone(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").touch()
    with pytest.raises(UserError, match="empty or not there yet"):
        compared(clone, into=tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["diary.txt"]


def test_folder_without_a_rebuild_is_named(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no .*dvc\.lock"):
        compared(clone, rebuilt=tmp_path / "nowhere")


def test_project_that_was_never_built_is_named(clone: Path) -> None:
    run(clone, "git", "rm", "--quiet", "dvc.lock")
    run(clone, "git", "commit", "--quiet", "--message", "No lock")
    with pytest.raises(UserError, match=r"Expected a committed dvc\.lock"):
        compared(clone)


def test_command_ends_with_one_where_something_differs(clone: Path) -> None:
    command = [Path(sys.executable).with_name("songgenre"), "reproduce"]
    same = subprocess.run([*command], cwd=clone, env=ENVIRONMENT, capture_output=True, text=True)
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "identical: 3 stages, 5 files")
    other = subprocess.run([*command], cwd=clone, env=ENVIRONMENT | {"NOISE": "1"}, capture_output=True, text=True)
    assert (other.returncode, other.stdout.splitlines()[-1]) == (1, "2 of 3 stages differ: train, show")
