"""Time of the stages in the last build, and of a `dvc repro` that has nothing to do.

The time of a stage is that of its notebook. The peer of the idle `dvc repro` is `dvc version`, the time that DVC takes
to start.
"""

from __future__ import annotations

import json
import subprocess
import time

from songgenre.paths import Project

REPEATS = 3


def seconds(*command: str) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    logs = {
        path.stem: json.loads(path.read_text()) for path in sorted((Project.find().reports / "logs").glob("*.json"))
    }
    for name, log in logs.items():
        print(f"{name:14}{log['seconds']:6.1f} s, at most {log['peak_anonymous_mib']} MiB of anonymous memory")
    print(f"{'all notebooks':14}{sum(log['seconds'] for log in logs.values()):6.1f} s")
    idle, start = seconds("dvc", "repro"), seconds("dvc", "version")
    print(f"idle `dvc repro`: {idle:.2f} s; `dvc version`: {start:.2f} s; ratio {idle / start:.1f}")


if __name__ == "__main__":
    main()
