"""Cost of the pinned instruction level: the same work with it and with the native one, in alternating processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

REPEATS = 2
STEPS = Path(__file__).parents[1] / "tests" / "same_bytes"
CHILD = """
import json, platform, sys, time
if sys.argv[1] == "native":
    platform.machine = lambda: "unknown"  # for which songgenre pins nothing
import steps
seconds = {}
for name in ("descriptors", "embeddings", "scikit_learn", "cnn"):
    steps.STEPS[name]()  # loads libraries and compiles
    start = time.perf_counter()
    steps.STEPS[name]()
    seconds[name] = time.perf_counter() - start
print(json.dumps(seconds))
"""


def measure(level: str) -> dict[str, float]:
    environment = os.environ | {"PYTHONPATH": str(STEPS), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", CHILD, level]
    printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
    return {name: float(seconds) for name, seconds in json.loads(printed).items()}


def main() -> None:
    runs = {level: [] for level in ("pinned", "native")}
    for _ in range(REPEATS):
        for level, results in runs.items():
            results.append(measure(level))
    print("step          pinned, s  native, s  pinned / native")
    for name in runs["pinned"][0]:
        pinned, native = (statistics.median(run[name] for run in runs[level]) for level in ("pinned", "native"))
        print(f"{name:12}  {pinned:9.2f}  {native:9.2f}  {pinned / native:15.2f}")


if __name__ == "__main__":
    main()
