"""Figures of notebook 05."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import INK, MARKERS, WIDTH, display_name, format_range

SMALL_LOSS = 0.01
"""Losses of accuracy below this are counted."""


def plot_learning_curves(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot the accuracy of models against the number of training songs.

    Parameters
    ----------
    curves : mapping
        From the name of a model to its `songgenre.models.diagnostics.learning_curve`; the first has a band.

    Returns
    -------
    Figure
        Mean accuracy over folds, a line per model; the band is the standard deviation of the first.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.8))
    means = pd.DataFrame(
        {display_name(model): curve.groupby("songs")["accuracy"].mean() for model, curve in curves.items()}
    )
    for number, (name, curve) in enumerate(zip(means, curves.values(), strict=True)):
        errorbar, marker = None if number else "sd", MARKERS[number % len(MARKERS)]
        sns.lineplot(curve, x="songs", y="accuracy", errorbar=errorbar, marker=marker, label=name, ax=axes)
    axes.set(title="Learning curves", xlabel="training songs", ylabel="accuracy, mean over folds")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    if len(means) > 1:
        before, last = means.index[-2:]
        gain = format_range(means.loc[last] - means.loc[before], digits=2)
        figure.set_label(f"Gain of accuracy from {before} to {last} training songs: {gain}.")
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
    means = table.groupby("descriptor")["loss"].mean()
    small = f"{(means < SMALL_LOSS).sum()} of {len(means)} descriptors cost less than {SMALL_LOSS}"
    figure.set_label(f"Shuffling {means.idxmax()} costs most accuracy, {means.max():.2f}; {small}.")
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
    figure.set_label(
        f"The accuracy of the same model is {format_range(table.set_index('test')['accuracy'], digits=2)}."
    )
    return figure
