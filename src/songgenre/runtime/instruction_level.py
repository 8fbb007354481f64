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

LEVEL = "x86-64-v3"
"""Name of the pinned level: x86-64 with AVX2 and FMA, but without AVX-512."""


def pin() -> None:
    """Limit every library to AVX2 and FMA.

    Libraries read these environment variables when they load; child processes inherit them. A variable that is
    already set is kept, and nothing is set on a processor without AVX2 and FMA.
    """
    pins = _pins()
    if "NPY_ENABLE_CPU_FEATURES" in os.environ:
        pins.pop("NPY_DISABLE_CPU_FEATURES", None)  # NumPy does not load if both are set
    for name, value in pins.items():
        os.environ.setdefault(name, value)


def current() -> str:
    """Name the instruction level of this process.

    Returns
    -------
    str
        `LEVEL`; or ``native`` and the kind of machine, if a library is not pinned or NumPy was loaded before the pins
        were set.
    """
    return LEVEL if _is_pinned() and not NUMPY_CHOSE_FREELY else f"native {platform.machine()}"


def _pins() -> dict[str, str]:
    """Environment variables that pin this processor; none if it has no AVX2 and FMA."""
    flags = _processor_flags()
    if platform.machine() != "x86_64" or not {"avx2", "fma"} <= flags:
        return {}
    targets = [target for target, flag in NUMPY_DISPATCH.items() if flag in flags]
    return X86_64_V3 | ({"NPY_DISABLE_CPU_FEATURES": ",".join(targets)} if targets else {})


def _is_pinned() -> bool:
    pins = _pins()
    return bool(pins) and all(os.environ.get(name) == value for name, value in pins.items())


def explain_limits() -> str | None:
    """Explain why results on this machine may differ from the committed ones.

    Returns
    -------
    str or None
        One line; None if results are the same, byte for byte.
    """
    if current() != LEVEL:
        reason = f"The instruction level is {current()}, not {LEVEL} (AVX2 and FMA on Linux)"
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


NUMPY_CHOSE_FREELY = "numpy" in sys.modules and not _is_pinned()
"""Whether NumPy chose its code before this module could limit it."""
