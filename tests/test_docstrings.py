"""Every public function has a docstring with all its sections."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "songgenre"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions() -> Iterator[tuple[str, Function]]:
    """Yield the public functions and methods, commands and properties left out."""
    for path in sorted(SOURCE.rglob("*.py")):
        module = ast.parse(path.read_text("utf-8"))
        classes = [node for node in module.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
        for body in [module.body, *(node.body for node in classes)]:
            for node in body:
                if isinstance(node, Function) and not node.name.startswith("_") and not is_left_out(node):
                    yield f"{path.relative_to(SOURCE)}:{node.name}", node


def is_left_out(function: Function) -> bool:
    decorators = " ".join(ast.unparse(decorator) for decorator in function.decorator_list)
    return re.search(r"property|\.setter|\.command|\.callback|exception_handler|middleware", decorators) is not None


def parameters(function: Function) -> list[str]:
    arguments = function.args
    named = [argument.arg for argument in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
    named += [argument.arg for argument in (arguments.vararg, arguments.kwarg) if argument]
    return [name for name in named if name not in {"self", "cls"} and not name.startswith("_")]


def returns(function: Function) -> bool:
    return function.returns is not None and ast.unparse(function.returns) not in {"None", "NoReturn", "Never"}


def described(docstring: str) -> set[str]:
    """Read the names that the section Parameters describes."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", docstring, re.MULTILINE | re.DOTALL)
    entries = re.findall(r"^(\S[^:\n]*) :.*\n((?:[ \n].*\n?)*)", section[1] + "\n", re.MULTILINE) if section else []
    return {name.strip("* ") for names, text in entries if text.strip() for name in names.split(",")}


FUNCTIONS = dict(public_functions())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_has_all_sections(name: str) -> None:
    docstring = inspect.cleandoc(ast.get_docstring(FUNCTIONS[name]) or "")
    missing = [parameter for parameter in parameters(FUNCTIONS[name]) if parameter not in described(docstring)]
    assert not missing
    assert not returns(FUNCTIONS[name]) or re.search(r"^(Returns|Yields)\n-+$", docstring, re.MULTILINE)
