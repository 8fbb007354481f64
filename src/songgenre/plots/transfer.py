"""Figures of notebook 07."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import WIDTH, genre_colors


def plot_tags(probabilities: pd.DataFrame, title: str) -> Figure:
    """Mean probability of tags, a row per genre and a column per tag."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.4 * len(probabilities) + 1.8))
    bar = {"label": "probability"}
    sns.heatmap(probabilities, annot=True, fmt=".2f", cmap="Blues", vmin=0, vmax=1, ax=axes, cbar_kws=bar)
    axes.set(title=title, xlabel="tag", ylabel="genre")
    axes.tick_params(axis="x", rotation=40)
    axes.tick_params(axis="y", rotation=0)
    return figure


def plot_embedding_map(places: np.ndarray, genres: pd.Series) -> Figure:
    """Songs in the plane.

    Parameters
    ----------
    places : np.ndarray [shape=(n_tracks, 2)]
        Their first two principal components.
    genres : pd.Series [shape=(n_tracks,)]
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 5))
    colors = genre_colors(genres)
    x, y = places.T
    sns.scatterplot(x=x, y=y, hue=genres.to_numpy(), style=genres.to_numpy(), palette=colors, hue_order=colors, ax=axes)
    axes.set(title="Songs by their embedding", xlabel="first component", ylabel="second component")
    axes.legend(title="genre", loc="upper left", bbox_to_anchor=(1, 1))
    return figure
