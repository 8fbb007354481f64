"""Version of the code that computes a result; results of another version are not reused."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import songgenre

PACKAGE = Path(songgenre.__file__).parent

WITHOUT_INFLUENCE = frozenset(
    {
        "atomic",
        "cache",
        "code_version",
        "compute",
        "errors",
        "params",
        "partitions",
        "paths",
        "progress",
        "redaction",
        "runtime/ending",
        "runtime/native_stderr",
        "runtime/numba_cache",
        "runtime/temporary",
        "tables/columns",
        "tables/embeddings",
        "tables/files",
    }
)
"""Modules that store, schedule or report a result, but do not change its value."""


def code_version(function: Callable[..., Any]) -> str:
    """Compute a hash of the modules that a function depends on, and of the versions of their libraries.

    Parameters
    ----------
    function : callable
        Function of this package. The hash covers its module, all modules that this imports, directly or not, except
        `WITHOUT_INFLUENCE`, and `songgenre.runtime.instruction_level`.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.
    """
    files = source_files(function.__module__)
    distributions = packages_distributions()
    libraries = {name for imported in files.values() for package in imported for name in distributions.get(package, [])}
    digest = hashlib.sha256()
    for file in sorted({*files, PACKAGE / "runtime" / "instruction_level.py"}):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(PACKAGE).as_posix()} {len(content)} ".encode() + content)
    for library in sorted(libraries):
        digest.update(f"{library} {version(library)} ".encode())
    return digest.hexdigest()


def source_files(module: str) -> dict[Path, set[str]]:
    """List the files of this package that a module depends on.

    Parameters
    ----------
    module : str
        Dotted name, such as ``songgenre.features.extract``.

    Returns
    -------
    dict of Path to set of str
        The third-party libraries that each file imports.
    """
    files: dict[Path, set[str]] = {}
    waiting = {_file(module)}
    while waiting:
        file = waiting.pop()
        names = _imported_names(file)
        files[file] = {name.partition(".")[0] for name in names} - {"songgenre"} - sys.stdlib_module_names
        own = {_file(name) for name in names if name.startswith("songgenre.")}
        waiting |= {path for path in own if path.is_file() and not _is_without_influence(path)} - set(files)
    return files


def _file(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _is_without_influence(path: Path) -> bool:
    return path.relative_to(PACKAGE).with_suffix("").as_posix() in WITHOUT_INFLUENCE


def _imported_names(file: Path) -> set[str]:
    """List the names that a file imports; ``from a import b`` may import the module ``a.b``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
