"""Figures of notebook 06."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from songgenre.plots.style import WIDTH


def plot_training_curves(curve: pd.DataFrame) -> Figure:
    """Plot loss and accuracy against the epoch.

    Parameters
    ----------
    curve : pd.DataFrame
        Learning curve of `songgenre.models.cnn.train`, a row per epoch.

    Returns
    -------
    Figure
        A panel for the loss and one for the accuracy, each with the curves of training and, if there were songs for it,
        of validation.
    """
    splits = ["train", "validation"] if curve["validation_loss"].notna().any() else ["train"]
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
    labels = {"loss": "cross-entropy", "accuracy": "accuracy"}
    for axes, (column, label) in zip(panels, labels.items(), strict=True):
        for split in splits:
            axes.plot(curve["epoch"], curve[f"{split}_{column}"], label=split)
        axes.set(title=label.capitalize(), xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    last, names = curve.iloc[-1], {"train": "in training", "validation": "in validation"}
    scores = [
        f"accuracy {last[f'{split}_accuracy']:.2f} and cross-entropy {last[f'{split}_loss']:.2f} {names[split]}"
        for split in splits
    ]
    figure.set_label(f"After epoch {last['epoch']:.0f}, the last one: {'; '.join(scores)}.")
    return figure


def plot_crops(images: Sequence[np.ndarray]) -> Figure:
    """Plot a crop of a mel spectrogram before the augmentation, and crops after it.

    Parameters
    ----------
    images : sequence of np.ndarray [shape=(n_mels, crop_frames, 1)]
        The crop before the augmentation, then the others, 0 to 255.

    Returns
    -------
    Figure
        A panel per crop.
    """
    figure, panels = plt.subplots(1, len(images), sharey=True, figsize=(WIDTH, 2.6))
    for number, (axes, image) in enumerate(zip(panels, images, strict=True)):
        axes.imshow(image[..., 0], origin="lower", aspect="auto", cmap="magma", vmin=0, vmax=255)
        axes.set(title=f"augmented {number}" if number else "original", xlabel="frame")
        axes.grid(visible=False)
    panels[0].set_ylabel("mel band")
    before, *after = [image.std() for image in images]
    contrast = f"{before:.0f} in the original, {min(after):.0f} to {max(after):.0f} in the augmented crops"
    figure.set_label(f"The standard deviation of the values, 0 to 255, is {contrast}.")
    return figure


def plot_heat_maps(
    images: Sequence[np.ndarray], heats: Sequence[np.ndarray], answers: pd.DataFrame, seconds: float, title: str
) -> Figure:
    """Plot mel spectrograms, each with its heat map (`songgenre.models.gradcam.heat_map`) below.

    Parameters
    ----------
    images, heats : sequence of np.ndarray [shape=(n_mels, n_frames)]
        Mel spectrograms, and their heat maps, 0 to 1.
    answers : pd.DataFrame
        Columns ``genre`` and ``predicted`` of each song.
    seconds : float
        Duration of each spectrogram in s.
    title : str
        Title of the figure.

    Returns
    -------
    Figure
        A column per song.
    """
    n_columns = max(len(images), 1)
    figure, grid = plt.subplots(2, n_columns, figsize=(WIDTH, 4.4), sharex=True, sharey=True, squeeze=False)
    figure.suptitle(title, weight="bold")
    for axes in grid.flat:
        axes.grid(False)
    titles = answers["genre"] + ", predicted " + answers["predicted"]
    for (plain, hot), image, heat, name in zip(grid.T, images, heats, titles, strict=False):
        layout: dict[str, Any] = {"origin": "lower", "aspect": "auto", "extent": (0, seconds, 0, len(image))}
        plain.imshow(image, cmap="magma", **layout)
        plain.set_title(name, fontsize=9, weight="normal")
        hot.imshow(image, cmap="gray", **layout)
        mesh = hot.imshow(heat, cmap="inferno", alpha=0.6, vmin=0, vmax=1, **layout)
        hot.set_xlabel("time (s)")
    for axes in grid[:, 0]:
        axes.set_ylabel("mel band")
    if images:
        figure.colorbar(mesh, ax=grid[1, :], label="support of the genre", aspect=12)
    else:
        grid[0, 0].set_title("no such song", fontsize=9, weight="normal")
    figure.set_label(_describe_support(heats, answers["predicted"], seconds))
    return figure


def _describe_support(heats: Sequence[np.ndarray], predicted: Iterable[str], seconds: float) -> str:
    """Name the place of the strongest support in each heat map."""
    places = []
    for heat, genre in zip(heats, predicted, strict=True):
        band, frame = np.unravel_index(heat.argmax(), heat.shape)
        places.append(f"mel band {band} at {seconds * frame / heat.shape[1]:.1f} s ({genre})")
    return f"From left to right, the strongest support of the prediction is in {', '.join(places)}." if places else ""
