"""Figures of notebook 02."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import WIDTH, label_bars


def plot_splits(tracks: pd.DataFrame) -> Figure:
    """Plot the number of songs per genre and split.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.

    Returns
    -------
    Figure
        Bar chart with a bar per genre, which consists of the splits.
    """
    plot_counts = pd.crosstab(tracks["genre"], tracks["split"])[_present_splits(tracks)]
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    plot_counts.plot.barh(
        stacked=True, ax=axes, color=sns.color_palette("Blues_r", len(plot_counts.columns) + 1), width=0.8
    )
    axes.set(title="Songs per genre and split", xlabel="songs", ylabel="")
    axes.invert_yaxis()
    axes.legend(title="split", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def plot_exclusions(excluded: pd.DataFrame) -> Figure:
    """Plot the number of excluded songs per reason.

    Parameters
    ----------
    excluded : pd.DataFrame
        `songgenre.tables.excluded.EXCLUDED`.

    Returns
    -------
    Figure
        Bar chart with a bar per reason, the most frequent first.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3))
    order = excluded["reason"].value_counts().index
    sns.countplot(excluded, y="reason", order=order, ax=axes, color="tab:gray")
    axes.set(title="Songs that were excluded", xlabel="songs", ylabel="")
    label_bars(axes)
    return figure


def _present_splits(tracks: pd.DataFrame) -> list[str]:
    return [split for split in ("train", "validation", "test") if split in set(tracks["split"])]
