"""Figures that the notebooks of several models share."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import display_name


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
