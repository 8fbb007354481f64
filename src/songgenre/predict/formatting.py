"""What the models say, to read in a terminal or by a program."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from songgenre.predict.inference import Judgement

COLOURS = (
    "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9",
)  # fmt: skip
"""Those of the figures in the notebooks: seaborn's palette for the colour-blind."""


def colours(genres: Iterable[str]) -> dict[str, str]:
    """One colour per genre, the same as in the notebooks."""
    return {genre: COLOURS[number % len(COLOURS)] for number, genre in enumerate(sorted(genres))}


def letters(genres: Iterable[str]) -> dict[str, str]:
    """A letter for each genre, of its name where one is left."""
    chosen: dict[str, str] = {}
    for genre in sorted(genres):
        candidates = [letter for letter in f"{genre.upper()}ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter.isalpha()]
        chosen[genre] = next((letter for letter in candidates if letter not in chosen.values()), "?")
    return chosen


def verdict(judgement: Judgement, threshold: float) -> str:
    """The genre and its probability, or that the model is unsure, and between which two."""
    first, *rest = (f"{genre} {share:.2f}" for genre, share in judgement.probabilities.items())
    return f"unsure: {' or '.join([first, *rest[:1]])}" if judgement.is_unsure(threshold) else first


def clock(seconds: float) -> str:
    """Minutes and seconds, such as ``3:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def shown(judgement: Judgement, threshold: float) -> RenderableType:
    """A song in the terminal: the verdict, a strip of its windows, and a legend with the probabilities.

    Each window shows the letter of its likeliest genre, small where that is less probable than `threshold`; so the
    strip can be read without colours, too.
    """
    letter, colour = letters(judgement.windows.columns), colours(judgement.windows.columns)
    end_s = judgement.windows.index[-1] + judgement.window_s
    strip = Text(f"  {clock(judgement.windows.index[0])} ")
    for genre, share in zip(judgement.windows.idxmax(axis=1), judgement.windows.max(axis=1), strict=True):
        sign = letter[genre] if share >= threshold else letter[genre].lower()
        strip.append(f" {sign} ", style=f"black on {colour[genre]}")
    strip.append(f" {clock(end_s)}")
    legend = Text("  ")
    for genre, share in judgement.probabilities.items():
        legend.append(f" {letter[genre]} ", style=f"black on {colour[genre]}")
        legend.append(f" {genre} {share:.2f}  ")
    legend.rstrip()
    return Group(Text(f"{judgement.song.title}: {verdict(judgement, threshold)}", style="bold"), strip, legend)


def as_json(judgement: Judgement, threshold: float) -> str:
    """A song as one line of JSON."""
    return json.dumps(
        {
            "file": judgement.song.name,
            "genre": judgement.genre,
            "probabilities": judgement.probabilities.to_dict(),
            "unsure": judgement.is_unsure(threshold),
            "model": judgement.model,
        }
    )


def as_csv(judgements: Iterable[Judgement], threshold: float) -> Iterator[str]:
    """Songs as lines of CSV: the names of the columns, then a line per song."""
    genres: Sequence[str] = ()
    for judgement in judgements:
        if not genres:
            genres = sorted(judgement.windows.columns)
            yield _line(["file", "genre", "unsure", "model", *(f"p_{genre}" for genre in genres)])
        unsure = str(judgement.is_unsure(threshold)).lower()
        shares = judgement.probabilities[list(genres)]
        yield _line([judgement.song.title, judgement.genre, unsure, judgement.model, *(f"{p:.6g}" for p in shares)])


def _line(values: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
