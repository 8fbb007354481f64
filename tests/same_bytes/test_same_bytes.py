"""Every step gives the bytes that another processor gave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from songgenre.instruction_level import explain_limits
from songgenre.models.musicnn_weights import MUSICNN
from songgenre.paths import Project

FOLDER = Path(__file__).parent
RECORDED = json.loads((FOLDER / "hashes.json").read_text())

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(explain_limits() is not None, reason=f"Bytes may differ here. {explain_limits()}"),
]


@pytest.mark.parametrize(
    "masked",
    [
        pytest.param("", id="all features of this processor"),
        pytest.param("glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD", id="glibc without AVX-512"),
    ],
)
def test_every_step_gives_the_recorded_bytes(masked: str) -> None:
    steps = set(RECORDED)
    if not (Project(FOLDER.parents[1]).wheels / MUSICNN.file).is_file():
        steps.discard("embeddings")
    command = [sys.executable, str(FOLDER / "steps.py"), *sorted(steps)]
    environment = os.environ | {"GLIBC_TUNABLES": masked, "TF_CPP_MIN_LOG_LEVEL": "3"}
    printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
    assert json.loads(printed) == {step: RECORDED[step] for step in steps}
