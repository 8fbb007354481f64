import os
import sys

import pytest

from songgenre.runtime.native_stderr import suppress_native_stderr


def test_what_c_code_writes_to_the_standard_error_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    with suppress_native_stderr():
        os.write(2, b"a note")
        os.write(1, b"an answer")
    assert capfd.readouterr() == ("an answer", "")


def test_standard_error_is_back_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    print("before", file=sys.stderr, flush=False)
    with suppress_native_stderr():
        os.write(2, b"hidden")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def test_errors_pass_and_standard_error_is_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), suppress_native_stderr():
        raise ZeroDivisionError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_no_file_stays_open() -> None:
    def next_descriptor() -> int:
        descriptor = os.dup(0)
        os.close(descriptor)
        return descriptor

    before = next_descriptor()
    for _ in range(3):
        with suppress_native_stderr():
            pass
    assert next_descriptor() == before


def test_may_be_nested(capfd: pytest.CaptureFixture[str]) -> None:
    with suppress_native_stderr():
        with suppress_native_stderr():
            pass
        os.write(2, b"hidden")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
