"""Style of all figures, with one colour per genre."""

from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.collections import Collection, QuadMesh
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

Color = tuple[float, float, float]

WIDTH = 9.0
DPI = 110
PICTURE_DPI = 88
"""Resolution of meshes and pictures within a figure."""

PAPER, INK, LINE = "#fcfcfa", "#20262b", "#cccccc"
"""Colours of the background, of text and of grid lines."""

DARK = {PAPER: "#14181b", INK: "#e4e7e6", LINE: "#333b42", "#000000": "#e4e7e6"}
"""From colour to the one that replaces it where the reader prefers dark pages, as in ``style.css`` of the site.

The colours of data stay the same, as does the text in the cells of heat maps.
"""

MAX_POINTS = 2000
"""Collections of more points become pictures within the figure, as meshes do, which keeps the figure small."""

MAX_GENRES = 20
"""Largest number of genres that a figure shows with a bar, a row or a colour for each."""

MAX_LEVEL_LABELS = 8
"""Largest number of genres whose names fit side by side."""

MARKERS = "os^DPvX*"
"""Markers of genres; with more genres they repeat, in other colours."""


def use_style() -> None:
    """Set the style of all figures and tables of a notebook; dollar signs in names enclose no formulas."""
    pd.set_option("display.max_colwidth", None)
    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.9)
    plt.rcParams |= {
        "figure.dpi": DPI,
        "axes.titleweight": "bold",
        "figure.constrained_layout.use": True,
        "text.parse_math": False,
        "svg.hashsalt": "songgenre",
    }
    plt.rcParams |= dict.fromkeys(["figure.facecolor", "axes.facecolor", "patch.edgecolor"], PAPER)
    plt.rcParams |= dict.fromkeys(["text.color", "axes.labelcolor", "xtick.color", "ytick.color"], INK)
    plt.rcParams |= dict.fromkeys(["grid.color", "axes.edgecolor", "legend.edgecolor"], LINE)


def show(figure: Figure, alt: str, caption: str = "") -> None:
    """Display a figure in a notebook, and close it.

    Parameters
    ----------
    figure : Figure
        Figure to display. Functions of `songgenre.plots` state the finding as its label.
    alt : str
        Text alternative: a description of the figure for readers who cannot see it.
    caption : str
        Finding, in a sentence; without one, the label of the figure.
    """
    svg = draw_svg(figure)
    plt.close(figure)
    about = {"alt": alt, "caption": caption or figure.get_label(), "width": round(figure.get_figwidth() * DPI)}
    display({"image/svg+xml": svg}, raw=True, metadata={"image/svg+xml": about})


def draw_svg(figure: Figure) -> str:
    """Draw a figure that follows light and dark pages.

    Parameters
    ----------
    figure : Figure
        Figure in the style of `use_style`.

    Returns
    -------
    str
        SVG, the same text for the same figure.
    """
    for collection in figure.findobj(Collection):
        collection.set_rasterized(isinstance(collection, QuadMesh) or _count_points(collection) > MAX_POINTS)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=PICTURE_DPI, metadata=dict.fromkeys(["Creator", "Date", "Format", "Type"]))
    rules = "".join(
        f'[style*="{part}: {light}"] {{ {part}: {dark} !important }}\n'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )
    return buffer.getvalue().replace(
        "</defs>", f"<style>@media (prefers-color-scheme: dark) {{\n{rules}}}</style>\n</defs>", 1
    )


def show_table(table: pd.DataFrame, otherwise: str) -> None:
    """Display a table in a notebook, or a sentence if it has no rows.

    Parameters
    ----------
    table : pd.DataFrame
        Table to display.
    otherwise : str
        Sentence to display instead, as Markdown.
    """
    display(table if len(table) else Markdown(otherwise))


def genre_colors(genres: Iterable[str]) -> dict[str, Color]:
    """Assign a colour to each genre, the same in every figure of a corpus.

    Parameters
    ----------
    genres : iterable of str
        Names of genres; repetitions are allowed.

    Returns
    -------
    dict
        From genre, in alphabetical order, to red, green and blue, 0 to 1.
    """
    names = sorted(set(genres))
    return dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))


def genre_markers(genres: Iterable[str]) -> dict[str, str]:
    """Assign a marker to each genre, the same in every figure and on every map of a corpus.

    Parameters
    ----------
    genres : iterable of str
        Names of genres; repetitions are allowed.

    Returns
    -------
    dict
        From genre, in alphabetical order, to one of Matplotlib's markers in `MARKERS`.
    """
    return dict(zip(sorted(set(genres)), cycle(MARKERS), strict=False))


def limit_genres(n_songs: pd.Series, title: str) -> tuple[list[str], str]:
    """Choose the genres that a figure shows: of many, those with the most songs.

    Parameters
    ----------
    n_songs : pd.Series
        Number of songs of each genre.
    title : str
        Title of the figure.

    Returns
    -------
    genres : list of str
        At most `MAX_GENRES` genres in alphabetical order.
    title : str
        The title, which says so if not all genres are shown.
    """
    if len(n_songs) <= MAX_GENRES:
        return sorted(n_songs.index), title
    largest = n_songs.sort_values(ascending=False, kind="stable").index[:MAX_GENRES]
    return sorted(largest), f"{title} (largest {MAX_GENRES} of {len(n_songs)} genres)"


def tilt_labels(axes: Axes) -> None:
    """Tilt the names of many genres below bars, so that they do not overlap.

    Parameters
    ----------
    axes : Axes
        Axes with a genre at each place of the horizontal axis.
    """
    if len(axes.get_xticklabels()) > MAX_LEVEL_LABELS:
        plt.setp(axes.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")


def label_bars(axes: Axes) -> None:
    """Write the value of every bar beside it.

    Parameters
    ----------
    axes : Axes
        Axes with a bar chart.
    """
    for bars in axes.containers:
        if isinstance(bars, BarContainer):
            axes.bar_label(bars, padding=3)


def format_range(values: pd.Series, unit: str = "", digits: int = 0) -> str:
    """Format the smallest and the largest of several values, and whose they are.

    Parameters
    ----------
    values : pd.Series
        Numbers; the index names the genre, song or model of each.
    unit : str
        Unit of the numbers.
    digits : int
        Number of decimals.

    Returns
    -------
    str
        Part of a sentence; ``none`` if there are no numbers.

    Examples
    --------
    >>> print(format_range(pd.Series({"rock": 41, "jazz": 38}), "songs"))
    from 38 (jazz) to 41 songs (rock)
    >>> print(format_range(pd.Series({"rock": 40, "jazz": 40}), "songs"))
    40 songs each
    """
    if values.isna().all():
        return "none"
    low, high = f"{values.min():,.{digits}f}", f"{values.max():,.{digits}f}"
    unit = unit and f" {unit}"
    if low == high:
        return f"{low}{unit} each"
    return f"from {low} ({values.idxmin()}) to {high}{unit} ({values.idxmax()})"


def shorten(title: str | None) -> str:
    """Shorten a title to the width of a panel.

    Parameters
    ----------
    title : str or None
        Title of a song.

    Returns
    -------
    str
        At most 24 characters; ``untitled`` if there is no title.
    """
    text = "untitled" if pd.isna(title) else str(title)
    return text if len(text) <= 24 else text[:23] + "…"


def display_name(model: str) -> str:
    """Format the name of a model for readers.

    Parameters
    ----------
    model : str
        Name of a model in the code, such as ``linear_svc``.

    Returns
    -------
    str
        Name in reports, such as ``linear svc`` or ``CNN``.
    """
    return {"cnn": "CNN", "svm": "SVM"}.get(model, model.replace("_", " "))


def _count_points(collection: Collection) -> int:
    return max(len(np.asarray(collection.get_offsets())), *map(len, collection.get_paths()), 0)
