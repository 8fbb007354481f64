"""Figures that the notebooks of several models share."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import WIDTH, display_name, genre_colors


def plot_confusion(matrix: pd.DataFrame, model: str) -> Figure:
    """Plot the confusion matrix of a model.

    Parameters
    ----------
    matrix : pd.DataFrame [shape=(n_genres, n_genres)]
        Result of `songgenre.evaluation.metrics.confusion_table`.
    model : str
        Name of the model.

    Returns
    -------
    Figure
        Heat map with the numbers of songs; the colour is their share of the true genre.
    """
    share = matrix.div(matrix.sum(axis=1).clip(lower=1), axis=0)
    figure, axes = plt.subplots(figsize=(5.8, 4.8))
    sns.heatmap(
        share,
        annot=matrix,
        fmt="d",
        cmap="Blues",
        vmin=0,
        vmax=1,
        square=True,
        ax=axes,
        cbar_kws={"label": "share of the genre"},
    )
    axes.set(title=f"Confusion matrix: {display_name(model)}", xlabel="predicted genre", ylabel="true genre")
    axes.tick_params(axis="x", rotation=30)
    axes.tick_params(axis="y", rotation=0)
    return figure


def plot_artists(predictions: pd.DataFrame, tracks: pd.DataFrame, model: str) -> Figure:
    """Plot the accuracy of a model on the songs of each artist.

    Parameters
    ----------
    predictions : pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, which holds the artists.
    model : str
        Name of the model.

    Returns
    -------
    Figure
        A row per genre, with a point per artist.
    """
    songs = predictions[predictions["model"] == model].merge(tracks[["track_id", "artist_group"]], on="track_id")
    correct = (songs["genre"] == songs["predicted"]).rename("accuracy")
    by_artist = correct.groupby([songs["genre"], songs["artist_group"]]).mean().reset_index()
    colors = genre_colors(by_artist["genre"])
    figure, axes = plt.subplots(figsize=(WIDTH, 0.5 * len(colors) + 1.2))
    style = {"order": list(colors), "hue": "genre", "hue_order": list(colors), "palette": colors, "legend": False}
    sns.swarmplot(by_artist, x="accuracy", y="genre", ax=axes, warn_thresh=1, **style)
    title = f"{display_name(model)}: accuracy on the songs of each artist"
    axes.set(title=title, xlabel="accuracy", ylabel="", xlim=(-0.02, 1.02))
    return figure
