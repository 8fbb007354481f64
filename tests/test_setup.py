"""One lock answers for uv, plain pip and conda."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from songgenre.cli import app
from songgenre.models.pretrained.archive import Archive, save_archive
from songgenre.models.pretrained.head import load_head

if TYPE_CHECKING:
    from conftest import Clone

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
PINS = re.findall(
    r"^([a-z0-9][^ ;\\\n]*==[^\\\n]*?) \\\n((?:    --hash=.*\n)+)", (ROOT / "requirements.lock").read_text(), re.M
)


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in chain(project["dependencies"], *project["optional-dependencies"].values())]


def test_every_line_of_the_lock_is_pinned_with_a_hash_and_names_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(lines) == len(PINS) > 100
    assert not re.search(r"https?://|--index-url|--find-links", text)


def test_lock_answers_pyproject_on_every_python() -> None:
    pins = [Requirement(line) for line, _ in PINS]
    for python in PYTHONS:
        environment = default_environment() | {"python_version": python, "python_full_version": f"{python}.9"}
        locked = {
            canonicalize_name(pin.name): next(iter(pin.specifier)).version
            for pin in pins
            if pin.marker is None or pin.marker.evaluate(environment)
        }
        for requirement in wanted():
            version = locked[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"{requirement} on Python {python}, locked at {version}"


@pytest.mark.slow
def test_environment_yml_installs_with_plain_pip(tmp_path: Path) -> None:
    environment = YAML(typ="safe").load(ROOT / "environment.yml")
    conda, [pip] = environment["dependencies"][:-1], environment["dependencies"][-1].values()
    assert [name.partition("=")[0] for name in conda] == ["python", "pip"]
    [second] = re.findall(r"pip (install .*)", (ROOT / "environment.yml").read_text())
    (tmp_path / "requirements.txt").write_text("\n".join(pip).replace("-r ", f"-r {ROOT}/") + "\n")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", tmp_path / "requirements.txt"], check=True)
    subprocess.run([python, "-m", "pip", *second.split(), "--quiet"], cwd=ROOT, check=True)
    imports = "import songgenre.cli, songgenre.features.extract, songgenre.models.classical"
    subprocess.run([python, "-c", imports], cwd=tmp_path, check=True)


@pytest.mark.slow
def test_wheel_alone_predicts_and_names_the_extras_of_the_pipeline(
    tmp_path: Path, write_audio: Callable[..., Path], melody: Callable[..., np.ndarray]
) -> None:
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "build", "--wheel", "--out-dir", tmp_path, ROOT], check=True)
    [wheel] = tmp_path.glob("*.whl")
    subprocess.run([*uv, "venv", tmp_path / "env"], check=True)
    python, songgenre = (tmp_path / "env" / "bin" / name for name in ("python", "songgenre"))
    pins = ["--constraint", ROOT / "requirements.lock"]
    subprocess.run([*uv, "pip", "install", "--python", python, *pins, "--no-verify-hashes", wheel], check=True)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    cache = tmp_path / ".cache" / "songgenre" / "wheels"
    cache.mkdir(parents=True)
    for wheel in (ROOT / "data" / "cache" / "wheels").glob("musicnn-*.whl"):
        shutil.copy(wheel, cache)

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)

    songs = [write_audio(tmp_path / f"{number}.wav", melody(number, 4)) for number in (1, 2)]
    predicted = run(songgenre, "predict", "--json", *songs)
    assert predicted.returncode == 0, predicted.stderr
    assert [json.loads(line)["file"] for line in predicted.stdout.splitlines()] == list(map(str, songs))
    save_archive(Archive("mine", load_head(), ""), tmp_path / "mine.songgenre")
    with_file = run(songgenre, "predict", "--json", "--model", "mine.songgenre", songs[0])
    assert json.loads(with_file.stdout) == json.loads(predicted.stdout.splitlines()[0]) | {"model": "mine"}
    assert run(python, "-c", "import tensorflow").returncode == 1
    refused = run(songgenre, "demo", "serve")
    assert refused.returncode == 1
    assert "[pipeline,scrape,demo,cluster]" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.integration
def test_make_clean_keeps_what_git_tracks_and_the_wheel(fresh_clone: "Callable[..., Clone]") -> None:
    clone = fresh_clone()
    kept = "data/cache/wheels/any.whl"
    written = ["data/cache/features/any", "models/cnn/any", "reports/html/any", "scratch/06_cnn/models/cnn/any"]
    for path in [kept, *written]:
        (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / path).touch()
    clone.run("make", "clean")
    assert clone.run("git", "status", "--porcelain") == ""
    assert (clone.root / kept).exists()
    assert not any((clone.root / path).exists() for path in written)


@pytest.mark.integration
@pytest.mark.parametrize("altered", [False, True])
def test_package_whose_hash_is_another_is_refused(tmp_path: Path, altered: bool) -> None:
    [(pin, hashes)] = [(pin, hashes) for pin, hashes in PINS if pin.startswith("cfgv==")]
    if altered:
        hashes = re.sub("(?<=sha256:)[0-9a-f]{8}", "0" * 8, hashes)
    (tmp_path / "one.lock").write_text(f"{pin} \\\n{hashes}".rstrip(" \\\n"))
    options = ["--quiet", "--no-cache", "--require-hashes", "--target", tmp_path / "installed"]
    command = [sys.executable, "-m", "uv", "pip", "install", *options, "-r", tmp_path / "one.lock"]
    ended = subprocess.run(command, text=True, capture_output=True)
    assert ("Hash mismatch" in ended.stderr) == altered
    assert (tmp_path / "installed" / "cfgv.py").exists() == (not altered)


def test_continuous_integration_runs_what_is_there() -> None:
    workflow = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "ci.yml")
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert commands[:3] == ["bash .ci/run", "make setup", ".venv/bin/songgenre reproduce"]
    assert (ROOT / ".ci" / "run").is_file()
    targets = re.findall(r"^make ([\w-]+)$", "\n".join([*commands, (ROOT / ".ci" / "run").read_text()]), re.M)
    assert set(targets) <= set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    name = workflow["jobs"]["reproduce"]["steps"][-1]["run"].split()[-1]
    assert name in {command.name or command.callback.__name__ for command in app.registered_commands}
    for python in workflow["jobs"]["test"]["strategy"]["matrix"]["python"]:
        assert python in PYTHONS
