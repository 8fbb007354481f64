import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from songgenre import code_version
from songgenre.features.extract import extract
from songgenre.models.cnn import train
from songgenre.models.embeddings import embed
from songgenre.plots.excerpts import encode_excerpt

FUNCTIONS = [extract, embed, encode_excerpt, train]


def loaded(module: str) -> set[Path]:
    """The files of this package that Python loads when it imports a module."""
    script = (
        f"import sys, {module}\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('songgenre.')), sep='\\n')"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {Path(file) for file in ended.stdout.splitlines()}


@pytest.mark.integration
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_module_that_python_loads_counts_but_for_those_named(function: object) -> None:
    module = function.__module__
    counted = set(code_version.source_files(module))
    left_out = {path.relative_to(code_version.PACKAGE).with_suffix("") for path in loaded(module) - counted}
    named = {path.as_posix() for path in left_out if path.name != "__init__"}
    assert named <= code_version.WITHOUT_INFLUENCE | {"features/clip", "runtime/instruction_level"}
    assert Path(sys.modules[module].__file__) in counted


@pytest.mark.parametrize(
    ("function", "libraries"),
    [(extract, {"librosa", "numba", "numpy", "scipy", "soundfile", "soxr"}), (train, {"keras", "numpy", "tensorflow"})],
)
def test_the_libraries_that_compute_count(function: object, libraries: set[str]) -> None:
    files = code_version.source_files(function.__module__)
    imported = set().union(*files.values())
    assert libraries <= {name for package in imported for name in packages_distributions().get(package, [])}


def test_another_source_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    version = code_version.code_version(extract)
    assert re.fullmatch("[0-9a-f]{64}", version)
    another = code_version.PACKAGE / "audio" / "decoding.py"
    monkeypatch.setattr(code_version, "source_files", lambda module: {another: {"numpy"}})
    assert code_version.code_version(extract) != version
