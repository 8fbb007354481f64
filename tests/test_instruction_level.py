"""Every library that chooses its code by the processor uses AVX2 and no more."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import songgenre

PROBE = """
import songgenre
import json
import numpy, scipy.linalg, threadpoolctl
from numba.core.registry import cpu_target
from numpy._core._multiarray_umath import __cpu_features__
print(json.dumps({
    "blas": [pool["architecture"] for pool in threadpoolctl.threadpool_info() if pool["internal_api"] == "openblas"],
    "numpy": [name for name in ("X86_V4", "AVX512_SKX", "AVX512_ICL", "AVX512_SPR") if __cpu_features__.get(name)],
    "numba": list(cpu_target.target_context.codegen().magic_tuple()[1:]),
}))
"""
CPUINFO = Path("/proc/cpuinfo")
HAS_AVX2 = platform.machine() == "x86_64" and CPUINFO.exists() and {"avx2", "fma"} <= set(CPUINFO.read_text().split())


def probe(**variables: str) -> dict[str, list[str]]:
    pinned = {*songgenre._X86_64_V3, "NPY_DISABLE_CPU_FEATURES"}
    environment = {name: value for name, value in os.environ.items() if name not in pinned} | variables
    command = [sys.executable, "-c", PROBE]
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout)


@pytest.mark.integration
@pytest.mark.skipif(not HAS_AVX2, reason="the processor has no AVX2 and FMA: nothing is pinned")
def test_libraries_use_avx2_and_no_more() -> None:
    chosen = probe()
    assert set(chosen["blas"]) == {"Haswell"}
    assert chosen["numpy"] == []
    assert chosen["numba"] == ["x86-64-v3", "+avx2,+fma"]


@pytest.mark.integration
@pytest.mark.skipif(not HAS_AVX2, reason="the processor has no AVX2 and FMA: nothing is pinned")
def test_a_variable_that_is_set_is_kept() -> None:
    assert set(probe(OPENBLAS_CORETYPE="Sandybridge")["blas"]) == {"Sandybridge"}
