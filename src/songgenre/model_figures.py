"""The figures that tell how good the models are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from songgenre.figures import WIDTH


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
    axes.set_yticks(position, [_readable(name) for name in table.index])
    axes.invert_yaxis()
    axes.set(title="Accuracy on artists never heard, with 95 % interval", xlabel="accuracy", xlim=(0, 1))
    axes.legend(loc="lower right")
    return figure


def confusion(matrix: pd.DataFrame, model: str) -> Figure:
    """Confusion matrix of a model: how many songs, coloured by the share of their genre."""
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
    axes.set(title=f"Confusions of the {_readable(model)}", xlabel="predicted genre", ylabel="true genre")
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


def more_songs(curve: pd.DataFrame, model: str) -> Figure:
    """Accuracy against the number of songs learned from (`songgenre.models.validation.learn_from_more`)."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.2))
    sns.lineplot(curve, x="songs", y="accuracy", errorbar="sd", marker="o", ax=axes)
    axes.set(
        title=f"Would more songs help the {_readable(model)}?",
        xlabel="songs to learn from",
        ylabel="accuracy, mean and standard\ndeviation over folds",
    )
    return figure


def importance(table: pd.DataFrame, model: str) -> Figure:
    """Accuracy lost without each descriptor (`songgenre.models.validation.importance`)."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.28 * table["descriptor"].nunique() + 1.2))
    sns.barplot(table, y="descriptor", x="loss", errorbar="sd", color="tab:blue", alpha=0.75, ax=axes)
    axes.axvline(0, color="0.25", linewidth=0.8)
    axes.set(
        title=f"What the {_readable(model)} listens to",
        xlabel="accuracy lost when the descriptor is exchanged between songs",
        ylabel="",
    )
    return figure


def protocols(table: pd.DataFrame, model: str) -> Figure:
    """Accuracy of one model, tested in several ways (`songgenre.models.validation.protocols`)."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.45 * len(table) + 1.2))
    labels = [f"{row.test} ({row.songs})" for row in table.itertuples()]
    bars = axes.barh(labels, table["accuracy"], color="tab:blue", alpha=0.75)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.invert_yaxis()
    axes.set(title=f"The same {_readable(model)}, tested on ...", xlabel="accuracy", xlim=(0, 1.08))
    return figure


def reliability(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """How often models are right against how sure they are (`songgenre.evaluation.reliability`), a line each."""
    figure, axes = plt.subplots(figsize=(5.8, 4.8))
    axes.plot([0, 1], [0, 1], color="0.5", linestyle="--", label="as often right as sure")
    for model, table in tables.items():
        axes.plot(table["confidence"], table["accuracy"], marker="o", label=_readable(model))
    axes.set(title="Calibration", xlabel="probability of the answer", ylabel="share that is right")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend()
    return figure


def coverage(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Accuracy of models that leave out what they are not sure of (`songgenre.evaluation.coverage`), a line each."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    for model, table in tables.items():
        axes.plot(table["coverage"], table["accuracy"], label=_readable(model))
    axes.set(
        title="Accuracy of answers, the surest songs first",
        xlabel="share of songs that are answered",
        ylabel="accuracy of the answers",
        xlim=(0, 1),
        ylim=(0, 1.02),
    )
    axes.legend(loc="lower left")
    return figure


def heat_maps(
    images: Sequence[np.ndarray], heats: Sequence[np.ndarray], answers: pd.DataFrame, seconds: float, title: str
) -> Figure:
    """Mel images, and below each where a network found its genre (`songgenre.models.gradcam.heat_map`).

    Parameters
    ----------
    images, heats : sequence of np.ndarray [shape=(n_mels, n_frames)]
    answers : pd.DataFrame
        ``genre`` and ``predicted`` of each.
    seconds : float
        Duration of each.
    title : str
    """
    n_columns = max(len(images), 1)
    figure, grid = plt.subplots(2, n_columns, figsize=(WIDTH, 4.4), sharex=True, sharey=True, squeeze=False)
    figure.suptitle(title, weight="bold")
    for axes in grid.flat:
        axes.grid(False)
    titles = answers["genre"] + ", called " + answers["predicted"]
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


def _readable(model: str) -> str:
    return {"cnn": "CNN", "svm": "SVM"}.get(model, model.replace("_", " "))
