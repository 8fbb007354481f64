"""Figures of notebook 08."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from songgenre.plots.style import INK, WIDTH, display_name


def plot_model_comparison(table: pd.DataFrame, baseline: float) -> Figure:
    """Plot the accuracy of models with its 95 % interval.

    Parameters
    ----------
    table : pd.DataFrame
        Result of `songgenre.evaluation.metrics.compare_models`.
    baseline : float
        Accuracy of the baseline, which always predicts the most frequent genre.

    Returns
    -------
    Figure
        Bar chart with a bar per model.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.5 * len(table) + 1.4))
    position = np.arange(len(table))
    errors = [table["accuracy"] - table["ci95_low"], table["ci95_high"] - table["accuracy"]]
    axes.barh(position, table["accuracy"], xerr=errors, color="tab:blue", alpha=0.75, capsize=4, ecolor=INK)
    axes.axvline(baseline, color="tab:red", linestyle="--", label=f"baseline {baseline:.2f}")
    axes.set_yticks(position, [display_name(name) for name in table.index])
    axes.invert_yaxis()
    axes.set(title="Accuracy on unseen artists, with 95 % interval", xlabel="accuracy", xlim=(0, 1))
    axes.legend(loc="lower right")
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
    return figure
