"""Predictions as text for a terminal, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from songgenre.audio.tags import Tags
from songgenre.models import musicnn
from songgenre.predict.inference import SongPrediction
from songgenre.redaction import printable

COLORS = (
    "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9",
)  # fmt: skip
"""Seaborn's palette for color-blind readers, as in the notebooks."""


N_TAGS = 3
"""Number of tags in texts."""
N_WINDOW_TAGS, N_JSON_TAGS, N_LANES = 5, 10, 8
PATCH_S = musicnn.PATCH_FRAMES * musicnn.HOP_LENGTH / musicnn.SAMPLE_RATE
"""Length of the patches for which the network predicts tags, in seconds."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of what a spreadsheet takes for a formula."""
MIN_GAP_S = 1.0
"""Shortest part without a prediction that is explained, in seconds."""


class TagLane(NamedTuple):
    """A tag over time.

    Parameters
    ----------
    tag : str
        The tag.
    mean : float
        Mean probability of the tag.
    patches : list of (float, float)
        Start in seconds and probability in each patch of `PATCH_S`.
    """

    tag: str
    mean: float
    patches: list[tuple[float, float]]


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


def percent(share: float) -> str:
    """Format a probability for a page.

    Parameters
    ----------
    share : float
        Probability, 0 to 1.

    Returns
    -------
    str
        Such as ``68 %``, with a no-break space.
    """
    return f"{100 * share:.0f}\u00a0%"


def summary(prediction: SongPrediction, threshold: float, form: Callable[[float], str] = "{:.2f}".format) -> str:
    """Summarize a prediction in a few words.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.
    form : callable
        Formats a probability, such as `percent`.

    Returns
    -------
    str
        Genre and probability; *unsure* and the two most probable genres; or *outside*, the most probable tags and the
        nearest genre.
    """
    first, *rest = (f"{genre} {form(share)}" for genre, share in prediction.probabilities.items())
    if prediction.is_outside:
        return f"outside: none of the genres (tags: {', '.join(prediction.top_tags(N_TAGS))}); nearest: {first}"
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


def tag_lanes(prediction: SongPrediction) -> list[TagLane]:
    """Lay out the most probable tags over time.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.

    Returns
    -------
    list of TagLane
        The tags, the most probable first; empty if the model computes none.
    """
    if prediction.taggram is None:
        return []
    taggram = prediction.taggram[list(prediction.top_tags(N_LANES))]
    return [TagLane(str(tag), float(shares.mean()), list(shares.items())) for tag, shares in taggram.items()]


def describe_gaps(prediction: SongPrediction) -> str:
    """Explain which parts of a song are not predicted.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.

    Returns
    -------
    str
        A sentence; empty if the whole song is predicted.
    """
    starts = list(prediction.windows.index)
    ends = [0.0, *(start_s + prediction.window_s for start_s in starts)]
    edges = zip(ends, [*starts, prediction.end_s], strict=True)
    gaps = [
        f"{format_time(end_s)} to {format_time(start_s)}" for end_s, start_s in edges if start_s - end_s >= MIN_GAP_S
    ]
    if not gaps:
        return ""
    return (
        f"Without a prediction: {' and '.join(gaps)}, because the model predicts whole windows of "
        f"{prediction.window_s:.0f} s around the middle that are not silent."
    )


def render_song(prediction: SongPrediction, threshold: float, with_tags: bool = False) -> RenderableType:
    """Render a song for the terminal: its summary, a strip of its windows and a legend.

    Each window shows the letter of its most probable genre, in lower case if that is less probable than `threshold`,
    so that the strip can be read without colors.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.
    with_tags : bool
        Whether to list the most probable tags of each window.

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
        legend.append(f" {printable(genre)} {share:.2f}  ")
    legend.rstrip()
    title = f"{prediction.song.label}: {printable(summary(prediction, threshold))}"
    lines = [Text(title, style="bold"), strip, legend]
    if with_tags and prediction.tags is not None:
        for start_s, tags in prediction.tags.iterrows():
            top = ", ".join(f"{tag} {share:.2f}" for tag, share in tags.nlargest(N_WINDOW_TAGS).items())
            lines.append(Text(f"  {format_time(start_s)}  {top}"))
    return Group(*lines)


def as_record(prediction: SongPrediction, threshold: float) -> dict[str, Any]:
    """Summarize a song for a file.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.
    threshold : float
        A song whose most probable genre is less probable than this is *unsure*.

    Returns
    -------
    dict
        ``file``, ``genre``, ``probabilities``, ``unsure``, ``outside`` (probability that the song has none of the
        genres; None if the model does not tell), ``is_outside``, ``tags`` (of the network), ``model`` and
        ``file_tags``.
    """
    return {
        "file": prediction.song.name,
        "genre": prediction.genre,
        "probabilities": prediction.probabilities.to_dict(),
        "unsure": prediction.is_unsure(threshold),
        "outside": prediction.outside,
        "is_outside": prediction.is_outside,
        "tags": prediction.top_tags(N_JSON_TAGS),
        "model": prediction.model,
        "file_tags": prediction.song.tags._asdict(),
    }


def as_json(prediction: SongPrediction, threshold: float) -> str:
    """Format a song as one line of JSON.

    Parameters
    ----------
    prediction : SongPrediction
        The prediction.
    threshold : float
        As for `as_record`.

    Returns
    -------
    str
        JSON object with the fields of `as_record`.
    """
    return json.dumps(as_record(prediction, threshold))


def as_csv(predictions: Iterable[SongPrediction], threshold: float) -> Iterator[str]:
    """Format songs as CSV.

    Parameters
    ----------
    predictions : iterable of SongPrediction
        The predictions.
    threshold : float
        As for `as_record`.

    Yields
    ------
    str
        The header, then a line for each song, without line breaks. A text that a spreadsheet would take for a formula
        begins with an apostrophe.
    """
    genres: Sequence[str] = ()
    for prediction in predictions:
        if not genres:
            genres = sorted(prediction.windows.columns)
            yield csv_line(csv_header(genres))
        yield csv_line(csv_row(as_record(prediction, threshold), genres))


def csv_header(genres: Iterable[str]) -> list[str]:
    """Name the columns of a table of songs.

    Parameters
    ----------
    genres : iterable of str
        Genres of the model.

    Returns
    -------
    list of str
        The names.
    """
    named = ["file", "genre", "unsure", "outside", "is_outside", "model", "artist", "title"]
    return [*named, *(f"p_{genre}" for genre in genres)]


def csv_row(record: Mapping[str, Any], genres: Iterable[str]) -> list[str]:
    """Format the fields of a song for a table.

    Parameters
    ----------
    record : mapping
        Result of `as_record`.
    genres : iterable of str
        Genres of the model.

    Returns
    -------
    list of str
        A value for each column of `csv_header`. A text that a spreadsheet would take for a formula begins with an
        apostrophe.
    """
    tags = Tags(**record["file_tags"])
    return [
        _as_text(printable(record["file"])),
        _as_text(record["genre"]),
        str(record["unsure"]).lower(),
        "" if record["outside"] is None else f"{record['outside']:.6g}",
        str(record["is_outside"]).lower(),
        _as_text(record["model"]),
        _as_text(tags.performer or ""),
        _as_text(tags.title or ""),
        *(f"{record['probabilities'][genre]:.6g}" for genre in genres),
    ]


def _as_text(text: str) -> str:
    """Mark what a spreadsheet would take for a formula as text, with an apostrophe."""
    return f"'{text}" if len(text) > 1 and text.startswith(FORMULA) else text


def csv_line(values: Sequence[str]) -> str:
    """Join values with commas.

    Parameters
    ----------
    values : sequence of str
        The values.

    Returns
    -------
    str
        A line of CSV, without a line break at its end.
    """
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().removesuffix("\r\n")
