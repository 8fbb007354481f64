"""The command line: faults of the system are messages, too; completion, exit codes, colours."""

import os
import pty
import re
import resource
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import nbformat
import psutil
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from typer.main import get_command
from typer.testing import CliRunner, Result

from songgenre.cli import app
from songgenre.errors import UserError
from songgenre.paths import Project
from songgenre.report.site import build

ROOT = Path(__file__).parents[1]
DVC = """
import os, subprocess, sys, time
subprocess.run(sys.argv[2:], env=os.environ | {"DVC_STAGE": sys.argv[1]})
time.sleep(20)
"""
COMMAND_OF_A_STAGE = """
import time
from songgenre.runtime import ending
ending.treat_as_interrupt("SIGTERM")
ending.end_with_dvc()
try:
    print("started", flush=True)
    time.sleep(20)
except KeyboardInterrupt:
    print("ended", flush=True)
"""
UNSET = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "GITHUB_ACTIONS", "COLUMNS")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "notebooks").mkdir()
    notebook = new_notebook(cells=[new_markdown_cell("# A story", id="title")])
    nbformat.write(notebook, tmp_path / "notebooks" / "03_eda.ipynb")
    return Project(tmp_path)


def songgenre(
    *arguments: str, cwd: Path = ROOT, largest_file: int | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command where there is no terminal and nothing to read, and perhaps no file may grow larger than that."""

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    return subprocess.run(
        [Path(sys.executable).with_name("songgenre"), *arguments],
        cwd=cwd,
        env=environment | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )


def called(*arguments: str, **variables: str) -> Result:
    """The same in this process."""
    unset = dict.fromkeys(UNSET)
    return CliRunner().invoke(app, arguments, prog_name="songgenre", env=unset | variables)


@pytest.mark.integration
def test_site_that_cannot_be_written_says_why_and_the_old_one_stays(project: Project) -> None:
    build(project)
    before = {path: path.read_bytes() for path in project.reports.rglob("*") if path.is_file()}
    ended = songgenre("report", "build", cwd=project.root, largest_file=2000, PYTHONDONTWRITEBYTECODE="1")
    assert ended.returncode == 1
    assert "File too large" in ended.stderr
    assert re.search("disk|quota", ended.stderr)
    assert "Traceback" not in ended.stderr
    assert {path: path.read_bytes() for path in project.reports.rglob("*") if path.is_file()} == before
    build(project)


@pytest.mark.integration
def test_defect_of_the_program_keeps_its_traceback(project: Project) -> None:
    project.html.parent.mkdir()
    project.html.symlink_to(project.html)
    ended = songgenre("report", "build", cwd=project.root)
    assert ended.returncode != 0
    assert "Traceback" in ended.stderr


def test_plan_names_an_unknown_model_before_it_measures(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    grids = project.params.read_text("utf-8").replace("    sgd:\n      alpha", "    sdg:\n      alpha")
    project.params.write_text(grids, "utf-8")
    monkeypatch.chdir(project.root)
    result = called("plan", "--songs", "1000")
    assert isinstance(result.exception, UserError)
    assert "sdg" in str(result.exception)


def every_command(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    for name, part in getattr(command, "commands", {}).items():
        yield from every_command(part, *path, name)


COMMANDS = dict(every_command(get_command(app)))
GROUPS = {path: command for path, command in COMMANDS.items() if hasattr(command, "commands")}


def typed(*words: str) -> dict[str, str]:
    """What bash tells a command whose last word is to be completed."""
    line = {"COMP_WORDS": " ".join(["songgenre", *words]), "COMP_CWORD": str(len(words))}
    return line | {"_SONGGENRE_COMPLETE": "complete_bash"}


def completed(*words: str) -> list[str]:
    """What bash is offered for the last word."""
    return called(**typed(*words)).stdout.split()


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_shell_completes_the_commands_of_every_group(path: tuple[str, ...]) -> None:
    assert sorted(completed(*path, "")) == sorted(GROUPS[path].commands)


@pytest.mark.parametrize("path", sorted(set(COMMANDS) - set(GROUPS)), ids=" ".join)
def test_shell_completes_the_options_of_every_command(path: tuple[str, ...]) -> None:
    options = [option for parameter in COMMANDS[path].params for option in parameter.opts if option.startswith("--")]
    assert set(completed(*path, "--")) == {*options, "--help"}


def test_shell_completes_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert completed("predict", "--model", "s") == ["sklearn"]
    assert completed("serve", "--model", "t") == ["transfer"]
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert completed("notebook", "run", "") == names
    assert completed("notebook", "run", "04") == ["04_features"]


@pytest.mark.integration
def test_shell_that_asks_the_installed_command_gets_the_same() -> None:
    for words in (("",), ("notebook", "run", "")):
        ended = songgenre(**typed(*words))
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.split() == completed(*words) != []


def test_what_a_maintainer_commits_is_in_one_group() -> None:
    assert set(GROUPS[("dev",)].commands) == {"cards", "clean-notebooks", "describe-bundled", "results", "train-head"}
    assert {("notebook", "run"), ("pretrained", "download"), ("reproduce",)} < set(COMMANDS)


def test_run_without_dvc_leaves_the_parameters_as_they_are(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    monkeypatch.setitem(sys.modules, "dvc", None)
    before = project.params.read_bytes()
    result = called("run", "--folder", str(tmp_path))
    assert isinstance(result.exception, ModuleNotFoundError)
    assert project.params.read_bytes() == before


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_without_a_terminal(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("typer.rich_utils.FORCE_TERMINAL", None)
    result = called(*path, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert " ".join(["Usage: songgenre", *path]) in result.stdout
    assert "\x1b" not in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("serve", "--port", "99999"), 2, "--port"),
        (("serve", "--host", ""), 2, "--host"),
        (("serve", "--host", "x" * 300), 1, "xxx"),
        (("predict",), 2, "FILE"),
        (("notebook", "run"), 2, "name"),
        (("notebook", "run", "03_eda"), 1, "params.yaml"),
        pytest.param(("serve", "--model", "cnn", "--port", "0"), 1, "params.yaml", marks=pytest.mark.integration),
    ],
    ids=str,
)
def test_misuse_is_told_from_what_went_wrong(
    arguments: tuple[str, ...], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = called(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert isinstance(result.exception, SystemExit if code == 2 else UserError)
    assert message in result.stderr + str(result.exception)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [(("--help",), 0, ""), (("juggle",), 2, "juggle"), (("pretrained", "fetch"), 1, "params.yaml")],
    ids=str,
)
def test_exit_code_tells_misuse_from_what_went_wrong(
    arguments: tuple[str, ...], code: int, message: str, tmp_path: Path
) -> None:
    ended = songgenre(*arguments, cwd=tmp_path)
    assert ended.returncode == code
    assert (ended.stdout == "") == (code != 0)
    assert (ended.stderr == "") == (code == 0)
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr


def on_a_terminal(*arguments: str, cwd: Path, **variables: str) -> str:
    """All that the command writes to a terminal."""
    ours, theirs = pty.openpty()
    command = [str(Path(sys.executable).with_name("songgenre")), *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment | {"TERM": "xterm-256color"} | variables, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):
        while part := terminal.read(4096):
            written += part
    process.wait()
    return written.decode()


@pytest.mark.integration
@pytest.mark.parametrize("arguments", [("--help",), ("juggle",), ("pretrained", "fetch")], ids=str)
def test_colours_are_for_a_terminal_that_wants_them(arguments: tuple[str, ...], tmp_path: Path) -> None:
    colored = re.compile(r"\x1b\[[0-9;]*\b(3[0-7]|9[0-7])m")
    assert colored.search(on_a_terminal(*arguments, cwd=tmp_path))
    assert not colored.search(on_a_terminal(*arguments, cwd=tmp_path, NO_COLOR="1"))


def test_a_copy_of_the_site_is_made_and_asking_for_none_says_what_to_ask_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    build(project)
    ended = called("report", "export", "--to", "copy")
    assert (ended.exit_code, ended.stdout) == (0, f"Wrote {project.root.resolve() / 'copy'}\n")
    copied = {path.name for path in (project.root / "copy").iterdir()}
    assert copied == {path.name for path in project.html.iterdir()} - {"provenance.js"}
    result = called("report", "export")
    assert result.exit_code == 1
    assert isinstance(result.exception, UserError)
    assert re.search(r"--to.*--pdf", str(result.exception))


def test_version_is_that_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert called("--version").stdout == f"songgenre {project['version']}\n"


@pytest.mark.integration
def test_names_in_errors_do_not_control_the_terminal(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("songgenre"), "predict", "a.wav", "--model", "\x1b[31m.songgenre"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 1
    assert "\ufffd[31m.songgenre" in ended.stderr
    assert "\x1b[31m" not in ended.stderr


@pytest.mark.parametrize("stages", [["inner"], ["outer", "inner"]])
def test_command_of_a_stage_ends_with_its_dvc_even_if_that_stays_a_zombie(stages: list[str]) -> None:
    command = [sys.executable, "-c", COMMAND_OF_A_STAGE]
    for stage in reversed(stages):
        command = [sys.executable, "-c", DVC, stage, *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as outermost:
        assert outermost.stdout
        assert outermost.stdout.readline() == "started\n"
        family = [psutil.Process(outermost.pid), *psutil.Process(outermost.pid).children(recursive=True)]
        family[len(stages) - 1].kill()
        assert outermost.stdout.readline() == "ended\n"
        outermost.kill()
