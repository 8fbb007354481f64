"""Figures of notebook 01."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import WIDTH, format_range, label_bars


def plot_listings(listed: pd.DataFrame) -> Figure:
    """Plot the number of songs that a source lists under each genre.

    Parameters
    ----------
    listed : pd.DataFrame
        A row per song and genre, with the genre in the column ``genres``.

    Returns
    -------
    Figure
        Bar chart with a bar per genre.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3))
    sns.countplot(listed, y="genres", order=sorted(listed["genres"].unique()), ax=axes, color="tab:blue")
    axes.set(title="Songs listed under each genre", xlabel="songs", ylabel="")
    label_bars(axes)
    figure.set_label(f"The genres have {format_range(listed['genres'].value_counts(), 'songs')}.")
    return figure
