"""Figures of notebook 03."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import librosa
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from songgenre import audio
from songgenre.plots.style import (
    INK,
    MAX_LEVEL_LABELS,
    WIDTH,
    Color,
    format_range,
    genre_colors,
    label_bars,
    limit_genres,
    shorten,
    tilt_labels,
)
from songgenre.runtime import numba_cache  # noqa: F401
from songgenre.tables.columns import count_artists

N_MELS = 128
SMALLEST_POWER = 1e-10
"""Power added to each mel band, so that a silent clip has a mean frequency."""


def plot_counts(tracks: pd.DataFrame) -> Figure:
    """Plot the number of songs and of artists per genre.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.

    Returns
    -------
    Figure
        Bar chart with two bars per genre.
    """
    counts = {genre: (len(songs), count_artists(songs)) for genre, songs in tracks.groupby("genre")}
    per_genre = pd.DataFrame.from_dict(counts, orient="index", columns=["songs", "artists"]).rename_axis("genre")
    genres, title = limit_genres(per_genre["songs"], "Songs and artists per genre")
    long = per_genre.loc[genres].reset_index().melt("genre", var_name="of", value_name="number")
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    sns.barplot(long, x="genre", y="number", hue="of", ax=axes, palette=["tab:blue", "tab:gray"])
    axes.set(title=title, xlabel="", ylabel="number")
    tilt_labels(axes)
    axes.margins(y=0.15)
    axes.legend(title="", loc="upper left", bbox_to_anchor=(1, 1))
    if len(genres) <= MAX_LEVEL_LABELS:
        label_bars(axes)
    songs, artists = (format_range(per_genre[column], column) for column in ("songs", "artists"))
    figure.set_label(f"The genres have {songs}, and {artists}.")
    return figure


def plot_by_genre(table: pd.DataFrame, column: str, title: str, unit: str) -> Figure:
    """Plot the distribution of a number per genre.

    Parameters
    ----------
    table : pd.DataFrame
        A row per song, with its ``genre``.
    column : str
        Column with the number.
    title : str
        Title of the figure.
    unit : str
        Unit of the number.

    Returns
    -------
    Figure
        Box plot with a box per genre.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    order, shown = limit_genres(table["genre"].value_counts(), title)
    style = {
        "order": order,
        "hue": "genre",
        "hue_order": order,
        "palette": genre_colors(order),
        "linecolor": INK,
        "ax": axes,
    }
    sns.boxplot(table, x="genre", y=column, fliersize=3, boxprops={"alpha": 0.6}, legend=False, **style)
    axes.set(title=shown, xlabel="", ylabel=f"{title.lower()} ({unit})")
    tilt_labels(axes)
    figure.set_label(f"The median of a genre is {format_range(table.groupby('genre')[column].median(), unit, 1)}.")
    return figure


def plot_waveforms_and_spectrograms(
    tracks: pd.DataFrame, folder: Path, sample_rate: int, colors: Mapping[str, Color]
) -> Figure:
    """Plot the waveforms and the mel spectrograms of clips.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    folder : Path
        Folder of the collected audio.
    sample_rate : int
        Sample rate in Hz, to which the clips are resampled.
    colors : mapping
        From genre to colour of the waveform.

    Returns
    -------
    Figure
        A column per track: the waveform, and the spectrogram below.

    Raises
    ------
    UserError
        If a clip cannot be decoded.
    """
    figure, grid = plt.subplots(2, len(tracks), figsize=(WIDTH, 4.4), sharex=True, sharey="row", squeeze=False)
    bands, centers = librosa.mel_frequencies(N_MELS + 2, fmax=sample_rate / 2)[1:-1], []
    for column, (track, clip) in enumerate(zip(tracks.itertuples(), audio.clips(tracks, folder), strict=True)):
        y = audio.load_clip(clip, sample_rate)
        wave, spectrogram = grid[:, column]
        librosa.display.waveshow(y, sr=sample_rate, ax=wave, color=colors[track.genre])
        wave.set(ylim=(-1, 1), xlabel="")
        wave.label_outer()
        wave.set_title(f"{track.genre}\n{shorten(track.title)}", fontsize=9)
        power = librosa.feature.melspectrogram(y=y, sr=sample_rate, hop_length=2048, n_mels=N_MELS)
        centers.append(np.average(bands, weights=power.sum(axis=1) + SMALLEST_POWER))
        mesh = librosa.display.specshow(
            librosa.power_to_db(power, ref=np.max),
            sr=sample_rate,
            hop_length=2048,
            x_axis="time",
            y_axis="mel",
            ax=spectrogram,
            cmap="magma",
        )
        spectrogram.set(xlabel="time (s)", ylabel="frequency (Hz)" if column == 0 else "")
        spectrogram.xaxis.set_major_locator(MultipleLocator(10))
    grid[0, 0].set_ylabel("amplitude")
    figure.colorbar(mesh, ax=grid[1, :], label="level (dB)", aspect=12)
    names = [f"{track.genre}, {shorten(track.title)}" for track in tracks.itertuples()]
    figure.set_label(f"The mean frequency, weighted by energy, is {format_range(pd.Series(centers, names), 'Hz')}.")
    return figure
