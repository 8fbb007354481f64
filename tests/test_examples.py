"""The examples in docstrings give the results that they show."""

import doctest
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
MODULES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_give_what_they_show(module: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(module))
    assert attempted > 0
    assert failed == 0


def test_worked_example_of_the_evaluation_gives_what_it_shows() -> None:
    failed, attempted = doctest.testfile(str(SOURCE.parent / "docs" / "evaluation.md"), module_relative=False)
    assert attempted > 0
    assert failed == 0
