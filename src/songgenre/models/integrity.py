"""Verification that a model is the one that this project trained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from songgenre.errors import UserError
from songgenre.paths import Project

SKIP_HASH_CHECK = "--skip-hash-check"


def verify_hash(project: Project, path: Path) -> Path:
    """Verify that a model has the hash that ``dvc.lock`` records.

    Parameters
    ----------
    project : Project
        Project whose ``dvc.lock`` is read.
    path : Path
        An output of a stage, or a file in one, such as ``models/cnn/cnn.keras``. If the output is a folder, all of its
        files count.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UserError
        If `path` is missing or not in ``dvc.lock``, or its hash differs.
    """
    if not path.is_file():
        raise UserError(f"{path}: not found. Run `dvc repro` first.")
    file = path.resolve()
    for out, expected in _outs(project).items():
        if file.is_relative_to(out):
            actual = _folder_hash(out) if out.is_dir() else _md5(out)
            if actual != expected:
                _refuse(path, f"{out}: dvc.lock records the hash {expected}; the file has {actual}")
            return path
    _refuse(path, f"{path}: not in dvc.lock, which records the hashes of all outputs")


def _refuse(path: Path, fact: str) -> NoReturn:
    raise UserError(
        f"{fact}. {path.name} may not be the model that this project trained, and is not loaded. "
        f"Run `dvc repro` to train it again, or `dvc checkout --force` to restore it; if you trust its origin, load it "
        f"with {SKIP_HASH_CHECK}."
    )


def _outs(project: Project) -> dict[Path, str]:
    """Read the hashes of all outputs."""
    lock = project.root / "dvc.lock"
    try:
        stages = YAML(typ="safe", pure=True).load(lock)["stages"].values()
        return {project.root.resolve() / out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}
    except FileNotFoundError:
        return {}
    except (YAMLError, AttributeError, KeyError, TypeError):
        raise UserError(
            f"{lock}: cannot be read, so the hashes of the models are unknown. Restore it with git."
        ) from None


def _folder_hash(folder: Path) -> str:
    """Compute the hash of a folder as DVC does: of the list of its files, by name, with their hashes."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    listing = [{"md5": _md5(file), "relpath": name} for name, file in sorted(files.items())]
    return f"{hashlib.md5(json.dumps(listing).encode()).hexdigest()}.dir"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
