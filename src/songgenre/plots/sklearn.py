"""Figures of notebook 05."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.plots.style import WIDTH, display_name


def plot_learning_curve(curve: pd.DataFrame, model: str) -> Figure:
    """Accuracy against the number of songs learned from (`songgenre.models.diagnostics.learning_curve`)."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.2))
    sns.lineplot(curve, x="songs", y="accuracy", errorbar="sd", marker="o", ax=axes)
    axes.set(
        title=f"Would more songs help the {display_name(model)}?",
        xlabel="songs to learn from",
        ylabel="accuracy, mean and standard\ndeviation over folds",
    )
    return figure


def plot_importance(table: pd.DataFrame, model: str) -> Figure:
    """Accuracy lost without each descriptor (`songgenre.models.diagnostics.grouped_permutation_importance`)."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.28 * table["descriptor"].nunique() + 1.2))
    sns.barplot(table, y="descriptor", x="loss", errorbar="sd", color="tab:blue", alpha=0.75, ax=axes)
    axes.axvline(0, color="0.25", linewidth=0.8)
    axes.set(
        title=f"What the {display_name(model)} listens to",
        xlabel="accuracy lost when the descriptor is exchanged between songs",
        ylabel="",
    )
    return figure


def plot_protocols(table: pd.DataFrame, model: str) -> Figure:
    """Accuracy of one model, tested in several ways (`songgenre.models.diagnostics.evaluation_protocols`)."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.45 * len(table) + 1.2))
    labels = [f"{row.test} ({row.songs})" for row in table.itertuples()]
    bars = axes.barh(labels, table["accuracy"], color="tab:blue", alpha=0.75)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.invert_yaxis()
    axes.set(title=f"The same {display_name(model)}, tested on ...", xlabel="accuracy", xlim=(0, 1.08))
    return figure
