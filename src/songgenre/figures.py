"""The figures of the notebooks: seaborn, one colour per genre throughout."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import librosa
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Image, display
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MultipleLocator

from songgenre import audio, numba_cache  # noqa: F401

Colour = tuple[float, float, float]

WIDTH = 9.0


def use_style() -> None:
    """Set the look of all figures and tables of a notebook."""
    pd.set_option("display.max_colwidth", None)
    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.9)
    plt.rcParams |= {"figure.dpi": 110, "axes.titleweight": "bold", "figure.constrained_layout.use": True}


def show(figure: Figure, alt: str) -> None:
    """Display a figure in a notebook, with a text that says what it shows to those who cannot see it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    display(Image(buffer.getvalue(), format="png", metadata={"alt": alt}))


def genre_colours(genres: Iterable[str]) -> dict[str, Colour]:
    """One colour per genre, the same in every figure of a corpus."""
    names = sorted(set(genres))
    return dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))


def listings(listed: pd.DataFrame) -> Figure:
    """Songs that a source lists under each genre (``genres``); a song may be listed more than once."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3))
    sns.countplot(listed, y="genres", order=sorted(listed["genres"].unique()), ax=axes, color="tab:blue")
    axes.set(title="Songs listed under each genre", xlabel="songs", ylabel="")
    _label_bars(axes)
    return figure


def splits(tracks: pd.DataFrame) -> Figure:
    """Songs per genre and split."""
    counts = pd.crosstab(tracks["genre"], tracks["split"])[_present_splits(tracks)]
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    counts.plot.barh(stacked=True, ax=axes, color=sns.color_palette("Blues_r", len(counts.columns) + 1), width=0.8)
    axes.set(title="Songs per genre and split", xlabel="songs", ylabel="")
    axes.invert_yaxis()
    axes.legend(title="split", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def exclusions(excluded: pd.DataFrame) -> Figure:
    """How many songs were excluded for which reason."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3))
    order = excluded["reason"].value_counts().index
    sns.countplot(excluded, y="reason", order=order, ax=axes, color="tab:gray")
    axes.set(title="Songs that were excluded", xlabel="songs", ylabel="")
    _label_bars(axes)
    return figure


def counts(tracks: pd.DataFrame) -> Figure:
    """Songs and artists per genre."""
    per_genre = tracks.groupby("genre").agg(songs=("track_id", "size"), artists=("artist_group", "nunique"))
    long = per_genre.reset_index().melt("genre", var_name="of", value_name="number")
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    sns.barplot(long, x="genre", y="number", hue="of", ax=axes, palette=["tab:blue", "tab:gray"])
    axes.set(title="Songs and artists per genre", xlabel="", ylabel="number")
    axes.margins(y=0.15)
    axes.legend(title="", loc="upper left", bbox_to_anchor=(1, 1))
    _label_bars(axes)
    return figure


def by_genre(table: pd.DataFrame, column: str, title: str, label: str) -> Figure:
    """Distribution of a number per genre."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    order = sorted(table["genre"].unique())
    style = {"order": order, "hue": "genre", "hue_order": order, "palette": genre_colours(order), "ax": axes}
    sns.boxplot(table, x="genre", y=column, fliersize=3, boxprops={"alpha": 0.6}, legend=False, **style)
    axes.set(title=title, xlabel="", ylabel=label)
    return figure


def waveforms_and_spectrograms(
    tracks: pd.DataFrame, folder: Path, sample_rate: int, colours: Mapping[str, Colour]
) -> Figure:
    """Waveform and mel spectrogram of the clips of tracks, one above the other, a column per track.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.TRACKS`.
    folder : Path
        That of the collected audio.
    sample_rate : int
        In Hz.
    colours : mapping
        From genre to colour.
    """
    figure, grid = plt.subplots(2, len(tracks), figsize=(WIDTH, 4.4), sharex=True, sharey="row", squeeze=False)
    for column, (track, clip) in enumerate(zip(tracks.itertuples(), audio.clips(tracks, folder), strict=True)):
        y = audio.load(clip, sample_rate)
        wave, spectrogram = grid[:, column]
        librosa.display.waveshow(y, sr=sample_rate, ax=wave, color=colours[track.genre])
        wave.set(ylim=(-1, 1), xlabel="")
        wave.label_outer()
        wave.set_title(f"{track.genre}\n{_shortened(track.title)}", fontsize=9)
        power = librosa.feature.melspectrogram(y=y, sr=sample_rate, hop_length=2048)
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
    return figure


def mel_gallery(mel: np.ndarray, index: pd.DataFrame, tracks: pd.DataFrame, songs_per_genre: int) -> Figure:
    """Mel images of the first songs of each genre, a row per genre."""
    genres = sorted(tracks["genre"].unique())
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
    for genre, line in zip(genres, grid, strict=True):
        chosen = tracks[tracks["genre"] == genre].head(songs_per_genre)
        for axes in line:
            axes.grid(False)
        for axes, (_, song) in zip(line, chosen.iterrows(), strict=False):
            image = mel[rows[song["track_id"]]]
            axes.imshow(image, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 0, mel.shape[1]))
            axes.set_title(_shortened(song["title"]), fontsize=8, weight="normal")
        line[0].set_ylabel(f"{genre}\nmel band", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("time (s)", fontsize=9)
    figure.suptitle("Mel spectrograms, as the CNN sees them", weight="bold")
    return figure


def descriptor_distributions(descriptors: pd.DataFrame, genres: pd.Series, units: Mapping[str, str]) -> Figure:
    """Distribution of descriptors per genre, a panel each.

    Parameters
    ----------
    descriptors : pd.DataFrame [shape=(n_tracks, n_panels)]
    genres : pd.Series [shape=(n_tracks,)]
    units : mapping
        From column to unit.
    """
    n_columns = 3
    n_rows = -(-len(descriptors.columns) // n_columns)
    figure, grid = plt.subplots(n_rows, n_columns, figsize=(WIDTH, 2.3 * n_rows), squeeze=False)
    order = sorted(genres.unique())
    for axes, name in zip(grid.flat, descriptors.columns, strict=False):
        sns.kdeplot(
            x=descriptors[name],
            hue=genres,
            hue_order=order,
            palette=genre_colours(order),
            common_norm=False,
            warn_singular=False,
            fill=True,
            alpha=0.15,
            ax=axes,
            legend=False,
        )
        axes.set(title=name, xlabel=units[name], ylabel="")
        axes.set_yticks([])
    for axes in grid.flat[len(descriptors.columns) :]:
        axes.set_axis_off()
    handles = [Patch(facecolor=colour, alpha=0.5, label=genre) for genre, colour in genre_colours(order).items()]
    figure.legend(handles=handles, title="genre", loc="outside right upper")
    figure.suptitle("Descriptors per genre (density over songs)", weight="bold")
    return figure


def correlations(descriptors: pd.DataFrame) -> Figure:
    """Correlation of descriptors with each other."""
    figure, axes = plt.subplots(figsize=(WIDTH, 7.2))
    sns.heatmap(
        descriptors.corr(),
        cmap="vlag",
        vmin=-1,
        vmax=1,
        square=True,
        xticklabels=True,
        yticklabels=True,
        ax=axes,
        cbar_kws={"label": "correlation", "shrink": 0.6},
    )
    axes.tick_params(labelsize=7)
    axes.set_title("Correlation of the descriptors over songs")
    return figure


def tags(probabilities: pd.DataFrame, title: str) -> Figure:
    """Mean probability of tags, a row per genre and a column per tag."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.4 * len(probabilities) + 1.8))
    bar = {"label": "probability"}
    sns.heatmap(probabilities, annot=True, fmt=".2f", cmap="Blues", vmin=0, vmax=1, ax=axes, cbar_kws=bar)
    axes.set(title=title, xlabel="tag", ylabel="genre")
    axes.tick_params(axis="x", rotation=40)
    axes.tick_params(axis="y", rotation=0)
    return figure


def embedding_map(places: np.ndarray, genres: pd.Series) -> Figure:
    """Songs in the plane.

    Parameters
    ----------
    places : np.ndarray [shape=(n_tracks, 2)]
        Their first two principal components.
    genres : pd.Series [shape=(n_tracks,)]
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 5))
    colours = genre_colours(genres)
    x, y = places.T
    sns.scatterplot(
        x=x, y=y, hue=genres.to_numpy(), style=genres.to_numpy(), palette=colours, hue_order=colours, ax=axes
    )
    axes.set(title="Songs by their embedding", xlabel="first component", ylabel="second component")
    axes.legend(title="genre", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _label_bars(axes: Axes) -> None:
    for bars in axes.containers:
        if isinstance(bars, BarContainer):
            axes.bar_label(bars, padding=3)


def _present_splits(tracks: pd.DataFrame) -> list[str]:
    return [split for split in ("train", "validation", "test") if split in set(tracks["split"])]


def _shortened(title: str | None) -> str:
    text = "untitled" if pd.isna(title) else str(title).replace("$", r"\$")
    return text if len(text) <= 24 else text[:23] + "…"
