"""Figures of notebook 08."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.evaluation.metrics import BASELINE
from songgenre.plots.style import INK, MARKERS, WIDTH, display_name, format_range


def plot_model_comparison(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot the accuracy of models with its 95 % interval, on one or several sets of songs.

    Parameters
    ----------
    tables : mapping
        From a set of songs to the result of `songgenre.evaluation.metrics.compare_models` on them; the first has all
        models, and the baseline among them.

    Returns
    -------
    Figure
        A row per model, with a point and a whisker per set.
    """
    first = next(iter(tables.values()))
    order, baseline = first.index, first["accuracy"][BASELINE]
    figure, axes = plt.subplots(figsize=(WIDTH, 0.5 * len(order) + 1.4))
    for number, (songs, table) in enumerate(tables.items()):
        position = order.get_indexer(table.index) + 0.25 * (number - (len(tables) - 1) / 2)
        errors = [table["accuracy"] - table["ci95_low"], table["ci95_high"] - table["accuracy"]]
        axes.errorbar(table["accuracy"], position, xerr=errors, fmt=MARKERS[number], capsize=4, label=songs)
    axes.axvline(baseline, color="tab:red", linestyle="--", label=f"baseline {baseline:.2f}")
    axes.set_yticks(np.arange(len(order)), [display_name(name) for name in order])
    axes.invert_yaxis()
    axes.set(title="Accuracy on unseen artists, with 95 % interval", xlabel="accuracy", xlim=(0, 1.02))
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.set_label(f"Highest accuracy: {'; '.join(_describe_best(*item) for item in tables.items())}.")
    return figure


def plot_bootstrap(accuracies: np.ndarray, interval: tuple[float, float], accuracy: float, model: str) -> Figure:
    """Plot the accuracies of bootstrap samples.

    Parameters
    ----------
    accuracies : np.ndarray [shape=(n_samples,)]
        Accuracy on each sample.
    interval : tuple of float
        Ends of the 95 % interval.
    accuracy : float
        Accuracy on the songs themselves.
    model : str
        Name of the model.

    Returns
    -------
    Figure
        Histogram with the interval and the accuracy.
    """
    low, high = interval
    figure, axes = plt.subplots(figsize=(WIDTH, 3))
    sns.histplot(accuracies, bins=30, ax=axes)
    axes.axvspan(low, high, zorder=0, color="gray", alpha=0.3, label=f"95 % interval: {low:.2f} to {high:.2f}")
    axes.axvline(accuracy, color=INK, label=f"accuracy: {accuracy:.2f}")
    title = f"{display_name(model)}: {len(accuracies):,} draws of artists"
    axes.set(title=title, xlabel="accuracy", ylabel="draws")
    axes.legend()
    figure.set_label(f"95 % of the draws give an accuracy of {low:.2f} to {high:.2f}, around {accuracy:.2f}.")
    return figure


def plot_reliability(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot the accuracy of models against their confidence.

    Parameters
    ----------
    tables : mapping
        From model to its `songgenre.evaluation.metrics.reliability_curve`.

    Returns
    -------
    Figure
        A curve per model; the dashed diagonal is perfect calibration.
    """
    figure, axes = plt.subplots(figsize=(5.8, 4.8))
    axes.plot([0, 1], [0, 1], color="0.5", linestyle="--", label="perfect calibration")
    for model, table in tables.items():
        axes.plot(table["confidence"], table["accuracy"], marker="o", label=display_name(model))
    axes.set(title="Calibration", xlabel="confidence", ylabel="accuracy")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend()
    distances = {
        display_name(model): np.average((table["confidence"] - table["accuracy"]).abs(), weights=table["songs"])
        for model, table in tables.items()
    }
    distance = format_range(pd.Series(distances), digits=2)
    figure.set_label(f"The mean distance of confidence and accuracy is {distance}.")
    return figure


def plot_coverage(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot the accuracy of models on their most confident predictions against the share of these predictions.

    Parameters
    ----------
    tables : mapping
        From model to its `songgenre.evaluation.metrics.accuracy_coverage_curve`.

    Returns
    -------
    Figure
        A curve per model.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    for model, table in tables.items():
        axes.plot(table["coverage"], table["accuracy"], label=display_name(model))
    axes.set(
        title="Accuracy on the most confident predictions",
        xlabel="coverage (share of songs, most confident first)",
        ylabel="accuracy",
        xlim=(0, 1),
        ylim=(0, 1.02),
    )
    axes.legend(loc="lower left")
    halves = {
        display_name(model): table.query("coverage >= 0.5")["accuracy"].iloc[0] for model, table in tables.items()
    }
    figure.set_label(f"The accuracy on the most confident half is {format_range(pd.Series(halves), digits=2)}.")
    return figure


def _describe_best(songs: str, table: pd.DataFrame) -> str:
    """State the best model on a set of songs, and how many others have intervals that overlap its interval."""
    ordered = table.sort_values("accuracy", ascending=False, kind="stable")
    best, others = ordered.iloc[0], ordered.iloc[1:]
    n_alike = (others["ci95_high"] >= best["ci95_low"]).sum()
    alike = f"intervals of {n_alike} of {len(others)} others overlap"
    return f"{display_name(ordered.index[0])}, {best['accuracy']:.2f} ({songs}, {alike})"
