"""What a model says of songs, as one page that needs nothing else: player, picture over time, probabilities."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from songgenre.atomic import replacing
from songgenre.predict.formatting import clock, colours, verdict
from songgenre.predict.inference import Judgement
from songgenre.predict.inputs import MEGABYTE, STANDARD_INPUT

TEMPLATE = Path(__file__).parent / "page.html.j2"
MOST_EMBEDDED = 5 * MEGABYTE
"""Bytes of a song that becomes part of the page; of a larger one, the page links to the file."""

KINDS = {
    b"ID3": "mpeg",
    b"RIFF": "wav",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"FORM": "aiff",
    b".snd": "basic",
}
"""By how a file begins, the name of its format to a browser."""


def write(judgements: Sequence[Judgement], threshold: float, path: Path) -> None:
    """Write the page, in place of what was there.

    Parameters
    ----------
    judgements : sequence of Judgement
    threshold : float
        Least probability of an answer that is sure.
    path : Path
    """
    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined)
    songs = [_described(judgement, threshold) for judgement in judgements]
    html = environment.get_template(TEMPLATE.name).render(songs=songs, threshold=threshold)
    with replacing(path) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")


def _described(judgement: Judgement, threshold: float) -> dict[str, Any]:
    said, colour = verdict(judgement, threshold), colours(judgement.windows.columns)
    return {
        "name": judgement.song.title,
        "model": judgement.model.replace("_", " "),
        "verdict": said,
        "probabilities": [(genre, share, colour[genre]) for genre, share in judgement.probabilities.items()],
        "bars": [_bar(number, judgement, colour) for number in range(len(judgement.windows))],
        "end": clock(judgement.windows.index[-1] + judgement.window_s),
        "alt": _alt(judgement),
        "player": _player(judgement),
    }


def _bar(number: int, judgement: Judgement, colour: dict[str, str]) -> dict[str, Any]:
    """A window of the picture: its parts from the bottom up, as shares of the height."""
    start_s, shares = judgement.windows.index[number], judgement.windows.iloc[number][sorted(colour)]
    tops = (1 - shares.cumsum()).clip(lower=0)
    parts = [(genre, tops[genre], share, colour[genre]) for genre, share in shares.items()]
    return {"number": number, "start": clock(start_s), "end": clock(start_s + judgement.window_s), "parts": parts}


def _alt(judgement: Judgement) -> str:
    told = [
        f"{clock(start_s)} {genre} {share:.2f}"
        for start_s, genre, share in zip(
            judgement.windows.index, judgement.windows.idxmax(axis=1), judgement.windows.max(axis=1), strict=True
        )
    ]
    return f"Stacked bars: probability of each genre in windows of {judgement.window_s:.0f} s. {', '.join(told)}."


def _player(judgement: Judgement) -> dict[str, str | None]:
    """What is played, and where the song is; None for what there is not."""
    name, path = judgement.song
    here = path.resolve().as_uri() if name == str(path) else None
    link = here or (None if name == STANDARD_INPUT else name)
    if path.stat().st_size > MOST_EMBEDDED:
        return {"plays": here, "link": link}
    content = path.read_bytes()
    kind = next((kind for start, kind in KINDS.items() if content.startswith(start)), "mpeg")
    return {"plays": f"data:audio/{kind};base64,{base64.b64encode(content).decode()}", "link": link}
