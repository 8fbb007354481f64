"""What the models say, to read in a terminal or by a program."""

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
"""Those of the figures in the notebooks: seaborn's palette for the colour-blind."""


def genre_hex_colors(genres: Iterable[str]) -> dict[str, str]:
    """One colour per genre, the same as in the notebooks."""
    return {genre: COLORS[number % len(COLORS)] for number, genre in enumerate(sorted(genres))}


def genre_letters(genres: Iterable[str]) -> dict[str, str]:
    """A letter for each genre, of its name where one is left."""
    chosen: dict[str, str] = {}
    for genre in sorted(genres):
        candidates = [letter for letter in f"{genre.upper()}ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter.isalpha()]
        chosen[genre] = next((letter for letter in candidates if letter not in chosen.values()), "?")
    return chosen


def summary(prediction: SongPrediction, threshold: float) -> str:
    """The genre and its probability, or that the model is unsure, and between which two."""
    first, *rest = (f"{genre} {share:.2f}" for genre, share in prediction.probabilities.items())
    return f"unsure: {' or '.join([first, *rest[:1]])}" if prediction.is_unsure(threshold) else first


def format_time(seconds: float) -> str:
    """Minutes and seconds, such as ``3:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def render_song(prediction: SongPrediction, threshold: float) -> RenderableType:
    """A song in the terminal: the verdict, a strip of its windows, and a legend with the probabilities.

    Each window shows the letter of its likeliest genre, small where that is less probable than `threshold`; so the
    strip can be read without colours, too.
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
    return Group(Text(f"{prediction.song.title}: {summary(prediction, threshold)}", style="bold"), strip, legend)


def as_json(prediction: SongPrediction, threshold: float) -> str:
    """A song as one line of JSON."""
    return json.dumps(
        {
            "file": prediction.song.name,
            "genre": prediction.genre,
            "probabilities": prediction.probabilities.to_dict(),
            "unsure": prediction.is_unsure(threshold),
            "model": prediction.model,
        }
    )


def as_csv(predictions: Iterable[SongPrediction], threshold: float) -> Iterator[str]:
    """Songs as lines of CSV: the names of the columns, then a line per song."""
    genres: Sequence[str] = ()
    for prediction in predictions:
        if not genres:
            genres = sorted(prediction.windows.columns)
            yield _line(["file", "genre", "unsure", "model", *(f"p_{genre}" for genre in genres)])
        unsure = str(prediction.is_unsure(threshold)).lower()
        shares = prediction.probabilities[list(genres)]
        yield _line([prediction.song.title, prediction.genre, unsure, prediction.model, *(f"{p:.6g}" for p in shares)])


def _line(values: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
