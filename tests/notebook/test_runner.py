import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rich.console import Console
from ruamel.yaml import YAML

from songgenre.errors import UserError
from songgenre.notebook import runner
from songgenre.paths import Project

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


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "notebooks").mkdir()
    return Project(tmp_path)


@pytest.fixture
def write(project: Project) -> Write:
    """Write ``03_eda`` with some code cells."""

    def write(*code: str, parameters: str = PARAMETERS) -> None:
        declared = new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]})
        cells = [new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(code)]
        notebook = new_notebook(cells=[new_markdown_cell("# 03 A story", id="title"), declared, *cells])
        nbformat.write(notebook, project.notebooks / "03_eda.ipynb")

    return write


def run(project: Project) -> str:
    terminal = io.StringIO()
    runner.run(project, "03_eda", Console(file=terminal, width=200))
    return terminal.getvalue()


def outputs(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [output.text for cell in cells for output in cell.get("outputs", []) if output.output_type == "stream"]


def test_runs_with_the_section_of_params_yaml(project: Project, write: Write) -> None:
    write("print(songs_per_genre, compared_genres)")
    text = project.params.read_text().replace("songs_per_genre: 3", "songs_per_genre: 5")
    project.params.write_text(text)
    run(project)
    assert outputs(project.executed("03_eda")) == ["5 ['hip-hop', 'classical']\n"]
    assert "A story" in (project.html / "03_eda.html").read_text()


def test_progress_goes_to_the_terminal_and_not_into_the_notebook(project: Project, write: Write) -> None:
    write("from songgenre.progress import track", "print(sum(track(range(4), 'counting', total=4)))")
    terminal = run(project)
    assert "counting: 0/4" in terminal
    assert "counting: 4/4" in terminal
    assert outputs(project.executed("03_eda")) == ["6\n"]


def test_two_runs_give_the_same_bytes(project: Project, write: Write) -> None:
    write("import matplotlib.pyplot as plt; plt.plot([1, 2])", "object()", "print(hash('a'))")
    run(project)
    before = project.executed("03_eda").read_bytes(), (project.html / "03_eda.html").read_bytes()
    run(project)
    assert (project.executed("03_eda").read_bytes(), (project.html / "03_eda.html").read_bytes()) == before


def test_number_of_threads_outside_changes_no_sum(
    project: Project, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        "import hashlib, numpy as np; X = np.random.default_rng(0).random((2000, 2000), dtype=np.float32)",
        "print(hashlib.sha256(X @ X[:, :90]).hexdigest(), hashlib.sha256(X @ X[0]).hexdigest())",
    )
    sums = []
    for threads in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", threads)
        run(project)
        sums += outputs(project.executed("03_eda"))
    assert sums[0] == sums[1]


def test_logs_seconds_and_memory_of_the_kernel_and_its_workers(project: Project, write: Write) -> None:
    allocate = "import time, numpy; a = numpy.ones(2**25); time.sleep(1)"
    write(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {allocate!r}], check=True)")
    terminal = run(project)
    log = json.loads(project.log("03_eda").read_text())
    assert log["seconds"] > 1
    assert 256 < log["peak_anonymous_mib"] < 1024
    assert f"at most {log['peak_anonymous_mib']} MiB" in terminal


def test_failing_cell_is_one_clear_message_and_leaves_the_last_good_run(project: Project, write: Write) -> None:
    write("print('good')")
    run(project)
    good = project.executed("03_eda").read_bytes()
    write("print('before')", "1 / 0", "print('after')")
    with pytest.raises(
        UserError, match=r"03_eda failed in code cell 4 with ZeroDivisionError: division by zero"
    ) as error:
        run(project)
    assert str(project.failed("03_eda")) in str(error.value)
    assert outputs(project.failed("03_eda")) == ["before\n"]
    assert project.executed("03_eda").read_bytes() == good
    write("print('mended')")
    run(project)
    assert not project.failed("03_eda").exists()


def test_kernel_that_dies_is_said(project: Project, write: Write) -> None:
    write("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(UserError, match=r"(?s)kernel of 03_eda, .* died.*want of memory.*is kept in"):
        run(project)
    assert project.failed("03_eda").exists()
    assert not project.executed("03_eda").exists()


@pytest.mark.parametrize("code", OUT_OF_MEMORY.values(), ids=OUT_OF_MEMORY)
def test_want_of_memory_is_said_with_what_to_do(project: Project, write: Write, code: str) -> None:
    write(code)
    with pytest.raises(UserError, match=r"(?s)03_eda failed in code cell 3 .*close other programs.*is kept in"):
        run(project)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (PARAMETERS + "\nextra = 1", "declares compared_genres, extra, songs_per_genre"),
        (PARAMETERS.replace("3", "len('abc')"), "Expected only `name = literal`"),
    ],
)
def test_parameters_cell_that_does_not_fit_is_an_error_before_anything_runs(
    project: Project, write: Write, parameters: str, message: str
) -> None:
    write("open('ran', 'w')", parameters=parameters)
    with pytest.raises(UserError, match=message):
        run(project)
    assert not (project.notebooks / "ran").exists()


def test_mistyped_parameter_is_an_error_before_anything_runs(project: Project, write: Write) -> None:
    write("open('ran', 'w')")
    project.params.write_text(project.params.read_text().replace("songs_per_genre: 3", "songs_per_genre: three"))
    with pytest.raises(UserError, match=r"eda\.songs_per_genre: .* got 'three'"):
        run(project)
    assert not (project.notebooks / "ran").exists()


def test_unknown_notebook_names_those_that_exist(project: Project, write: Write) -> None:
    write()
    with pytest.raises(UserError, match=r"\(03_eda\), got '09_dreams'"):
        runner.run(project, "09_dreams", Console(file=io.StringIO()))


def test_command_line_ends_with_a_message_and_code_1(project: Project, write: Write) -> None:
    write("raise ValueError('no [rock] songs')")
    command = [sys.executable, "-c", "from songgenre.cli import main; main()", "notebook", "run", "03_eda"]
    ended = subprocess.run(
        command, cwd=project.root, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"}
    )
    assert ended.returncode == 1
    assert "Error: 03_eda failed in code cell 3 with ValueError: no [rock] songs" in ended.stderr
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


def test_parameters_are_values_and_never_code(project: Project, write: Write) -> None:
    real = runner.parameters_cell(ROOT / "notebooks" / "01_scraping.ipynb")
    declared = "\n".join(f"{name} = {value!r}" for name, value in real.items())
    write("import json", "print(json.dumps([folder, site['listings']]))", parameters=declared)
    (project.notebooks / "03_eda.ipynb").rename(project.notebooks / "01_scraping.ipynb")
    content = YAML(typ="safe", pure=True).load(project.params)
    listings = {text: [f"https://localhost/{text}" for text in HOSTILE] for text in HOSTILE}
    content["scraping"] |= {"folder": "".join(HOSTILE)}
    content["scraping"]["site"]["listings"] = listings
    project.params.write_text(json.dumps(content))
    runner.run(project, "01_scraping", Console(file=io.StringIO()))
    [said] = outputs(project.executed("01_scraping"))
    assert json.loads(said) == ["".join(HOSTILE), listings]
    assert [path.name for path in project.root.rglob("ran")] == []
    soup = BeautifulSoup((project.html / "01_scraping.html").read_text("utf-8"), "html.parser")
    assert "open(" in soup.get_text()


def test_unknown_parameter_is_an_error_before_anything_runs(project: Project, write: Write) -> None:
    write("open('ran', 'w')")
    text = project.params.read_text().replace("eda:\n", "eda:\n  __import__: os\n")
    project.params.write_text(text)
    with pytest.raises(UserError, match=r"eda\.__import__: Extra inputs are not permitted"):
        run(project)
    assert not (project.notebooks / "ran").exists()


def written(project: Project) -> str:
    """All that a run left in the reports."""
    return "\n".join(path.read_text("utf-8") for path in project.reports.rglob("*") if path.is_file())


SECRET = "wJalrXUtnFEMI/K7MDENG"
LEAK = """
import os
from songgenre.progress import say
say(f"opening s3://bucket with {os.environ['AWS_SECRET_ACCESS_KEY']}")
print("https://anna:pa55w0rd@host/song.mp3?a=1&X-Amz-Signature=0a1b2c3d", os.environ["AWS_SECRET_ACCESS_KEY"])
import pandas as pd
pd.DataFrame({"url": ["ftp://anna:pa55w0rd@host?token=0a1b2c3d"]})
"""


@pytest.mark.parametrize("fails", [False, True])
def test_secrets_are_in_no_notebook_page_log_or_message(
    project: Project, write: Write, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    write(LEAK, *(["raise OSError(f'403 with {os.environ[\"AWS_SECRET_ACCESS_KEY\"]}')"] if fails else []))
    command = [sys.executable, "-c", "from songgenre.cli import main; main()", "notebook", "run", "03_eda"]
    ended = subprocess.run(command, cwd=project.root, capture_output=True, text=True)
    assert ended.returncode == fails
    everything = written(project) + ended.stdout + ended.stderr
    assert "opening s3://bucket with ***" in ended.stderr
    assert "https://***@host/song.mp3" in written(project)
    assert ("OSError: 403 with ***" in ended.stderr) == fails
    assert [secret for secret in (SECRET, "pa55w0rd", "0a1b2c3d") if secret in everything] == []
