"""What made a report.

What it was made from is the same in every run, and is kept in the executed notebook. How a run went is not, and is
kept in the logs; a script beside the pages tells them, so that DVC hashes nothing of it.
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

from songgenre import instruction_level
from songgenre.atomic import replacing
from songgenre.paths import Project

PACKAGES = ["keras", "librosa", "numpy", "pandas", "papermill", "scikit-learn", "scipy", "soundfile", "tensorflow"]

SOURCES = ["dvc.yaml", "notebooks", "params.yaml", "requirements.lock", "src"]
"""What a commit must say for a run to be repeated from it."""

HASH_DIGITS = 12


def inputs_and_versions(project: Project, name: str) -> dict[str, Any]:
    """What an executed notebook was made from, and the models that it made.

    Parameters
    ----------
    project : Project
    name : str
        Of the notebook, for example ``"06_cnn"``; its stage has just run.

    Returns
    -------
    dict
        ``inputs`` and ``models``: files, with the first digits of their SHA-256, as in ``reports/metrics``. Audio is
        not among them, as the tables hold the hash of every song. ``packages``: their versions.
    """
    stage = _stage(project, name)
    data = [dep for dep in stage.get("deps", []) if dep.startswith(("data/", "reports/"))]
    models = [out for out in stage.get("outs", []) if isinstance(out, str) and out.startswith("models/")]
    return {
        "inputs": {dep: _hash(project.root / dep) for dep in data if (project.root / dep).is_file()},
        "models": {
            file.relative_to(project.root).as_posix(): _hash(file)
            for out in models
            for file in sorted((project.root / out).rglob("*"))
            if file.is_file()
        },
        "packages": {package: version(package) for package in PACKAGES},
    }


def run_environment(project: Project) -> dict[str, str]:
    """By what commit, on what machine and by what Python a stage runs now; without git, without the commit."""
    system = f"{platform.system()}, Python {platform.python_version()}"
    processor = f"{_processor()} (instruction level {instruction_level.current()})"
    environment = {"machine": f"{processor}, {psutil.cpu_count()} cores, {system}"}
    commit = _git(project, "rev-parse", "--short=12", "HEAD")
    if commit:
        changed = _git(project, "status", "--porcelain", "--", *SOURCES)
        environment["commit"] = f"{commit}, and changes that were not committed" if changed else commit
    return environment


def publish(project: Project) -> Path:
    """Write ``reports/logs/provenance.js``, from which the pages say how the run of each stage went.

    Parameters
    ----------
    project : Project
        Of whose logs those of finished runs are told.

    Returns
    -------
    Path
        The script.
    """
    path = project.log("provenance").with_suffix(".js")
    with replacing(path) as partial:
        partial.write_text(script(project), encoding="utf-8")
    return path


def script(project: Project) -> str:
    """The script by which the pages say how the runs went; it may also stand within a page."""
    return f"window.runs = {json.dumps(run_logs(project), indent=1)};\n".replace("<", "\\u003c")


def run_logs(project: Project) -> dict[str, dict[str, str]]:
    """How the last run of each notebook went, if it finished: facts by their name, as a page shows them."""
    logs = sorted(project.log("provenance").parent.glob("*.json"))
    facts = {log.stem: json.loads(log.read_text("utf-8")) for log in logs}
    return {name: _format_log(log) for name, log in facts.items() if log.get("finished")}


def _format_log(log: dict[str, Any]) -> dict[str, str]:
    """The facts as a page shows them."""
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
    return next((stage for stage in stages.values() if stage["cmd"] == command), {})


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:HASH_DIGITS]


def _git(project: Project, *command: str) -> str:
    """What git says; nothing where there is no git, or no commit."""
    try:
        completed = subprocess.run(["git", *command], cwd=project.root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return completed.stdout.strip() if completed.returncode == 0 else ""


def _processor() -> str:
    """Its name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(named), platform.processor() or platform.machine())
