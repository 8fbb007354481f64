"""What each choice of the network and its training is worth, in short trainings that differ in one of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from songgenre.models.cnn import Plan, train
from songgenre.models.crops import PLAIN, Songs


def variants(plan: Plan, n_frames: int) -> dict[str, Plan]:
    """The plan, and plans that differ from it in one choice.

    Parameters
    ----------
    plan : Plan
    n_frames : int
        Width of the mel images; no crop is wider.
    """
    crop = plan.sampling.crop_frames
    other = plan.network._replace(kind="plain" if plan.network.kind == "residual" else "residual")
    changed = {
        "as chosen": plan,
        f"{other.kind} network": plan._replace(network=other),
        "no augmentation": plan._replace(augmentation=PLAIN),
        f"crops of {crop // 2} frames": plan._replace(sampling=plan.sampling._replace(crop_frames=crop // 2)),
        f"crops of {2 * crop} frames": plan._replace(sampling=plan.sampling._replace(crop_frames=2 * crop)),
    }
    return {name: variant for name, variant in changed.items() if variant.sampling.crop_frames <= n_frames}


def compare(
    train_songs: Songs, validation_songs: Songs, n_genres: int, plan: Plan, epochs: int, cache: Path
) -> pd.DataFrame:
    """Train every variant for a few epochs and look at the validation songs.

    Parameters
    ----------
    train_songs, validation_songs : Songs
    n_genres : int
    plan : Plan
    epochs : int
    cache : Path
        See `songgenre.models.cnn.train`.

    Returns
    -------
    pd.DataFrame
        A row per variant: ``parameters``, ``validation_loss``, ``validation_accuracy``, of the best epoch.
    """
    rows = {}
    for name, variant in variants(plan, train_songs.mel.shape[2]).items():
        short = variant._replace(training=variant.training._replace(epochs=epochs, patience=epochs))
        model, curve = train(train_songs, validation_songs, n_genres, short, cache)
        best = curve.loc[curve["validation_loss"].idxmin()]
        rows[name] = (model.count_params(), best["validation_loss"], best["validation_accuracy"])
    columns = ["parameters", "validation_loss", "validation_accuracy"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("variant")
