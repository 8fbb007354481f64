"""Figures of notebook 05."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import INK, WIDTH, display_name


def plot_learning_curve(curve: pd.DataFrame, model: str) -> Figure:
    """Plot the accuracy of a model against the number of training songs.

    Parameters
    ----------
    curve : pd.DataFrame
        Result of `songgenre.models.diagnostics.learning_curve`.
    model : str
        Name of the model.

    Returns
    -------
    Figure
        Mean accuracy over folds, with its standard deviation.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.2))
    sns.lineplot(curve, x="songs", y="accuracy", errorbar="sd", marker="o", ax=axes)
    axes.set(
        title=f"Learning curve: {display_name(model)}",
        xlabel="training songs",
        ylabel="accuracy, mean and standard\ndeviation over folds",
    )
    return figure


def plot_importance(table: pd.DataFrame, model: str) -> Figure:
    """Plot the loss of accuracy when the values of a descriptor are permuted.

    Parameters
    ----------
    table : pd.DataFrame
        Result of `songgenre.models.diagnostics.grouped_permutation_importance`.
    model : str
        Name of the model.

    Returns
    -------
    Figure
        Bar chart with a bar per descriptor: mean over the permutations, with the standard deviation.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.28 * table["descriptor"].nunique() + 1.2))
    sns.barplot(
        table, y="descriptor", x="loss", errorbar="sd", err_kws={"color": INK}, color="tab:blue", alpha=0.75, ax=axes
    )
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set(
        title=f"Importance of the descriptors: {display_name(model)}",
        xlabel="loss of accuracy when the descriptor is permuted over songs",
        ylabel="",
    )
    return figure


def plot_protocols(table: pd.DataFrame, model: str) -> Figure:
    """Plot the accuracy of one model in several evaluation protocols.

    Parameters
    ----------
    table : pd.DataFrame
        Result of `songgenre.models.diagnostics.evaluation_protocols`.
    model : str
        Name of the model.

    Returns
    -------
    Figure
        Bar chart with a bar per protocol.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.45 * len(table) + 1.2))
    labels = [f"{row.test} ({row.songs})" for row in table.itertuples()]
    bars = axes.barh(labels, table["accuracy"], color="tab:blue", alpha=0.75)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.invert_yaxis()
    axes.set(title=f"Accuracy by kind of split: {display_name(model)}", xlabel="accuracy", xlim=(0, 1.08))
    return figure
