"""Records of songs, as the journal of a library holds them."""

from collections.abc import Callable
from typing import Any

import pytest

Record = dict[str, Any]


@pytest.fixture(scope="session")
def record() -> Callable[..., Record]:
    """A song that is rock, or as told."""

    def make(file: str, rock: float = 0.8, is_outside: bool = False, **tags: str) -> Record:
        return {
            "file": file,
            "genre": "rock" if rock >= 0.5 else "jazz",
            "probabilities": {"rock": rock, "jazz": 1 - rock},
            "unsure": max(rock, 1 - rock) < 0.6,
            "outside": 0.9 if is_outside else 0.1,
            "is_outside": is_outside,
            "tags": {"guitar": 0.5},
            "model": "pretrained",
            "file_tags": dict.fromkeys(("artist", "album_artist", "title", "genre", "year")) | tags,
        }

    return make
