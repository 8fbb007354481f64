"""Rebuild the committed pipeline from scratch, compare it with ``dvc.lock``, and explain every difference."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from subprocess import DEVNULL, PIPE
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from dvc.api import DVCFileSystem
from dvc_data.index import DataIndexDirError
from rich.console import Console
from rich.markup import escape
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from songgenre.errors import HINT_OWNER, UserError
from songgenre.paths import Project
from songgenre.reproduce.diff import changed_values, explain, flatten
from songgenre.reproduce.severity import Severity, StageClass, assess, classify_stage
from songgenre.runtime import children
from songgenre.runtime.instruction_level import explain_limits

Stages = dict[str, Mapping[str, Any]]
"""Stages of a ``dvc.lock``, by name."""


@dataclass(frozen=True)
class Difference:
    """A stage with other outputs than recorded.

    Parameters
    ----------
    stage : str
        Name of the stage.
    causes : list of str
        Inputs, parameters and commands that differ too; empty if all are the same.
    outs : dict
        From the path of a differing output to a line per difference.
    kind : {"rounding", "changed decisions", "other"}
        How the results differ; see `songgenre.reproduce.severity.classify_stage`.
    """

    stage: str
    causes: list[str]
    outs: dict[str, list[str]]
    kind: StageClass


class OutDifference(NamedTuple):
    """Differences between an output and the recorded one.

    Parameters
    ----------
    lines : list of str
        A line per difference.
    severity : Severity or None
        None for a file that only presents results.
    """

    lines: list[str]
    severity: Severity | None


def reproduce(project: Project, console: Console, into: Path | None = None, rebuilt: Path | None = None) -> bool:
    """Compare a rebuild with what is committed, and print how they differ.

    Parameters
    ----------
    project : Project
        A clone. The checked-out commit is compared, without uncommitted changes.
    console : rich.console.Console
        Output for the result.
    into : Path, optional
        Folder to rebuild in, which is kept; a temporary folder by default.
    rebuilt : Path, optional
        Existing rebuild, for example from another machine; nothing is rebuilt then.

    Returns
    -------
    bool
        True if all files are identical.

    Raises
    ------
    UserError
        If both folders are given, the clone belongs to another user, nothing is committed to compare with, the folder
        is not usable, or the rebuild fails.
    """
    if into is not None and rebuilt is not None:
        raise UserError("reproduce: --in and --with exclude each other; --with rebuilds nothing. Use one of them.")
    if "safe.directory" in children.run(("git", "rev-parse"), cwd=project.root, stderr=PIPE).stderr:
        raise UserError(f"{project.root}: cannot be read. {HINT_OWNER}")
    committed = DVCFileSystem(str(project.root), rev="HEAD")
    recorded = _read_lock(committed)
    with _rebuild_in(project, console, into, rebuilt) as folder:
        repeated = _stages(folder)
        if rebuilt is not None:
            _check_outputs(rebuilt)
        changes = differences(recorded, repeated, committed, folder)
    _print(recorded, changes, console)
    if changes and (limits := explain_limits()):
        console.print(limits, highlight=False, soft_wrap=True)
    return not changes


def differences(recorded: Stages, repeated: Stages, committed: DVCFileSystem, rebuilt: Path) -> list[Difference]:
    """Compare the outputs of a rebuild with the recorded ones, stage by stage.

    Parameters
    ----------
    recorded, repeated : dict
        Stages in the committed ``dvc.lock`` and in that of the rebuild.
    committed : dvc.api.DVCFileSystem
        Files of the commit.
    rebuilt : Path
        Folder of the rebuild.

    Returns
    -------
    list of Difference
        In the order of the stages: each after those whose outputs it reads.
    """
    stages = {name: (recorded.get(name, {}), repeated.get(name, {})) for name in {**recorded, **repeated}}
    changed = {name: _differing_outs(before, after, "outs") for name, (before, after) in stages.items()}
    writers = {path: name for name, outs in changed.items() for path in outs}
    changes: dict[str, Difference] = {}
    for name in _in_order(recorded | repeated):
        if changed[name]:
            outs = {path: _compare(path, hashes, committed, rebuilt) for path, hashes in changed[name].items()}
            upstream = _upstream(*stages[name], writers)
            causes = _causes(*stages[name], writers)
            kind = classify_stage(
                _severities(outs), [changes[stage].kind for stage in upstream], other_inputs=bool(causes)
            )
            followed = [f"follows from {', '.join(upstream)}"] if upstream else []
            changes[name] = Difference(name, followed + causes, {path: out.lines for path, out in outs.items()}, kind)
    return list(changes.values())


def _in_order(stages: Stages) -> Iterable[str]:
    """Sort the stages, each after those whose outputs it reads."""
    writers = {out["path"]: name for name, stage in stages.items() for out in stage["outs"]}
    read = {name: [dep["path"] for dep in stage.get("deps", [])] for name, stage in stages.items()}
    return TopologicalSorter(
        {name: [writers[path] for path in paths if path in writers] for name, paths in read.items()}
    ).static_order()


@contextmanager
def _rebuild_in(project: Project, console: Console, into: Path | None, rebuilt: Path | None) -> Iterator[Path]:
    if rebuilt is not None:
        yield rebuilt
    elif into is not None:
        _rebuild(project, into, console)
        yield into
    else:
        with TemporaryDirectory(prefix="songgenre-") as folder:
            _rebuild(project, Path(folder) / project.root.name, console)
            yield Path(folder) / project.root.name


def _rebuild(project: Project, folder: Path, console: Console) -> None:
    """Run all stages of the commit in a clone that shares no cache; only the published wheels are copied."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: not an empty folder. Name a new or empty folder to rebuild in.")
    console.print(f"Rebuilding what is committed in {escape(str(folder))}", highlight=False, soft_wrap=True)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder.resolve() / "src"),
    }
    dvc = (sys.executable, "-m", "dvc")
    _run(project.root, environment, "git", "clone", "--quiet", str(project.root), str(folder.resolve()))
    if project.wheels.is_dir():
        shutil.copytree(project.wheels, Project(folder).wheels)
    _run(folder, environment, *dvc, "cache", "dir", "--quiet", "--local", str(folder.resolve() / ".dvc" / "cache"))
    _run(folder, environment, *dvc, "repro", "--force")


def _check_outputs(folder: Path) -> None:
    """Check that the outputs of a rebuild are those in its ``dvc.lock``."""
    status = children.run(
        (sys.executable, "-m", "dvc", "data", "status", "--json"), cwd=folder, stdout=PIPE, stderr=DEVNULL
    )
    uncommitted = json.loads(status.stdout or "{}").get("uncommitted", {})
    if status.returncode or uncommitted:
        raise UserError(f"{folder}: outputs are missing or differ from its dvc.lock. Run `dvc repro` there first.")


def _run(folder: Path, environment: Mapping[str, str], *command: str) -> None:
    if children.run(command, cwd=folder, env=environment, stdout=sys.stderr).returncode:
        raise UserError(
            f"{folder}: the rebuild failed at `{' '.join(command)}`; its error is printed above. "
            "Use `--in FOLDER` to keep the folder."
        )


def _read_lock(committed: DVCFileSystem) -> Stages:
    try:
        return _parse(committed.read_text("dvc.lock"))
    except FileNotFoundError:
        raise UserError(
            "dvc.lock: not committed, so there is nothing to compare with. Run `dvc repro` and commit it first."
        ) from None


def _stages(folder: Path) -> Stages:
    path = folder / "dvc.lock"
    if not path.is_file():
        raise UserError(f"{path}: not found. Name a clone in which `dvc repro` has run.")
    return _parse(path.read_text("utf-8"))


def _parse(lock: str) -> Stages:
    try:
        stages: Stages = YAML(typ="safe").load(lock)["stages"]
    except (KeyError, TypeError, YAMLError):
        raise UserError("dvc.lock: not a lock file of DVC. Name a clone in which `dvc repro` has run.") from None
    return stages


def _differing_outs(
    before: Mapping[str, Any], after: Mapping[str, Any], what: str
) -> dict[str, tuple[str | None, str | None]]:
    """Find the paths in ``deps`` or ``outs`` of a stage whose hashes differ, and return both hashes."""
    a, b = ({entry["path"]: entry["md5"] for entry in stage.get(what, [])} for stage in (before, after))
    return {path: (a.get(path), b.get(path)) for path in {**a, **b} if a.get(path) != b.get(path)}


def _severities(outs: Mapping[str, OutDifference]) -> list[Severity]:
    """List the severities of the results of a stage; its models count only if no other result differs."""
    results = {path: out.severity for path, out in outs.items() if out.severity is not None}
    return [severity for path, severity in results.items() if not path.startswith("models")] or list(results.values())


def _upstream(before: Mapping[str, Any], after: Mapping[str, Any], writers: Mapping[str, str]) -> list[str]:
    """List the stages whose differing outputs a stage reads; `writers` maps differing outputs to their stages."""
    if not before or not after:
        return []
    deps = _differing_outs(before, after, "deps")
    return list(dict.fromkeys(writers[path] for path in deps if path in writers))


def _causes(before: Mapping[str, Any], after: Mapping[str, Any], writers: Mapping[str, str]) -> list[str]:
    """List the differing inputs of a stage that no other stage wrote, and its other parameters and commands."""
    if not before or not after:
        return [f"the stage is {'missing' if before else 'new'}"]
    causes = [f"{path} differs" for path in _differing_outs(before, after, "deps") if path not in writers]
    if before["cmd"] != after["cmd"]:
        causes += [f"command {before['cmd']!r} became {after['cmd']!r}"]
    return causes + list(changed_values(_params(before), _params(after)))


def _params(stage: Mapping[str, Any]) -> dict[str, Any]:
    return dict(leaf for params in stage.get("params", {}).values() for leaf in flatten(params))


def _compare(
    path: str, hashes: tuple[str | None, str | None], committed: DVCFileSystem, rebuilt: Path
) -> OutDifference:
    before, after = hashes
    if before is None or after is None:
        return OutDifference(["is missing" if before else "is new"], Severity.STRUCTURE)
    with TemporaryDirectory() as folder:
        copy = Path(folder) / Path(path).name
        try:
            committed.get(path, str(copy), recursive=True)
        except (DataIndexDirError, FileNotFoundError):
            return OutDifference(
                [f"{before} became {after}; the committed one is neither in the cache of DVC here nor in a remote"],
                Severity.STRUCTURE,
            )
        return OutDifference(explain(copy, rebuilt / path), assess(copy, rebuilt / path))


def _print(recorded: Stages, changes: list[Difference], console: Console) -> None:
    for line in _report_lines(recorded, changes):
        console.print(escape(line), highlight=False, soft_wrap=True)


def _report_lines(recorded: Stages, changes: list[Difference]) -> Iterator[str]:
    if not changes:
        files = sum(out.get("nfiles", 1) for stage in recorded.values() for out in stage["outs"])
        yield f"identical: {len(recorded)} stages, {files} files"
        return
    for difference in changes:
        causes = "; ".join(difference.causes) or "from the same inputs, parameters and code"
        yield f"{difference.stage} differs, {difference.kind} ({causes})"
        for path, lines in difference.outs.items():
            yield f"  {path}"
            yield from (f"    {line}" for line in lines)
    summary = ", ".join(f"{difference.stage} ({difference.kind})" for difference in changes)
    yield f"{len(changes)} of {len(recorded)} stages differ: {summary}"
