import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rich.console import Console
from ruamel.yaml import YAML

from songgenre.errors import HINT_MEMORY, UserError
from songgenre.notebook import runner
from songgenre.notebook.parameters import parameters_cell
from songgenre.paths import Project
from songgenre.report.notebook_page import Navigation, render_notebook

ROOT = Path(__file__).parents[2]
PARAMETERS = 'compared_genres = ["hip-hop", "classical"]\nsongs_per_genre = 3'

Write = Callable[..., None]

OUT_OF_MEMORY = {
    "limited": "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); bytes(2**31)",
    "array": "import numpy; numpy.ones(2**50)",
    "worker": (
        "import os, signal; from songgenre.compute import parallel_map\n"
        "def end(_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "list(parallel_map(end, [1, 2], 'ending'))"
    ),
}

LEAK = """
import os
from songgenre.progress import echo
echo(f"opening s3://bucket with {os.environ['AWS_SECRET_ACCESS_KEY']}")
print("https://anna:pa55w0rd@host/song.mp3?a=1&X-Amz-Signature=0a1b2c3d", os.environ["AWS_SECRET_ACCESS_KEY"])
import pandas as pd
pd.DataFrame({"url": ["ftp://anna:pa55w0rd@host?token=0a1b2c3d"]})
"""
SECRET = "wJalrXUtnFEMI/K7MDENG"
SECRETS = (SECRET, "pa55w0rd", "0a1b2c3d")

ALLOCATE = """
import os, sys, time, numpy
a = numpy.ones(2**25)
end = time.monotonic() + 120
while not os.path.exists(sys.argv[1]) and time.monotonic() < end:
    time.sleep(0.05)
"""
"""Take 256 MiB until a file is there."""


def new_project(folder: Path) -> Project:
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "notebooks").mkdir()
    return Project(folder)


def write_notebook(project: Project, *code: str, parameters: str = PARAMETERS) -> None:
    """Write ``03_eda`` with some code cells."""
    declared = new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]})
    cells = [new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(code)]
    notebook = new_notebook(cells=[new_markdown_cell("# 03 A story", id="title"), declared, *cells])
    nbformat.write(notebook, project.notebooks / "03_eda.ipynb")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path)


@pytest.fixture
def write(project: Project) -> Write:
    return partial(write_notebook, project)


def run(project: Project) -> str:
    terminal = io.StringIO()
    runner.run(project, "03_eda", Console(file=terminal, width=200))
    return terminal.getvalue()


def outputs(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [output.text for cell in cells for output in cell.get("outputs", []) if output.output_type == "stream"]


def written(project: Project) -> str:
    """All that a run left in the reports."""
    return "\n".join(path.read_text("utf-8") for path in project.reports.rglob("*") if path.is_file())


class Run(NamedTuple):
    terminal: str
    seconds: float
    outputs: list[str]
    log: dict[str, float]
    notebook: bytes


class Good(NamedTuple):
    """A project whose notebook has run twice, with one thread outside and with four."""

    project: Project
    runs: list[Run]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Good:
    project = new_project(tmp_path_factory.mktemp("good"))
    project.params.write_text(project.params.read_text().replace("songs_per_genre: 3", "songs_per_genre: 5"))
    project.failed("03_eda").parent.mkdir(parents=True)
    project.failed("03_eda").touch()
    seen = tmp_path_factory.mktemp("seen") / "large process"
    write_notebook(
        project,
        "print(songs_per_genre, compared_genres)",
        "from songgenre.progress import progress_bar\nprint(sum(progress_bar(range(4), 'counting', total=4)))",
        "import matplotlib.pyplot as plt; plt.plot([1, 2])",
        "object()",
        "print(hash('a'))",
        "import hashlib, numpy as np; X = np.random.default_rng(0).random((2000, 2000), dtype=np.float32)",
        "print(hashlib.sha256(X @ X[:, :90]).hexdigest(), hashlib.sha256(X @ X[0]).hexdigest())",
        f"import subprocess, sys; _ = subprocess.run([sys.executable, '-c', {ALLOCATE!r}, {str(seen)!r}], check=True)",
        LEAK,
    )
    anonymous = runner._anonymous_memory

    def watched(process: psutil.Process) -> int:
        if (size := anonymous(process)) > 2**28:
            seen.touch()
        return size

    runs = []
    for threads in ("1", "4"):
        with pytest.MonkeyPatch.context() as patch:
            for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
                patch.setenv(name, threads)
            patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
            patch.setattr(runner, "_anonymous_memory", watched)
            seen.unlink(missing_ok=True)
            started = time.perf_counter()
            terminal = run(project)
            seconds = time.perf_counter() - started
        executed = project.executed("03_eda")
        log = json.loads(project.log("03_eda").read_text())
        runs.append(Run(terminal, seconds, outputs(executed), log, executed.read_bytes()))
    return Good(project, runs)


@pytest.fixture(scope="module")
def failed_command(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, "subprocess.CompletedProcess[str]"]:
    """A project, and the command that has run its notebook, which fails."""
    project = new_project(tmp_path_factory.mktemp("failed"))
    write_notebook(project, LEAK, "raise OSError(f'403 [rock] with {os.environ[\"AWS_SECRET_ACCESS_KEY\"]}')")
    command = [Path(sys.executable).with_name("songgenre"), "notebook", "run", "03_eda"]
    environment = os.environ | {"NO_COLOR": "1", "AWS_SECRET_ACCESS_KEY": SECRET}
    return project, subprocess.run(command, cwd=project.root, capture_output=True, text=True, env=environment)


@pytest.mark.integration
def test_runs_with_the_section_of_params_yaml(good: Good) -> None:
    assert good.runs[0].outputs[0] == "5 ['hip-hop', 'classical']\n"
    assert "A story" in good.runs[0].notebook.decode()


@pytest.mark.integration
def test_progress_goes_to_the_terminal_and_not_into_the_notebook(good: Good) -> None:

    assert "counting: 4/4" in good.runs[0].terminal
    assert good.runs[0].outputs[1] == "6\n"


@pytest.mark.integration
def test_two_runs_give_the_same_bytes(good: Good) -> None:
    first, second = good.runs
    assert second.notebook == first.notebook


@pytest.mark.integration
def test_number_of_threads_outside_changes_no_sum(good: Good) -> None:
    first, second = good.runs
    assert len(first.outputs[3].split()) == 2
    assert second.outputs[3] == first.outputs[3]


@pytest.mark.integration
def test_logs_seconds_and_memory_of_the_kernel_and_its_workers(good: Good) -> None:
    for one in good.runs:
        assert 0 < one.log["seconds"] <= one.seconds + 0.1
        assert 256 < one.log["peak_anonymous_mib"] < 1024
        assert f"{one.log['peak_anonymous_mib']} MiB" in one.terminal


@pytest.mark.integration
def test_failing_cell_is_one_clear_message_and_leaves_the_last_good_run(good: Good, tmp_path: Path) -> None:
    project = Project(shutil.copytree(good.project.root, tmp_path / "project"))
    write_notebook(project, "print('before')", "1 / 0", "print('after')")
    with pytest.raises(UserError, match=r"03_eda.*\b4\b.*ZeroDivisionError: division by zero") as error:
        run(project)
    assert str(project.failed("03_eda")) in str(error.value)
    assert outputs(project.failed("03_eda")) == ["before\n"]
    assert project.executed("03_eda").read_bytes() == good.runs[1].notebook


@pytest.mark.integration
def test_good_run_removes_what_a_failed_one_has_left(good: Good) -> None:
    assert not good.project.failed("03_eda").exists()


@pytest.mark.integration
def test_kernel_that_dies_is_said(project: Project, write: Write) -> None:
    write("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(UserError, match=r"kernel.*03_eda") as error:
        run(project)
    assert HINT_MEMORY in str(error.value)
    assert str(project.failed("03_eda")) in str(error.value)
    assert project.failed("03_eda").exists()
    assert not project.executed("03_eda").exists()
    assert [path.name for path in project.notebooks.iterdir()] == ["03_eda.ipynb"]


@pytest.mark.integration
@pytest.mark.parametrize("code", OUT_OF_MEMORY.values(), ids=OUT_OF_MEMORY)
def test_want_of_memory_is_said_with_what_to_do(project: Project, write: Write, code: str) -> None:
    write(code)
    with pytest.raises(UserError, match=r"03_eda.*\b3\b") as error:
        run(project)
    assert HINT_MEMORY in str(error.value)
    assert str(project.failed("03_eda")) in str(error.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (PARAMETERS + "\nextra = 1", "compared_genres, extra, songs_per_genre"),
        (PARAMETERS.replace("3", "len('abc')"), "literal"),
    ],
)
def test_parameters_cell_that_does_not_fit_is_an_error_before_anything_runs(
    project: Project, write: Write, parameters: str, message: str
) -> None:
    write("open('ran', 'w')", parameters=parameters)
    with pytest.raises(UserError, match=message) as error:
        run(project)
    assert str(project.notebooks / "03_eda.ipynb") in str(error.value)
    assert not (project.notebooks / "ran").exists()


def test_mistyped_parameter_is_an_error_before_anything_runs(project: Project, write: Write) -> None:
    write("open('ran', 'w')")
    project.params.write_text(project.params.read_text().replace("songs_per_genre: 3", "songs_per_genre: three"))
    with pytest.raises(UserError, match=r"eda\.songs_per_genre.*three"):
        run(project)
    assert not (project.notebooks / "ran").exists()


def test_unknown_notebook_names_those_that_exist(project: Project, write: Write) -> None:
    write()
    with pytest.raises(UserError, match=r"09_dreams.*03_eda"):
        runner.run(project, "09_dreams", Console(file=io.StringIO()))


@pytest.mark.integration
def test_command_line_ends_with_a_message_and_code_1(
    failed_command: tuple[Project, "subprocess.CompletedProcess[str]"],
) -> None:
    _, ended = failed_command
    assert ended.returncode == 1
    assert re.search(r"03_eda.*\b4\b.*OSError: 403 \[rock\]", ended.stderr)
    assert "Traceback" not in ended.stderr


HOSTILE = [
    '"); open("ran", "w") #',
    "'); open('ran', 'w') #",
    r'\"); open("ran", "w") #',
    r'\\"; open("ran", "w") #',
    '"\nopen("ran", "w")\n"',
    '"""\nopen("ran", "w")\n"""',
    "\r\nopen('ran', 'w')\u2028open('ran', 'w')\x0c",
    "{open('ran', 'w')}",
    "%cd ..\n!touch ran",
    "$(touch ran)`touch ran`",
    "\\N{QUOTATION MARK}); open('ran', 'w') #",
]


@pytest.mark.integration
def test_parameters_are_values_and_never_code(project: Project, write: Write) -> None:
    real = parameters_cell(ROOT / "notebooks" / "01_scraping.ipynb")
    declared = "\n".join(f"{name} = {value!r}" for name, value in real.items())
    write("import json", "print(json.dumps([folder, site['listing_urls']]))", parameters=declared)
    (project.notebooks / "03_eda.ipynb").rename(project.notebooks / "01_scraping.ipynb")
    content = YAML(typ="safe", pure=True).load(project.params)
    listings = {text: [f"https://localhost/{text}" for text in HOSTILE] for text in HOSTILE}
    content["scraping"] |= {"folder": "".join(HOSTILE)}
    content["scraping"]["site"]["listing_urls"] = listings
    project.params.write_text(json.dumps(content))
    runner.run(project, "01_scraping", Console(file=io.StringIO()))
    [said] = outputs(project.executed("01_scraping"))
    assert json.loads(said) == ["".join(HOSTILE), listings]
    assert [path.name for path in project.root.rglob("ran")] == []
    soup = BeautifulSoup(render_notebook(project.executed("01_scraping"), Navigation(["01_scraping"])), "html.parser")
    assert "open(" in soup.get_text()


def test_unknown_parameter_is_an_error_before_anything_runs(project: Project, write: Write) -> None:
    write("open('ran', 'w')")
    text = project.params.read_text().replace("eda:\n", "eda:\n  __import__: os\n")
    project.params.write_text(text)
    with pytest.raises(UserError, match=r"eda\.__import__"):
        run(project)
    assert not (project.notebooks / "ran").exists()


def test_grid_of_another_stage_is_checked_before_anything_runs(project: Project, write: Write) -> None:
    write("open('ran', 'w')")
    project.params.write_text(project.params.read_text().replace("      gamma: [", "      gama: ["))
    with pytest.raises(UserError, match=r"sklearn\.grids.*gama"):
        run(project)
    assert not (project.notebooks / "ran").exists()


@pytest.mark.integration
def test_secrets_are_in_no_notebook_log_or_message(good: Good) -> None:
    said = "".join(one.terminal for one in good.runs)
    assert "opening s3://bucket with ***" in said
    assert "https://***@host/song.mp3" in written(good.project)
    assert [secret for secret in SECRETS if secret in written(good.project) + said] == []


@pytest.mark.integration
def test_secrets_are_in_nothing_that_a_failed_run_leaves(
    failed_command: tuple[Project, "subprocess.CompletedProcess[str]"],
) -> None:
    project, ended = failed_command
    assert "opening s3://bucket with ***" in ended.stderr
    assert "https://***@host/song.mp3" in written(project)
    assert "OSError: 403 [rock] with ***" in ended.stderr
    assert [secret for secret in SECRETS if secret in written(project) + ended.stdout + ended.stderr] == []


@pytest.mark.integration
def test_killed_runner_leaves_no_connection_file_in_the_home_folder(
    project: Project, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    write("import os; print(os.listdir(os.environ['JUPYTER_RUNTIME_DIR']))")
    run(project)
    assert outputs(project.executed("03_eda")) == ["[]\n"]
