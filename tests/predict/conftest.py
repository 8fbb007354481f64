"""A place outside the project, where the command finds the weights of the networks as after `make setup`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from songgenre.errors import UserError
from songgenre.models import musicnn_weights

ROOT = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def user_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's cache, with the published wheel and nothing else at first."""
    cache = tmp_path_factory.mktemp("cache")
    wheels = cache / "songgenre" / "wheels"
    wheels.mkdir(parents=True)
    with suppress(FileNotFoundError):
        shutil.copy2(ROOT / "data" / "cache" / "wheels" / musicnn_weights.MUSICNN.file, wheels)
    try:
        musicnn_weights.download_wheel(wheels)
    except UserError as error:
        pytest.skip(f"No published weights: {error}")
    return cache


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run the command in a process of its own."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def start(*arguments: str, cwd: Path = elsewhere, stdin: bytes = b"", **variables: str) -> Command:
        environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        ended = subprocess.run(
            [Path(sys.executable).with_name("songgenre"), *arguments],
            cwd=cwd,
            input=stdin,
            env=environment | variables,
            capture_output=True,
        )
        return subprocess.CompletedProcess(
            ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode(errors="replace")
        )

    return start


@pytest.fixture(scope="session")
def predict(run: Command, user_cache: Path) -> Command:
    """Run `songgenre predict` outside the project."""

    def start(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return run("predict", *arguments, **{"XDG_CACHE_HOME": str(user_cache)} | options)

    return start
