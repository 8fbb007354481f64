"""The command line: faults of the system are messages, too; completion, exit codes, colours."""

import os
import pty
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from typer.main import get_command

from songgenre.cli import app
from songgenre.paths import Project

ROOT = Path(__file__).parents[1]
SONGGENRE = [sys.executable, "-c", "from songgenre.cli import main; main()"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "notebooks").mkdir()
    notebook = new_notebook(cells=[new_markdown_cell("# A story", id="title")])
    nbformat.write(notebook, tmp_path / "notebooks" / "03_eda.ipynb")
    return Project(tmp_path)


def build(project: Project, largest_file: int | None = None) -> "subprocess.CompletedProcess[str]":
    """Build the site; no file may grow larger than so many bytes, as on a full disk."""

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    environment = os.environ | {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*SONGGENRE, "report", "build"]
    return subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, preexec_fn=limit, check=False
    )


def test_site_that_cannot_be_written_says_why_and_the_old_one_stays(project: Project) -> None:
    assert build(project).returncode == 0
    before = {path: path.read_bytes() for path in project.reports.rglob("*") if path.is_file()}
    ended = build(project, largest_file=2000)
    assert ended.returncode == 1
    assert "File too large" in ended.stderr
    assert "free some space, or raise the quota" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert {path: path.read_bytes() for path in project.reports.rglob("*") if path.is_file()} == before
    assert build(project).returncode == 0


def test_defect_of_the_program_keeps_its_traceback(project: Project) -> None:
    project.html.parent.mkdir()
    project.html.symlink_to(project.html)
    ended = build(project)
    assert ended.returncode != 0
    assert "Traceback" in ended.stderr


def every_command(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    for name, part in getattr(command, "commands", {}).items():
        yield from every_command(part, *path, name)


COMMANDS = dict(every_command(get_command(app)))
GROUPS = {path: command for path, command in COMMANDS.items() if hasattr(command, "commands")}


def songgenre(*arguments: str, cwd: Path = ROOT, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the command where there is no terminal and nothing to read."""
    unset = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [Path(sys.executable).with_name("songgenre"), *arguments],
        cwd=cwd,
        env=environment | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def completed(*words: str) -> list[str]:
    """What bash is offered for the last word."""
    line = {"COMP_WORDS": " ".join(["songgenre", *words]), "COMP_CWORD": str(len(words))}
    return songgenre(_SONGGENRE_COMPLETE="complete_bash", **line).stdout.split()


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_shell_completes_the_commands_of_every_group(path: tuple[str, ...]) -> None:
    assert sorted(completed(*path, "")) == sorted(GROUPS[path].commands)


@pytest.mark.parametrize("path", sorted(set(COMMANDS) - set(GROUPS)), ids=" ".join)
def test_shell_completes_the_options_of_every_command(path: tuple[str, ...]) -> None:
    options = [option for parameter in COMMANDS[path].params for option in parameter.opts if option.startswith("--")]
    assert set(completed(*path, "--")) == {*options, "--help"}


def test_shell_completes_values() -> None:
    assert completed("predict", "--model", "s") == ["sklearn"]
    assert completed("serve", "--model", "t") == ["transfer"]
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert completed("notebook", "run", "") == names
    assert completed("notebook", "run", "04") == ["04_features"]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_without_a_terminal(path: tuple[str, ...], tmp_path: Path) -> None:
    ended = songgenre(*path, "--help", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert " ".join(["Usage: songgenre", *path]) in ended.stdout
    assert "\x1b" not in ended.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("juggle",), 2, "juggle"),
        (("serve", "--port", "99999"), 2, "--port"),
        (("predict",), 2, "Missing argument"),
        (("notebook", "run"), 2, "Missing argument"),
        (("pretrained", "fetch"), 1, "inside the project"),
        (("notebook", "run", "03_eda"), 1, "inside the project"),
        (("serve", "--model", "cnn", "--port", "0"), 1, "inside the project"),
    ],
    ids=str,
)
def test_exit_code_tells_misuse_from_what_went_wrong(
    arguments: tuple[str, ...], code: int, message: str, tmp_path: Path
) -> None:
    ended = songgenre(*arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "\x1b" not in ended.stderr


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


@pytest.mark.parametrize("arguments", [("--help",), ("juggle",), ("pretrained", "fetch")], ids=str)
def test_colours_are_for_a_terminal_that_wants_them(arguments: tuple[str, ...], tmp_path: Path) -> None:
    coloured = re.compile(r"\x1b\[[0-9;]*\b(3[0-7]|9[0-7])m")
    assert coloured.search(on_a_terminal(*arguments, cwd=tmp_path))
    assert not coloured.search(on_a_terminal(*arguments, cwd=tmp_path, NO_COLOR="1"))


def test_a_copy_of_the_site_is_made_and_asking_for_none_says_what_to_ask_for(project: Project) -> None:
    def export(*options: str) -> "subprocess.CompletedProcess[str]":
        command = [*SONGGENRE, "report", "export", *options]
        return subprocess.run(
            command, cwd=project.root, env=os.environ | {"NO_COLOR": "1"}, capture_output=True, text=True, check=False
        )

    assert build(project).returncode == 0
    assert export("--to", "copy").returncode == 0
    assert {path.name for path in (project.root / "copy").iterdir()} == {path.name for path in project.html.iterdir()}
    ended = export()
    assert ended.returncode == 1
    assert "--to FILE.zip or --pdf FILE" in ended.stderr
    assert "Traceback" not in ended.stderr
