"""Style of all figures, with one colour per genre."""

from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython.display import Image, Markdown, display
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

Color = tuple[float, float, float]

WIDTH = 9.0

MARKERS = "os^DPvX*"
"""Markers of genres; with more genres they repeat, in other colours."""


def use_style() -> None:
    """Set the style of all figures and tables of a notebook; dollar signs in names enclose no formulas."""
    pd.set_option("display.max_colwidth", None)
    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.9)
    plt.rcParams |= {
        "figure.dpi": 110,
        "axes.titleweight": "bold",
        "figure.constrained_layout.use": True,
        "text.parse_math": False,
    }


def show(figure: Figure, alt: str) -> None:
    """Display a figure in a notebook, and close it.

    Parameters
    ----------
    figure : Figure
        Figure to display.
    alt : str
        Text alternative: a description of the figure for readers who cannot see it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    display(Image(buffer.getvalue(), format="png", metadata={"alt": alt}))


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
