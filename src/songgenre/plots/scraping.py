"""Figures of notebook 01."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import WIDTH, format_range, label_bars, limit_genres


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
    n_songs = listed["genres"].value_counts()
    genres, title = limit_genres(n_songs, "Songs listed under each genre")
    figure, axes = plt.subplots(figsize=(WIDTH, max(3, 0.3 * len(genres))))
    sns.countplot(listed, y="genres", order=genres, ax=axes, color="tab:blue")
    axes.set(title=title, xlabel="songs", ylabel="")
    label_bars(axes)
    figure.set_label(f"The genres have {format_range(n_songs, 'songs')}.")
    return figure
