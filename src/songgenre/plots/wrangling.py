"""Figures of notebook 02."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import WIDTH, format_range, label_bars, limit_genres


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
    counts = pd.crosstab(tracks["genre"], tracks["split"])[_present_splits(tracks)]
    genres, title = limit_genres(counts.sum(axis=1), "Songs per genre and split")
    figure, axes = plt.subplots(figsize=(WIDTH, max(3.4, 0.3 * len(genres))))
    colors = sns.color_palette("Blues_r", len(counts.columns) + 1)
    counts.loc[genres].plot.barh(stacked=True, ax=axes, color=colors, width=0.8)
    axes.set(title=title, xlabel="songs", ylabel="")
    axes.invert_yaxis()
    axes.legend(title="split", loc="upper left", bbox_to_anchor=(1, 1))
    parts = [f"{100 * count / len(tracks):.0f} % are {split}" for split, count in counts.sum().items()]
    last = counts.columns[-1]
    shares = format_range(100 * counts[last] / counts.sum(axis=1), "%")
    figure.set_label(f"The splits: {', '.join(parts)}; the share of {last} songs in a genre is {shares}.")
    return figure


def plot_artist_numbers(artists: pd.DataFrame, numbers: list[float]) -> Figure:
    """Plot the numbers that decide the splits of the artists.

    Parameters
    ----------
    artists : pd.DataFrame
        A row per artist, with its ``genre`` and ``split``.
    numbers : list of float [shape=(n_artists,)]
        Number of each artist, 0 to 1.

    Returns
    -------
    Figure
        A row of points per genre, with a point per artist, coloured by split.
    """
    genres, title = limit_genres(artists["genre"].value_counts(), "Numbers of the artists")
    figure, axes = plt.subplots(figsize=(WIDTH, 0.5 * len(genres) + 1))
    sns.stripplot(x=numbers, y=artists["genre"], order=genres, hue=artists["split"], jitter=False, ax=axes)
    sns.move_legend(axes, "upper left", bbox_to_anchor=(1, 1))
    axes.set(title=title, xlabel="number computed from the hash of the name", ylabel="", xlim=(0, 1))
    counts = artists["split"].value_counts()
    parts = [f"{counts[split]} in {split}" for split in _present_splits(artists)]
    figure.set_label(f"{len(artists)} artists or songs without one: {', '.join(parts)}.")
    return figure


def plot_flow(n_offered: int, excluded: pd.DataFrame) -> Figure:
    """Plot how many of the offered songs are left after each reason for exclusion.

    Parameters
    ----------
    n_offered : int
        Number of songs of the catalogue.
    excluded : pd.DataFrame
        `songgenre.tables.excluded.EXCLUDED`.

    Returns
    -------
    Figure
        Waterfall chart: the offered songs, a bar per reason, the most frequent first, and the songs that are used.
    """
    reasons = excluded["reason"].value_counts()
    n_used = n_offered - len(excluded)
    labels, counts = ["offered", *reasons.index, "used"], [n_offered, *reasons, n_used]
    left = [0, *(n_offered - reasons.cumsum()), 0]
    colors = ["tab:blue", *["tab:gray"] * len(reasons), "tab:blue"]
    figure, axes = plt.subplots(figsize=(WIDTH, 0.4 * len(labels) + 1.2))
    axes.barh(labels, counts, left=left, color=colors)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set(title=f"From {n_offered} songs to {n_used}", xlabel="songs", ylabel="", xlim=(0, None))
    label_bars(axes)
    most = f"; the most frequent reason for exclusion is {reasons.index[0]} ({reasons.iloc[0]})" if len(reasons) else ""
    figure.set_label(f"{n_used} of {n_offered} songs are used{most}.")
    return figure


def _present_splits(tracks: pd.DataFrame) -> list[str]:
    return [split for split in ("train", "validation", "test") if split in set(tracks["split"])]
