"""Song Genre Classification: what the notebooks call."""

import os
import platform
import sys
from pathlib import Path

# jsonschema, which nbformat uses, takes a second to load this package, only to check IRIs. No schema here has any, and
# jsonschema does without it where it cannot be imported.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

_X86_64_V3 = {
    "NUMBA_CPU_FEATURES": "+avx2,+fma",
    "NUMBA_CPU_NAME": "x86-64-v3",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
_NUMPY_DISPATCH = {"X86_V4": "avx512vl", "AVX512_ICL": "avx512_vbmi2", "AVX512_SPR": "avx512_fp16"}
"""NumPy's dispatch targets above AVX2, each with the processor flag that makes NumPy choose it."""


def _pin_instruction_level() -> None:
    """Let every library use AVX2 and FMA and no more, so that all x86-64 processors round alike.

    Libraries read these variables when they load; child processes inherit them. A variable that is set is kept, and
    nothing is set on a processor without AVX2 and FMA.
    """
    cpuinfo = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not cpuinfo.exists():
        return
    with cpuinfo.open() as lines:
        flags = set(next((line for line in lines if line.startswith("flags")), "").split())
    if not {"avx2", "fma"} <= flags:
        return
    for name, value in _X86_64_V3.items():
        os.environ.setdefault(name, value)
    if targets := [target for target, flag in _NUMPY_DISPATCH.items() if flag in flags]:
        os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", ",".join(targets))


_pin_instruction_level()
