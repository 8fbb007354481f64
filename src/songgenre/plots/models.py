"""Figures that the notebooks of several models share."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import WIDTH, display_name, format_range, limit_genres


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
    genres, title = limit_genres(matrix.sum(axis=1), f"Confusion matrix: {display_name(model)}")
    size = max(1, len(genres) / 9)
    figure, axes = plt.subplots(figsize=(5.8 * size, 4.8 * size))
    sns.heatmap(
        share.loc[genres, genres],
        annot=matrix.loc[genres, genres],
        fmt="d",
        cmap="Blues",
        vmin=0,
        vmax=1,
        square=True,
        ax=axes,
        cbar_kws={"label": "share of the genre"},
    )
    axes.set(title=title, xlabel="predicted genre", ylabel="true genre")
    axes.tick_params(axis="x", rotation=30)
    axes.tick_params(axis="y", rotation=0)
    figure.set_label(_describe_confusions(matrix))
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
        Heat map with the number of artists by genre and rounded accuracy.
    """
    songs = predictions[predictions["model"] == model].merge(tracks[["track_id", "artist_group"]], on="track_id")
    correct = songs["genre"] == songs["predicted"]
    accuracies = correct.groupby([songs["genre"], songs["artist_group"]]).mean()
    by_artist = accuracies.round(1)
    counts = pd.crosstab(by_artist.index.get_level_values("genre"), by_artist.to_numpy())
    counts = counts.reindex(columns=np.arange(11) / 10, fill_value=0)
    title = f"{display_name(model)}: artists by the accuracy on their songs"
    genres, title = limit_genres(songs["genre"].value_counts(), title)
    figure, axes = plt.subplots(figsize=(WIDTH, 0.4 * len(genres) + 1.4))
    sns.heatmap(counts.loc[genres], annot=True, fmt="d", cmap="Blues", ax=axes, cbar_kws={"label": "artists"})
    axes.set(title=title, xlabel="accuracy", ylabel="")
    axes.tick_params(axis="y", rotation=0)
    perfect = (
        f"{(accuracies == 1).sum()} of {len(accuracies)} artists or songs without one have only correct predictions"
    )
    means = accuracies.groupby("genre").mean()
    figure.set_label(f"{perfect}. The mean over those of a genre is {format_range(means, digits=2)}.")
    return figure


def _describe_confusions(matrix: pd.DataFrame) -> str:
    """State the number of correct predictions, and the most frequent confusion if there is one."""
    n_songs, n_correct = matrix.to_numpy().sum(), np.trace(matrix)
    correct = f"{n_correct} of {n_songs} predictions are correct"
    if n_correct == n_songs:
        return f"{correct}."
    confused = matrix.where(~np.eye(len(matrix), dtype=bool), 0).stack()
    genre, predicted = confused.idxmax()
    n_of_genre = matrix.loc[genre].sum()
    return f"{correct}; the most frequent error is {predicted} instead of {genre} ({confused.max()} of {n_of_genre})."
