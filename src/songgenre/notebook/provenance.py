"""Provenance of a report.

Inputs, models and versions of packages are the same in every run, and are stored in the executed notebook. Commit,
machine, time and memory differ between runs, and are stored in the logs. A script beside the pages, which DVC ignores,
contains these facts, so that they do not change the files that DVC hashes.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML

from songgenre.atomic import replacing
from songgenre.errors import HINT_OWNER
from songgenre.paths import Project
from songgenre.progress import echo
from songgenre.runtime import instruction_level

PACKAGES = ["keras", "librosa", "numpy", "pandas", "papermill", "scikit-learn", "scipy", "soundfile", "tensorflow"]

SOURCES = ["dvc.yaml", "notebooks", "params.yaml", "requirements.lock", "src"]
"""Files and folders that a commit must contain, so that its run can be repeated."""

HASH_DIGITS = 12

SCRIPT = "provenance.js"
"""File of the site from which the pages load the facts about the runs; ``.dvcignore`` names it."""


def inputs_and_versions(project: Project, name: str) -> dict[str, Any]:
    """Collect the inputs, the models and the versions of packages of a run.

    Parameters
    ----------
    project : Project
        Project whose files are hashed.
    name : str
        Name of the notebook, for example ``"06_cnn"``, whose stage has just run.

    Returns
    -------
    dict
        ``inputs`` and ``models``: from file to the first digits of its SHA-256, as in ``reports/metrics``. Audio is
        not included, because the tables contain the hash of every song. ``packages``: from package to version.
    """
    stage = _stage(project, name)
    data = [dep for dep in stage.get("deps", []) if dep.startswith(("data/", "reports/"))]
    inputs = {dep: path for dep in data if (path := project.root / dep).suffix and path.exists()}
    models = [out for out in stage.get("outs", []) if isinstance(out, str) and out.startswith("models/")]
    return {
        "inputs": {dep: _hash(path) for dep, path in inputs.items()},
        "models": {
            file.relative_to(project.root).as_posix(): _hash(file)
            for out in models
            for file in sorted((project.root / out).rglob("*"))
            if file.is_file()
        },
        "packages": {package: version(package) for package in PACKAGES},
    }


def run_environment(project: Project) -> dict[str, str]:
    """Collect the commit and the machine of the current run.

    Parameters
    ----------
    project : Project
        Project whose commit is read.

    Returns
    -------
    dict of str
        ``machine``: processor, cores, system and Python. ``commit``: its first digits, and whether there are
        uncommitted changes; missing without git or without a commit.
    """
    system = f"{platform.system()}, Python {platform.python_version()}"
    processor = f"{_processor()} (instruction level {instruction_level.current()})"
    environment = {"machine": f"{processor}, {psutil.cpu_count()} cores, {system}"}
    commit = _git(project, "rev-parse", "--short=12", "HEAD")
    if commit:
        changed = _git(project, "status", "--porcelain", "--", *SOURCES)
        environment["commit"] = f"{commit}, and changes that were not committed" if changed else commit
    return environment


def publish(project: Project) -> None:
    """Write the facts about the runs into the site, if there is one.

    Parameters
    ----------
    project : Project
        Project whose logs are read; logs of unfinished runs are left out.
    """
    if project.html.is_dir():
        with replacing(project.html / SCRIPT) as partial:
            partial.write_text(script(project), encoding="utf-8")


def script(project: Project) -> str:
    """Write the facts about the runs as JavaScript, which may also be embedded in a page.

    Parameters
    ----------
    project : Project
        Project whose logs are read.

    Returns
    -------
    str
        Assignment of `run_logs` to ``window.runs``, without the character ``<``.
    """
    return f"window.runs = {json.dumps(run_logs(project), indent=1)};\n".replace("<", "\\u003c")


def run_logs(project: Project) -> dict[str, dict[str, str]]:
    """Read the logs of the last run of each notebook.

    Parameters
    ----------
    project : Project
        Project whose logs are read.

    Returns
    -------
    dict of dict
        From notebook to its facts, such as ``seconds``, formatted for a page; without runs that did not finish.
    """
    logs = sorted(project.log("provenance").parent.glob("*.json"))
    facts = {log.stem: json.loads(log.read_text("utf-8")) for log in logs}
    return {name: _format_log(log) for name, log in facts.items() if log.get("finished")}


def _format_log(log: dict[str, Any]) -> dict[str, str]:
    """Format the facts of a log for a page."""
    facts: dict[str, str] = {name: log[name] for name in ("commit", "machine") if name in log}
    if "commit" in facts:
        facts["checkout"] = facts["commit"].partition(",")[0]
    started = datetime.fromisoformat(log["started"])
    seconds, memory = f"{log['seconds']:.0f} s", f"{log['peak_anonymous_mib']} MiB"
    run = f"{started:%Y-%m-%d %H:%M} UTC, {seconds}, at most {memory} of memory"
    return facts | {"seconds": seconds, "memory": memory, "run": run}


def _stage(project: Project, name: str) -> dict[str, Any]:
    stages = YAML(typ="safe", pure=True).load(project.root / "dvc.yaml")["stages"]
    command = f"songgenre notebook run {name}"
    return next((stage for stage in stages.values() if stage["cmd"].endswith(command)), {})


def _hash(path: Path) -> str:
    """Hash a file, or the hashes of the parts of a folder."""
    if path.is_dir():
        return hashlib.sha256("".join(map(_hash, sorted(path.glob("part-*")))).encode()).hexdigest()[:HASH_DIGITS]
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:HASH_DIGITS]


def _git(project: Project, *command: str) -> str:
    """Read the output of git; it is empty without git, without a commit, or if git does not trust the folder."""
    try:
        completed = subprocess.run(["git", *command], cwd=project.root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    if "safe.directory" in completed.stderr:
        echo(f"{project.root}: the commit is not recorded. {HINT_OWNER}")
    return completed.stdout.strip() if completed.returncode == 0 else ""


def _processor() -> str:
    """Read the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())
