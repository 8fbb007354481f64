"""Every step gives the bytes that another processor gave."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from songgenre.models.musicnn_weights import MUSICNN
from songgenre.paths import Project
from songgenre.runtime.instruction_level import explain_limits

FOLDER = Path(__file__).parent
RECORDED = json.loads((FOLDER / "hashes.json").read_text())
EMULATOR = shutil.which("qemu-x86_64")
EMULATED = {"encoded", "decoded", "mel_power", "embeddings"}
"""The other steps end the emulator of Debian 12 with a segmentation fault, in NumPy's log10 or unique."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(explain_limits() is not None, reason=f"Bytes may differ here. {explain_limits()}"),
]


def compute(steps: Iterable[str], *emulator: str, **variables: str) -> dict[str, str]:
    command = [*emulator, sys.executable, str(FOLDER / "steps.py"), *sorted(steps)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | variables
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout)


def test_every_step_is_recorded() -> None:
    names = re.findall(r"^def (\w+)\(\)", (FOLDER / "steps.py").read_text(), re.MULTILINE)
    assert set(RECORDED) == set(names) - {"clips", "samples"}


def available(steps: Iterable[str]) -> set[str]:
    """Leave out the embeddings where the wheel of the networks is missing."""
    has_wheel = (Project(FOLDER.parents[1]).wheels / MUSICNN.file).is_file()
    return set(steps) if has_wheel else set(steps) - {"embeddings"}


@pytest.mark.parametrize(
    "masked",
    [
        pytest.param("", id="all features of this processor"),
        pytest.param(
            "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD",
            id="glibc without AVX-512",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_every_step_gives_the_recorded_bytes(masked: str) -> None:
    steps = available(RECORDED)
    assert compute(steps, GLIBC_TUNABLES=masked) == {step: RECORDED[step] for step in steps}


@pytest.mark.slow
@pytest.mark.skipif(EMULATOR is None, reason="No qemu-x86_64: install qemu-user")
@pytest.mark.parametrize("processor", ["Haswell", "Skylake-Client", "EPYC", "max"])
def test_an_emulated_processor_gives_the_recorded_bytes(processor: str) -> None:
    steps = available(EMULATED)
    assert compute(steps, str(EMULATOR), "-cpu", processor) == {step: RECORDED[step] for step in steps}
