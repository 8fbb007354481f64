"""Fresh clones, in which the pipeline runs as a user runs it."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "GIT_AUTHOR_NAME": "tests",
    "GIT_AUTHOR_EMAIL": "tests@localhost",
    "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@localhost",
    "DVC_NO_ANALYTICS": "true",
    "NO_COLOR": "1",
}
SMALL = {
    "scraping.demo.songs_per_genre": 16,
    "scraping.demo.artists_per_genre": 8,
    "eda.songs_per_genre": 1,
    "sklearn.folds": 2,
    "sklearn.repeats": 1,
    "sklearn.importance_repeats": 1,
    "cnn.epochs": 2,
    "cnn.ablation_epochs": 1,
    "transfer.folds": 2,
    "transfer.repeats": 1,
    "transfer.shrinkage": [0.2],
    "evaluation.bootstrap_samples": 200,
}
"""Parameters of a run that takes a minute."""


class Clone:
    """A clone of the project with an empty DVC cache."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, umask: int = -1, **variables: str) -> str:
        ended = subprocess.run(
            command,
            cwd=self.root,
            env=ENVIRONMENT | variables,
            umask=umask,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}"
        return ended.stdout

    def written(self, *folders: str) -> dict[str, Any]:
        """All that the stages left behind in some folders, by its path, and what DVC notes of it."""
        paths = sorted(path for folder in folders for path in (self.root / folder).rglob("*"))
        sums = {str(path.relative_to(self.root)): sha256(path) for path in paths}
        return sums | {"dvc.lock": YAML(typ="safe").load(self.root / "dvc.lock")}

    def forget(self, stage: str) -> list[str]:
        """Remove what a stage wrote, and what DVC would need to restore it without a run; say what that was."""
        yaml = YAML(typ="safe")
        lock = yaml.load(self.root / "dvc.lock")
        outs = [out["path"] for out in lock["stages"].pop(stage, {"outs": []})["outs"]]
        for path in (self.root / out for out in outs):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        yaml.dump(lock, self.root / "dvc.lock")
        shutil.rmtree(self.root / ".dvc" / "cache" / "runs", ignore_errors=True)
        return outs


def sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


@pytest.fixture(scope="session")
def fresh_clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Clone]:
    """Clone what git tracks or would track, in its present state."""

    def make(name: str = "clone") -> Clone:
        clone = Clone(tmp_path_factory.mktemp(name))
        listed = subprocess.check_output(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
        )
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (clone.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, clone.root / name)
        clone.run("git", "init", "--quiet")
        clone.run("git", "add", "--all")
        clone.run("git", "commit", "--quiet", "--message", "As it is")
        return clone

    return make


@pytest.fixture(scope="session")
def built(fresh_clone: Callable[[], Clone]) -> Clone:
    """A clone after `dvc repro` with the parameters as they are committed, and what it wrote committed too."""
    clone = fresh_clone()
    clone.run("dvc", "repro")
    clone.run("git", "add", "--all")
    clone.run("git", "commit", "--quiet", "--allow-empty", "--message", "Built")
    return clone


@pytest.fixture(scope="session")
def small_clone(fresh_clone: Callable[..., Clone]) -> Callable[..., Clone]:
    """Clone with parameters under which the pipeline takes a minute."""

    def make(name: str = "small") -> Clone:
        clone = fresh_clone(name)
        shrink(clone.root / "params.yaml")
        clone.run("git", "commit", "--quiet", "--all", "--message", "Smaller")
        return clone

    return make


@pytest.fixture(scope="session")
def small(small_clone: Callable[..., Clone]) -> Clone:
    """A small clone after `dvc repro`, and what it wrote committed."""
    clone = small_clone()
    clone.run("dvc", "repro")
    clone.run("git", "commit", "--quiet", "--all", "--message", "Built")
    return clone


def shrink(path: Path) -> None:
    yaml = YAML()
    params = yaml.load(path)
    for name, value in SMALL.items():
        *sections, key = name.split(".")
        section = params
        for part in sections:
            section = section[part]
        section[key] = value
    yaml.dump(params, path)
