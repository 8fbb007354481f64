"""Whether a model is the one that this project trained."""

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
    """Check that a model is, byte for byte, what its stage wrote, going by ``dvc.lock``.

    Parameters
    ----------
    project : Project
    path : Path
        A file that a stage wrote, or in a folder that one wrote, such as ``models/cnn/cnn.keras``. Of a folder, all
        files count.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    UserError
        If `path` is missing, no stage wrote it, or it or its folder has changed since: with both hashes, and how to
        insist.
    """
    if not path.is_file():
        raise UserError(f"Expected a model at {path}, but there is none. Run `dvc repro` first.")
    file = path.resolve()
    for out, expected in _outs(project).items():
        if file.is_relative_to(out):
            actual = _folder_hash(out) if out.is_dir() else _md5(out)
            if actual != expected:
                _refuse(path, f"{out} to have the hash {expected}, as dvc.lock says, but it has {actual}")
            return path
    _refuse(path, f"{path} to be in dvc.lock, with the hash of what a stage wrote, but it is not")


def _refuse(path: Path, expectation: str) -> NoReturn:
    raise UserError(
        f"Expected {expectation}. So {path.name} may not be the model that this project trained, and is not loaded. "
        f"Run `dvc repro` to train it again, or `dvc checkout --force` to get it back; if you know where it comes "
        f"from, insist with {SKIP_HASH_CHECK}."
    )


def _outs(project: Project) -> dict[Path, str]:
    """What the stages wrote, and its hash."""
    lock = project.root / "dvc.lock"
    try:
        stages = YAML(typ="safe", pure=True).load(lock)["stages"].values()
        return {project.root.resolve() / out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}
    except FileNotFoundError:
        return {}
    except (YAMLError, AttributeError, KeyError, TypeError):
        raise UserError(
            f"Expected the hashes of the models in {lock}, but it cannot be read. Restore it with git."
        ) from None


def _folder_hash(folder: Path) -> str:
    """As DVC computes it: of a list of the files, by name, with their hashes."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    listing = [{"md5": _md5(file), "relpath": name} for name, file in sorted(files.items())]
    return f"{hashlib.md5(json.dumps(listing).encode()).hexdigest()}.dir"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
