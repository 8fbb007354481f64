"""Every library that chooses its code by the processor uses AVX2 and no more."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from songgenre import instruction_level

PROBE = """
from songgenre import instruction_level
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
    pinned = {*instruction_level.X86_64_V3, "NPY_DISABLE_CPU_FEATURES"}
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


def test_limits_are_explained_where_nothing_is_pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(instruction_level, "GPU_DEVICES", (tmp_path / "gpu",))
    monkeypatch.setenv("NUMBA_CPU_NAME", "x86-64-v3")
    assert instruction_level.explain_limits() is None
    (tmp_path / "gpu").touch()
    assert "GPU" in (instruction_level.explain_limits() or "")
    monkeypatch.delenv("NUMBA_CPU_NAME")
    assert platform.machine() in (instruction_level.explain_limits() or "")


@pytest.mark.integration
def test_a_process_that_loads_numpy_first_is_not_pinned() -> None:
    script = "import numpy, songgenre.instruction_level as level; print(level.current())"
    environment = {name: value for name, value in os.environ.items() if name not in instruction_level.X86_64_V3}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True, text=True)
    assert ended.stdout.strip() == f"native {platform.machine()}"


@pytest.mark.parametrize(("machine", "flags"), [("aarch64", "fp asimd"), ("x86_64", "sse4_2 avx"), ("arm64", None)])
def test_nothing_is_pinned_without_avx2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str, flags: str | None
) -> None:
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(instruction_level, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    environment: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environment)
    instruction_level.pin()
    assert environment == {}


def test_targets_of_numpy_are_disabled_where_the_processor_has_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags : avx2 fma avx512vl\n")
    monkeypatch.setattr(instruction_level, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    environment = {"OPENBLAS_CORETYPE": "Zen"}
    monkeypatch.setattr(os, "environ", environment)
    instruction_level.pin()
    expected = {"OPENBLAS_CORETYPE": "Zen", "NPY_DISABLE_CPU_FEATURES": "X86_V4"}
    assert environment == instruction_level.X86_64_V3 | expected
