"""Predictions as one self-contained HTML page with player, probabilities and a chart over time."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from songgenre.atomic import replacing
from songgenre.predict.formatting import format_time, genre_hex_colors, summary
from songgenre.predict.inference import SongPrediction
from songgenre.predict.inputs import MEGABYTE, STANDARD_INPUT

TEMPLATE = Path(__file__).parent / "page.html.j2"
MAX_EMBEDDED_BYTES = 5 * MEGABYTE
"""Largest song that the page embeds, in bytes; the page links to a larger one."""

MIME_SUBTYPES = {
    b"ID3": "mpeg",
    b"RIFF": "wav",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"FORM": "aiff",
    b".snd": "basic",
}
"""MIME subtype of a file by its first bytes."""


def write(predictions: Sequence[SongPrediction], threshold: float, path: Path) -> None:
    """Write the page; an existing file is replaced.

    Parameters
    ----------
    predictions : sequence of SongPrediction
        The predictions, in the order of the page.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.
    path : Path
        HTML file to write.
    """
    environment = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined)
    songs = [_describe(prediction, threshold) for prediction in predictions]
    html = environment.get_template(TEMPLATE.name).render(songs=songs, threshold=threshold)
    with replacing(path) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")


def _describe(prediction: SongPrediction, threshold: float) -> dict[str, Any]:
    text, color = summary(prediction, threshold), genre_hex_colors(prediction.windows.columns)
    return {
        "name": prediction.song.label,
        "model": prediction.model.replace("_", " "),
        "verdict": text,
        "probabilities": [(genre, share, color[genre]) for genre, share in prediction.probabilities.items()],
        "bars": [_bar(number, prediction, color) for number in range(len(prediction.windows))],
        "end": format_time(prediction.windows.index[-1] + prediction.window_s),
        "alt": _alt(prediction),
        "player": _player(prediction),
    }


def _bar(number: int, prediction: SongPrediction, color: dict[str, str]) -> dict[str, Any]:
    """Lay out the bar of a window: its parts from the bottom up, as shares of the height."""
    start_s, shares = prediction.windows.index[number], prediction.windows.iloc[number][sorted(color)]
    tops = (1 - shares.cumsum()).clip(lower=0)
    parts = [(genre, tops[genre], share, color[genre]) for genre, share in shares.items()]
    return {
        "number": number,
        "start": format_time(start_s),
        "end": format_time(start_s + prediction.window_s),
        "parts": parts,
    }


def _alt(prediction: SongPrediction) -> str:
    descriptions = [
        f"{format_time(start_s)} {genre} {share:.2f}"
        for start_s, genre, share in zip(
            prediction.windows.index, prediction.windows.idxmax(axis=1), prediction.windows.max(axis=1), strict=True
        )
    ]
    return (
        f"Stacked bars: probability of each genre in windows of {prediction.window_s:.0f} s. {', '.join(descriptions)}."
    )


def _player(prediction: SongPrediction) -> dict[str, str | None]:
    """Choose the source of the player and the link to the song; None for what is unavailable."""
    name, path = prediction.song.name, prediction.song.path
    address = path.resolve().as_uri() if name == str(path) else None
    link = address or (None if name == STANDARD_INPUT else name)
    if path.stat().st_size > MAX_EMBEDDED_BYTES:
        return {"plays": address, "link": link}
    content = path.read_bytes()
    kind = next((kind for start, kind in MIME_SUBTYPES.items() if content.startswith(start)), "mpeg")
    return {"plays": f"data:audio/{kind};base64,{base64.b64encode(content).decode()}", "link": link}
