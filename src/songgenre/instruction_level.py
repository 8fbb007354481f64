"""Pin the processor instructions that numerical libraries use, so that every x86-64 processor rounds alike."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
GPU_DEVICES = (Path("/dev/nvidia0"), Path("/dev/kfd"))

X86_64_V3 = {
    "NUMBA_CPU_FEATURES": "+avx2,+fma",
    "NUMBA_CPU_NAME": "x86-64-v3",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
"""Environment variables that limit libraries to AVX2 and FMA."""

NUMPY_DISPATCH = {"X86_V4": "avx512vl", "AVX512_ICL": "avx512_vbmi2", "AVX512_SPR": "avx512_fp16"}
"""NumPy's dispatch targets above AVX2, each with the processor flag that makes NumPy choose it."""

NUMPY_WAS_LOADED = "numpy" in sys.modules and "NUMBA_CPU_NAME" not in os.environ
"""Whether NumPy chose its code before this module could limit it."""


def pin() -> None:
    """Limit every library to AVX2 and FMA.

    Libraries read these environment variables when they load; child processes inherit them. A variable that is
    already set is kept, and nothing is set on a processor without AVX2 and FMA.
    """
    flags = _processor_flags()
    if platform.machine() != "x86_64" or not {"avx2", "fma"} <= flags:
        return
    for name, value in X86_64_V3.items():
        os.environ.setdefault(name, value)
    if targets := [target for target, flag in NUMPY_DISPATCH.items() if flag in flags]:
        os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", ",".join(targets))


def current() -> str:
    """Name the instruction level of this process.

    Returns
    -------
    str
        ``x86-64-v3``, or ``native`` and the kind of machine if nothing is pinned, or NumPy was loaded before.
    """
    native = f"native {platform.machine()}"
    return native if NUMPY_WAS_LOADED else os.environ.get("NUMBA_CPU_NAME", native)


def explain_limits() -> str | None:
    """Explain why results on this machine may differ from the committed ones.

    Returns
    -------
    str or None
        One line; None if results are the same, byte for byte.
    """
    if current() != X86_64_V3["NUMBA_CPU_NAME"]:
        reason = f"The instruction level is {current()}, not x86-64-v3 (AVX2 and FMA on Linux)"
    elif any(device.exists() for device in GPU_DEVICES):
        reason = "This machine has a GPU, which TensorFlow may use"
    else:
        return None
    return f"{reason}: results may differ from the committed ones in the last digits. See docs/reproducibility.md."


def _processor_flags() -> set[str]:
    if not CPUINFO.exists():
        return set()
    with CPUINFO.open() as lines:
        return set(next((line for line in lines if line.startswith("flags")), "").split())
