"""Figures of notebook 06."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

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
        A panel for the loss and one for the accuracy, each with the curves of training and validation.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
    labels = {"loss": "cross-entropy", "accuracy": "accuracy"}
    for axes, (column, label) in zip(panels, labels.items(), strict=True):
        for split in ("train", "validation"):
            axes.plot(curve["epoch"], curve[f"{split}_{column}"], label=split)
        axes.set(title=label.capitalize(), xlabel="epoch", ylabel=label)
        axes.legend()
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
    return figure
