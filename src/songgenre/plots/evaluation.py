"""Figures of notebook 08."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from songgenre.plots.style import WIDTH, display_name


def plot_model_comparison(table: pd.DataFrame, baseline: float) -> Figure:
    """Accuracy of models with its 95 % interval.

    Parameters
    ----------
    table : pd.DataFrame
        Of `songgenre.evaluation.metrics.compare_models`.
    baseline : float
        Accuracy of always naming the most frequent genre.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.5 * len(table) + 1.4))
    position = np.arange(len(table))
    errors = [table["accuracy"] - table["ci95_low"], table["ci95_high"] - table["accuracy"]]
    axes.barh(position, table["accuracy"], xerr=errors, color="tab:blue", alpha=0.75, capsize=4, ecolor="0.25")
    axes.axvline(baseline, color="tab:red", linestyle="--", label=f"baseline {baseline:.2f}")
    axes.set_yticks(position, [display_name(name) for name in table.index])
    axes.invert_yaxis()
    axes.set(title="Accuracy on artists never heard, with 95 % interval", xlabel="accuracy", xlim=(0, 1))
    axes.legend(loc="lower right")
    return figure


def plot_reliability(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot `songgenre.evaluation.metrics.reliability_curve` of models."""
    figure, axes = plt.subplots(figsize=(5.8, 4.8))
    axes.plot([0, 1], [0, 1], color="0.5", linestyle="--", label="as often right as sure")
    for model, table in tables.items():
        axes.plot(table["confidence"], table["accuracy"], marker="o", label=display_name(model))
    axes.set(title="Calibration", xlabel="probability of the answer", ylabel="share that is right")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend()
    return figure


def plot_coverage(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot `songgenre.evaluation.metrics.accuracy_coverage_curve` of models."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    for model, table in tables.items():
        axes.plot(table["coverage"], table["accuracy"], label=display_name(model))
    axes.set(
        title="Accuracy of answers, the surest songs first",
        xlabel="share of songs that are answered",
        ylabel="accuracy of the answers",
        xlim=(0, 1),
        ylim=(0, 1.02),
    )
    axes.legend(loc="lower left")
    return figure
