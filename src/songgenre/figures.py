"""The figures of the notebooks: seaborn, one colour per genre throughout."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

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

from songgenre import audio

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


def model_comparison(table: pd.DataFrame, baseline: float) -> Figure:
    """Accuracy of models with its 95 % interval.

    Parameters
    ----------
    table : pd.DataFrame
        Of `songgenre.evaluation.comparison`.
    baseline : float
        Accuracy of always naming the most frequent genre.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.5 * len(table) + 1.4))
    position = np.arange(len(table))
    errors = [table["accuracy"] - table["low"], table["high"] - table["accuracy"]]
    axes.barh(position, table["accuracy"], xerr=errors, color="tab:blue", alpha=0.75, capsize=4, ecolor="0.25")
    axes.axvline(baseline, color="tab:red", linestyle="--", label=f"baseline {baseline:.2f}")
    axes.set_yticks(position, [name.replace("_", " ") for name in table.index])
    axes.invert_yaxis()
    axes.set(title="Accuracy on artists never heard, with 95 % interval", xlabel="accuracy", xlim=(0, 1))
    axes.legend(loc="lower right")
    return figure


def confusion(matrix: pd.DataFrame, title: str) -> Figure:
    """Confusion matrix: how many songs, coloured by the share of their genre."""
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
    axes.set(title=title, xlabel="predicted genre", ylabel="true genre")
    axes.tick_params(axis="x", rotation=30)
    axes.tick_params(axis="y", rotation=0)
    return figure


def learning_curves(curve: pd.DataFrame) -> Figure:
    """Loss and accuracy per epoch, of training and of validation (`songgenre.models.cnn.train`)."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
    labels = {"loss": "cross-entropy", "accuracy": "accuracy"}
    for axes, (column, label) in zip(panels, labels.items(), strict=True):
        for split in ("train", "validation"):
            axes.plot(curve["epoch"], curve[f"{split}_{column}"], label=split)
        axes.set(title=label.capitalize(), xlabel="epoch", ylabel=label)
        axes.legend()
    return figure


def heat_maps(
    images: Sequence[np.ndarray], heats: Sequence[np.ndarray], titles: Sequence[str], seconds: float, title: str
) -> Figure:
    """Mel images, and below each where a network found its genre (`songgenre.models.gradcam.heat_map`).

    Parameters
    ----------
    images, heats : sequence of np.ndarray [shape=(n_mels, n_frames)]
    titles : sequence of str
        Of each image.
    seconds : float
        Duration of each.
    title : str
    """
    n_columns = max(len(images), 1)
    figure, grid = plt.subplots(2, n_columns, figsize=(WIDTH, 4.4), sharex=True, sharey=True, squeeze=False)
    figure.suptitle(title, weight="bold")
    for axes in grid.flat:
        axes.grid(False)
    for (plain, hot), image, heat, name in zip(grid.T, images, heats, titles, strict=False):
        placed: dict[str, Any] = {"origin": "lower", "aspect": "auto", "extent": (0, seconds, 0, len(image))}
        plain.imshow(image, cmap="magma", **placed)
        plain.set_title(name.replace("$", r"\$"), fontsize=8, weight="normal")
        hot.imshow(image, cmap="gray", **placed)
        mesh = hot.imshow(heat, cmap="inferno", alpha=0.6, vmin=0, vmax=1, **placed)
        hot.set_xlabel("time (s)")
    for axes in grid[:, 0]:
        axes.set_ylabel("mel band")
    if images:
        figure.colorbar(mesh, ax=grid[1, :], label="speaks for the genre", aspect=12)
    else:
        grid[0, 0].set_title("no such song", fontsize=8, weight="normal")
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
