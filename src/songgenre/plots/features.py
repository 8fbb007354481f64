"""Figures of notebook 04."""

from __future__ import annotations

from collections.abc import Container

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from sklearn.feature_selection import f_classif

from songgenre.features.descriptors import DEFINITIONS, FEATURE_SETS
from songgenre.plots.style import WIDTH, format_range, genre_colors, limit_genres, shorten
from songgenre.tables.mel_images import MelImages

STRONG_CORRELATION = 0.8
"""Absolute correlations above this are counted."""
MAX_SONGS_SHOWN = 10_000
"""Songs whose descriptors are plotted."""


def choose_songs(tracks: pd.DataFrame) -> pd.DataFrame:
    """Choose the songs whose descriptors are plotted, evenly over the corpus.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.

    Returns
    -------
    pd.DataFrame
        At most `MAX_SONGS_SHOWN` of the rows, in the same order.
    """
    rows = np.linspace(0, len(tracks) - 1, min(len(tracks), MAX_SONGS_SHOWN)).astype(int)
    return tracks.iloc[rows].reset_index(drop=True)


def plot_mel_gallery(mel: MelImages, index: pd.DataFrame, tracks: pd.DataFrame, songs_per_genre: int) -> Figure:
    """Plot the mel spectrograms of the first songs of each genre.

    Parameters
    ----------
    mel : np.ndarray [shape=(n_tracks, n_mels, n_frames), dtype=uint8]
        Mel spectrograms of all songs.
    index : pd.DataFrame
        `songgenre.tables.mel_index.MEL_INDEX`, which assigns a row of `mel` to each song.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    songs_per_genre : int
        Number of songs per genre.

    Returns
    -------
    Figure
        A row per genre.
    """
    genres, title = limit_genres(tracks["genre"].value_counts(), "Mel spectrograms, the input of the CNN")
    rows = index.set_index("track_id")["row"]
    seconds = mel.shape[2] * index["hop_length"].iloc[0] / index["sample_rate"].iloc[0]
    figure, grid = plt.subplots(
        len(genres),
        songs_per_genre,
        figsize=(WIDTH, 1.45 * len(genres)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    brightness = {}
    for genre, line in zip(genres, grid, strict=True):
        songs = tracks[tracks["genre"] == genre].head(songs_per_genre)
        brightness[genre] = np.mean([mel[row].mean() for row in rows[songs["track_id"]]])
        for axes in line:
            axes.grid(False)
        for axes, (_, song) in zip(line, songs.iterrows(), strict=False):
            image = mel[rows[song["track_id"]]]
            axes.imshow(image, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 0, mel.shape[1]))
            axes.set_title(shorten(song["title"]), fontsize=9, weight="normal")
        line[0].set_ylabel(f"{genre}\nmel band", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("time (s)", fontsize=9)
    figure.suptitle(title, weight="bold")
    figure.set_label(f"The mean of the values, 0 to 255, is {format_range(pd.Series(brightness))}.")
    return figure


def plot_descriptor_distributions(descriptors: pd.DataFrame, genres: pd.Series) -> Figure:
    """Plot the distribution of the descriptors of the basic set per genre: of means, and of the first of several rows.

    Parameters
    ----------
    descriptors : pd.DataFrame
        `songgenre.tables.descriptors.DESCRIPTORS`.
    genres : pd.Series [shape=(n_tracks,)]
        Genre of each song.

    Returns
    -------
    Figure
        A panel per descriptor, with a density per genre.
    """
    names = {column: name for name in FEATURE_SETS["basic"] if (column := _representative(name, descriptors.columns))}
    n_columns = 3
    n_rows = -(-len(names) // n_columns)
    figure, grid = plt.subplots(n_rows, n_columns, figsize=(WIDTH, 2.3 * n_rows), squeeze=False)
    order, title = limit_genres(genres.value_counts(), "Descriptors per genre (density over songs)")
    for axes, (column, name) in zip(grid.flat, names.items(), strict=False):
        sns.kdeplot(
            x=descriptors[column],
            hue=genres,
            hue_order=order,
            palette=genre_colors(order),
            common_norm=False,
            gridsize=100,
            warn_singular=False,
            fill=True,
            alpha=0.15,
            ax=axes,
            legend=False,
        )
        axes.set(title=column, xlabel=DEFINITIONS[name].unit, ylabel="")
        axes.set_yticks([])
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    handles = [Patch(facecolor=color, alpha=0.5, label=genre) for genre, color in genre_colors(order).items()]
    figure.legend(handles=handles, title="genre", loc="outside right upper")
    figure.suptitle(title, weight="bold")
    if varying := [column for column in names if descriptors[column].nunique() > 1]:
        with np.errstate(all="ignore"):
            f_values = pd.Series(f_classif(descriptors[varying], genres)[0], varying)
        figure.set_label(f"The F value of the differences between genres is {format_range(f_values)}.")
    return figure


def plot_correlations(descriptors: pd.DataFrame) -> Figure:
    """Plot the correlation matrix of descriptors.

    Parameters
    ----------
    descriptors : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Descriptors of the songs.

    Returns
    -------
    Figure
        Heat map of the matrix.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.17 * descriptors.shape[1] + 1.8))
    matrix = descriptors.corr()
    sns.heatmap(
        matrix,
        cmap="vlag",
        vmin=-1,
        vmax=1,
        xticklabels=True,
        yticklabels=True,
        ax=axes,
        cbar_kws={"label": "correlation", "shrink": 0.6},
    )
    axes.tick_params(labelsize=9)
    axes.set_title("Correlation of the descriptors over songs")
    pairs = matrix.where(np.triu(np.ones(matrix.shape, dtype=bool), 1)).stack().dropna().abs()
    if len(pairs):
        n_strong, closest = (pairs > STRONG_CORRELATION).sum(), " and ".join(pairs.idxmax())
        figure.set_label(
            f"{n_strong} of {len(pairs)} pairs have an absolute correlation above {STRONG_CORRELATION}; "
            f"the highest is that of {closest}, {pairs.max():.2f}."
        )
    return figure


def _representative(name: str, columns: Container[str]) -> str | None:
    """Select the column that stands for a descriptor, if there is one."""
    return next((column for column in (name, f"{name}_mean", f"{name}_01_mean") if column in columns), None)
