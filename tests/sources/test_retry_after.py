from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from songgenre.sources.download import parse_retry_after


@pytest.mark.parametrize(("header", "seconds"), [("0", 0), (" 120 ", 120)])
def test_seconds(header: str, seconds: float) -> None:
    assert parse_retry_after(header) == seconds


@pytest.mark.parametrize("header", ["", "soon", "-3", "1.5", "Fri, 31 February"])
def test_what_is_neither_seconds_nor_a_date_asks_for_nothing(header: str) -> None:
    assert parse_retry_after(header) is None


def test_date_is_read_with_its_zone_and_as_universal_time_without_one() -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    with_zone = format_datetime(later.astimezone(), usegmt=False)
    without_zone = later.strftime("%a, %d %b %Y %H:%M:%S")
    assert parse_retry_after(with_zone) == pytest.approx(7200, abs=120)
    assert parse_retry_after(without_zone) == pytest.approx(7200, abs=120)


def test_date_that_has_passed_asks_for_no_wait() -> None:
    assert parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0
