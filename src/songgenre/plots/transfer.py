"""Figures of notebook 07."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial import KDTree

from songgenre.plots.style import INK, WIDTH, genre_colors, genre_markers, limit_genres


def plot_tags(probabilities: pd.DataFrame, title: str) -> Figure:
    """Plot the mean probability of tags per genre.

    Parameters
    ----------
    probabilities : pd.DataFrame [shape=(n_genres, n_tags)]
        Mean probabilities, 0 to 1.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        Heat map with a row per genre and a column per tag.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.4 * len(probabilities) + 1.8))
    bar = {"label": "probability"}
    sns.heatmap(probabilities, annot=True, fmt=".2f", cmap="Blues", vmin=0, vmax=1, ax=axes, cbar_kws=bar)
    axes.set(title=title, xlabel="tag", ylabel="genre")
    axes.tick_params(axis="x", rotation=40)
    axes.tick_params(axis="y", rotation=0)
    genre, tag = probabilities.stack().idxmax()
    figure.set_label(f"{tag} has the highest mean, {probabilities[tag][genre]:.2f} in the genre {genre}.")
    return figure


def plot_embedding_map(places: np.ndarray, genres: pd.Series) -> Figure:
    """Plot songs by the first two principal components of their embeddings.

    Parameters
    ----------
    places : np.ndarray [shape=(n_tracks, 2)]
        First two principal components of each song.
    genres : pd.Series [shape=(n_tracks,)]
        Genre of each song.

    Returns
    -------
    Figure
        Scatter plot with a colour and a marker per genre, those of the page Listen.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 5))
    shown, title = limit_genres(genres.value_counts(), "Principal components of the embeddings")
    colors, markers = genre_colors(genres), genre_markers(genres)
    for genre in shown:
        x, y = places[genres == genre].T
        axes.scatter(x, y, color=colors[genre], marker=markers[genre], label=genre, edgecolor="w")
    axes.set(title=title, xlabel="first component", ylabel="second component")
    axes.legend(title="genre", loc="upper left", bbox_to_anchor=(1, 1))
    nearest = KDTree(places).query(places, k=2)[1][:, 1]
    n_alike = (genres.to_numpy() == genres.to_numpy()[nearest]).sum()
    figure.set_label(f"The nearest song on this map is of the same genre for {n_alike} of {len(genres)} songs.")
    return figure


def plot_genre_tree(embeddings: np.ndarray, genres: pd.Series) -> Figure:
    """Plot which genres are near each other.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n_tracks, n_dimensions)]
        Embedding of each song.
    genres : pd.Series [shape=(n_tracks,)]
        Genre of each song.

    Returns
    -------
    Figure
        Dendrogram of the mean embeddings of the genres (average linkage of Euclidean distances).
    """
    means = pd.DataFrame(embeddings).groupby(genres.to_numpy()).mean()
    figure, axes = plt.subplots(figsize=(WIDTH, 0.4 * len(means) + 1.2))
    tree = linkage(means, method="average")
    style = {"color_threshold": 0, "above_threshold_color": INK, "leaf_font_size": plt.rcParams["ytick.labelsize"]}
    dendrogram(tree, labels=means.index.tolist(), orientation="right", ax=axes, **style)
    axes.set(title="Genres by the distance of their mean embeddings", xlabel="distance")
    first, second, distance, _ = tree[0]
    nearest = f"{means.index[int(first)]} and {means.index[int(second)]}"
    figure.set_label(f"{nearest} are nearest (distance {distance:.1f}); the last groups join at {tree[-1, 2]:.1f}.")
    return figure
