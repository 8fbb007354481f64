"""Run all benchmarks, one after the other, and write what they print to docs/benchmarks.md."""

from __future__ import annotations

import ast
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import psutil

from songgenre.paths import Project

FOLDER = Path(__file__).parent
NAMES = ("build", "features", "transfer", "predict", "cnn", "crawl", "duplicates", "instruction_level", "scaling")

HEADER = """# Benchmarks

`make bench` runs the scripts in `benchmarks/` and writes this page; every ratio is between two measurements of the same
run. It takes the songs of the last build, or those of the folder that the environment variable `SONGGENRE_REAL_MUSIC`
names, and needs an otherwise idle machine.

"""


def describe_machine() -> str:
    """Describe the processor, the memory and the software of this machine."""
    models = [
        line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    memory_gib = psutil.virtual_memory().total / 2**30
    return (
        f"Measured on {len(models)} cores ({models[0]}), {memory_gib:.0f} GiB of memory, {platform.system()}, "
        f"Python {platform.python_version()}."
    )


def run(name: str) -> str:
    """Run a benchmark, and format its description and what it prints as a section."""
    script = FOLDER / f"{name}.py"
    print(f"{name} ...", end=" ", flush=True)
    started = time.perf_counter()
    command, quiet = [sys.executable, script], os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    printed = subprocess.run(command, env=quiet, stdout=subprocess.PIPE, check=True, text=True).stdout
    seconds = time.perf_counter() - started
    print(f"{seconds:.0f} s")
    description = ast.get_docstring(ast.parse(script.read_text()))
    return (
        f"## {name}\n\n{description}\n\n```\n{printed.strip()}\n```\n\n`benchmarks/{name}.py` took {seconds:.0f} s.\n"
    )


def main() -> None:
    sections = [run(name) for name in NAMES]
    page = Project.find().root / "docs" / "benchmarks.md"
    page.write_text(HEADER + describe_machine() + "\n\n" + "\n".join(sections))
    print(f"Wrote {page}")


if __name__ == "__main__":
    main()
