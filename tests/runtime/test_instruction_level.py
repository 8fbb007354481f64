"""Every library that chooses its code by the processor uses AVX2 and no more."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from songgenre.runtime import instruction_level

PROBE = """
from songgenre.runtime import instruction_level
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


def give_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(instruction_level, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(instruction_level, "NUMPY_CHOSE_FREELY", False)


def test_limits_are_explained_where_a_library_is_not_pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    give_processor(monkeypatch, tmp_path, "avx2 fma avx512vl")
    monkeypatch.setattr(instruction_level, "GPU_DEVICES", (tmp_path / "gpu",))
    monkeypatch.setattr(os, "environ", {})
    assert "native" in (instruction_level.explain_limits() or "")
    instruction_level.pin()
    assert instruction_level.explain_limits() is None
    (tmp_path / "gpu").touch()
    assert "GPU" in (instruction_level.explain_limits() or "")


@pytest.mark.parametrize("variable", [*instruction_level.X86_64_V3, "NPY_DISABLE_CPU_FEATURES"])
def test_one_variable_that_is_set_by_hand_makes_the_level_native(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    give_processor(monkeypatch, tmp_path, "avx2 fma avx512vl")
    monkeypatch.setattr(os, "environ", {variable: "another"})
    instruction_level.pin()
    assert instruction_level.current() == "native x86_64"


@pytest.mark.integration
@pytest.mark.parametrize("variables", [{}, {"NUMBA_CPU_NAME": "x86-64-v3"}])
def test_a_process_that_loads_numpy_first_is_not_pinned(variables: dict[str, str]) -> None:
    script = "import numpy, songgenre.runtime.instruction_level as level; print(level.current())"
    environment = {name: value for name, value in os.environ.items() if name not in instruction_level.X86_64_V3}
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, env=environment | variables, capture_output=True, check=True, text=True)
    assert ended.stdout.strip() == f"native {platform.machine()}"


@pytest.mark.integration
@pytest.mark.skipif(not HAS_AVX2, reason="the processor has no AVX2 and FMA: nothing is pinned")
def test_numpy_loads_although_its_features_are_chosen_by_hand() -> None:
    probe(NPY_ENABLE_CPU_FEATURES="AVX2")


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
    give_processor(monkeypatch, tmp_path, "avx2 fma avx512vl")
    environment = {"OPENBLAS_CORETYPE": "Zen"}
    monkeypatch.setattr(os, "environ", environment)
    instruction_level.pin()
    expected = {"OPENBLAS_CORETYPE": "Zen", "NPY_DISABLE_CPU_FEATURES": "X86_V4"}
    assert environment == instruction_level.X86_64_V3 | expected
