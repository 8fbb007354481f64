"""Predictions as one self-contained HTML page with player, probabilities and tags over time."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from songgenre.atomic import replacing
from songgenre.predict.formatting import (
    PATCH_S,
    describe_gaps,
    format_time,
    genre_hex_colors,
    percent,
    summary,
    tag_lanes,
)
from songgenre.predict.inference import SongPrediction
from songgenre.predict.inputs import MEGABYTE, STANDARD_INPUT, AudioInput

TEMPLATE = Path(__file__).parent / "page.html.j2"
SITE = Path(__file__).parents[1] / "report" / "templates"
"""Folder with the style of the report site."""
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
    loader = FileSystemLoader([TEMPLATE.parent, SITE])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"percent": percent, "time": format_time}
    songs = [_describe(prediction, threshold, path.parent) for prediction in predictions]
    html = environment.get_template(TEMPLATE.name).render(songs=songs, threshold=threshold, patch_s=PATCH_S)
    with replacing(path) as partial:
        partial.write_text(html, encoding="utf-8", newline="\n")


def _describe(prediction: SongPrediction, threshold: float, folder: Path) -> dict[str, Any]:
    color, index = genre_hex_colors(prediction.windows.columns), prediction.windows.index
    return {
        "name": _name(prediction.song),
        "model": prediction.model.replace("_", " "),
        "verdict": summary(prediction, threshold, percent),
        "probabilities": [(genre, share, color[genre]) for genre, share in prediction.probabilities.items()],
        "windows": [
            (start_s, _stack(shares, color))
            for start_s, (_, shares) in zip(index, prediction.windows.iterrows(), strict=True)
        ],
        "window_s": prediction.window_s,
        "duration_s": prediction.end_s,
        "lanes": tag_lanes(prediction),
        "gaps": describe_gaps(prediction),
        "alt": _alt(prediction),
        "player": _player(prediction, folder),
    }


def _name(song: AudioInput) -> str:
    """Name the file without its folder."""
    return song._replace(name=song.path.name).label if song.name == str(song.path) else song.label


def _stack(shares: pd.Series, color: dict[str, str]) -> list[tuple[str, float, float, str]]:
    """Lay out the bar of a window: its parts from the bottom up, as shares of the height."""
    ordered = shares[sorted(color)]
    tops = (1 - ordered.cumsum()).clip(lower=0)
    return [(genre, tops[genre], share, color[genre]) for genre, share in ordered.items()]


def _alt(prediction: SongPrediction) -> str:
    descriptions = [
        f"{format_time(start_s)} {genre} {percent(share)}"
        for start_s, genre, share in zip(
            prediction.windows.index, prediction.windows.idxmax(axis=1), prediction.windows.max(axis=1), strict=True
        )
    ]
    return (
        f"Stacked bars: probability of each genre in windows of {prediction.window_s:.0f} s. {', '.join(descriptions)}."
    )


def _player(prediction: SongPrediction, folder: Path) -> dict[str, str | None]:
    """Choose the source of the player and the link to the song, relative to the page; None for what is unavailable."""
    name, path = prediction.song.name, prediction.song.path
    relative = Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    address = quote(relative) if name == str(path) else None
    link = address or (None if name == STANDARD_INPUT else name)
    if path.stat().st_size > MAX_EMBEDDED_BYTES:
        return {"plays": address, "link": link}
    content = path.read_bytes()
    kind = next((kind for start, kind in MIME_SUBTYPES.items() if content.startswith(start)), "mpeg")
    return {"plays": f"data:audio/{kind};base64,{base64.b64encode(content).decode()}", "link": link}
