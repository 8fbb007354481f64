"""The look of all figures: seaborn, one color per genre throughout."""

from __future__ import annotations

import io
from collections.abc import Iterable

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython.display import Image, display
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

Color = tuple[float, float, float]

WIDTH = 9.0


def use_style() -> None:
    """Set the look of all figures and tables of a notebook."""
    pd.set_option("display.max_colwidth", None)
    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.9)
    plt.rcParams |= {"figure.dpi": 110, "axes.titleweight": "bold", "figure.constrained_layout.use": True}


def show(figure: Figure, alt: str) -> None:
    """Display a figure in a notebook, with a text that says what it shows to those who cannot see it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    display(Image(buffer.getvalue(), format="png", metadata={"alt": alt}))


def genre_colors(genres: Iterable[str]) -> dict[str, Color]:
    """Map each genre to a color, the same in every figure of a corpus."""
    names = sorted(set(genres))
    return dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))


def label_bars(axes: Axes) -> None:
    """Write the value of every bar beside it."""
    for bars in axes.containers:
        if isinstance(bars, BarContainer):
            axes.bar_label(bars, padding=3)


def shorten(title: str | None) -> str:
    """Cut a title to the width of a panel, without mathematics."""
    text = "untitled" if pd.isna(title) else str(title).replace("$", r"\$")
    return text if len(text) <= 24 else text[:23] + "…"


def display_name(model: str) -> str:
    """Name of a model as a reader knows it."""
    return {"cnn": "CNN", "svm": "SVM"}.get(model, model.replace("_", " "))
