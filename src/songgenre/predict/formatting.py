"""Predictions as text for a terminal, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from songgenre.predict.inference import SongPrediction

COLORS = (
    "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9",
)  # fmt: skip
"""Seaborn's palette for color-blind readers, as in the notebooks."""


def genre_hex_colors(genres: Iterable[str]) -> dict[str, str]:
    """Choose a color for each genre, the same as in the notebooks.

    Parameters
    ----------
    genres : iterable of str
        Names of the genres.

    Returns
    -------
    dict
        Hexadecimal color of each genre.
    """
    return {genre: COLORS[number % len(COLORS)] for number, genre in enumerate(sorted(genres))}


def genre_letters(genres: Iterable[str]) -> dict[str, str]:
    """Choose a letter for each genre, from its name if one is free.

    Parameters
    ----------
    genres : iterable of str
        Names of the genres.

    Returns
    -------
    dict
        Capital letter of each genre.
    """
    chosen: dict[str, str] = {}
    for genre in sorted(genres):
        candidates = [letter for letter in f"{genre.upper()}ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter.isalpha()]
        chosen[genre] = next((letter for letter in candidates if letter not in chosen.values()), "?")
    return chosen


def summary(prediction: SongPrediction, threshold: float) -> str:
    """Summarize a prediction in a few words.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.

    Returns
    -------
    str
        Genre and probability, or *unsure* and the two most probable genres.
    """
    first, *rest = (f"{genre} {share:.2f}" for genre, share in prediction.probabilities.items())
    return f"unsure: {' or '.join([first, *rest[:1]])}" if prediction.is_unsure(threshold) else first


def format_time(seconds: float) -> str:
    """Format a time as minutes and seconds.

    Parameters
    ----------
    seconds : float
        Time in seconds.

    Returns
    -------
    str
        Such as ``3:05``.
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def render_song(prediction: SongPrediction, threshold: float) -> RenderableType:
    """Render a song for the terminal: its summary, a strip of its windows and a legend.

    Each window shows the letter of its most probable genre, in lower case if that is less probable than `threshold`,
    so that the strip can be read without colors.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.

    Returns
    -------
    rich.console.RenderableType
        Text to print with rich.
    """
    letter, color = genre_letters(prediction.windows.columns), genre_hex_colors(prediction.windows.columns)
    end_s = prediction.windows.index[-1] + prediction.window_s
    strip = Text(f"  {format_time(prediction.windows.index[0])} ")
    for genre, share in zip(prediction.windows.idxmax(axis=1), prediction.windows.max(axis=1), strict=True):
        sign = letter[genre] if share >= threshold else letter[genre].lower()
        strip.append(f" {sign} ", style=f"black on {color[genre]}")
    strip.append(f" {format_time(end_s)}")
    legend = Text("  ")
    for genre, share in prediction.probabilities.items():
        legend.append(f" {letter[genre]} ", style=f"black on {color[genre]}")
        legend.append(f" {genre} {share:.2f}  ")
    legend.rstrip()
    return Group(Text(f"{prediction.song.label}: {summary(prediction, threshold)}", style="bold"), strip, legend)


def as_json(prediction: SongPrediction, threshold: float) -> str:
    """Format a song as one line of JSON.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.

    Returns
    -------
    str
        JSON object with ``file``, ``genre``, ``probabilities``, ``unsure``, ``model`` and ``tags``.
    """
    return json.dumps(
        {
            "file": prediction.song.name,
            "genre": prediction.genre,
            "probabilities": prediction.probabilities.to_dict(),
            "unsure": prediction.is_unsure(threshold),
            "model": prediction.model,
            "tags": prediction.song.tags._asdict(),
        }
    )


def as_csv(predictions: Iterable[SongPrediction], threshold: float) -> Iterator[str]:
    """Format songs as CSV.

    Parameters
    ----------
    predictions : iterable of SongPrediction
        The predictions.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.

    Yields
    ------
    str
        The header, then a line for each song, without line breaks.
    """
    genres: Sequence[str] = ()
    for prediction in predictions:
        if not genres:
            genres = sorted(prediction.windows.columns)
            yield _line(["file", "genre", "unsure", "model", "artist", "title", *(f"p_{genre}" for genre in genres)])
        unsure = str(prediction.is_unsure(threshold)).lower()
        shares = prediction.probabilities[list(genres)]
        tags = prediction.song.tags
        known = [tags.performer or "", tags.title or ""]
        song = [prediction.song.title, prediction.genre, unsure, prediction.model, *known]
        yield _line([*song, *(f"{share:.6g}" for share in shares)])


def _line(values: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
