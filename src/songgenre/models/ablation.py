"""What each choice of the network and its training is worth, in short trainings that differ in one of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from songgenre.models.cnn import TrainConfig, train
from songgenre.models.crops import NO_AUGMENTATION, MelDataset


def variants(plan: TrainConfig) -> dict[str, TrainConfig]:
    """The plan, and plans that differ from it in one choice."""
    crop = plan.sampling.crop_frames
    other = plan.network._replace(architecture="plain" if plan.network.architecture == "residual" else "residual")
    return {
        "as chosen": plan,
        f"{other.architecture} network": plan._replace(network=other),
        "no augmentation": plan._replace(augmentation=NO_AUGMENTATION),
        f"crops of {crop // 2} frames": plan._replace(sampling=plan.sampling._replace(crop_frames=crop // 2)),
    }


def compare_variants(
    train_songs: MelDataset, validation_songs: MelDataset, n_genres: int, plan: TrainConfig, epochs: int, cache: Path
) -> pd.DataFrame:
    """Train every variant for a few epochs and look at the validation songs.

    Parameters
    ----------
    train_songs, validation_songs : MelDataset
    n_genres : int
    plan : TrainConfig
    epochs : int
    cache : Path
        See `songgenre.models.cnn.train`.

    Returns
    -------
    pd.DataFrame
        A row per variant: ``parameters``, ``validation_loss``, ``validation_accuracy``, of the best epoch.
    """
    rows = {}
    for name, variant in variants(plan).items():
        short = variant._replace(training=variant.training._replace(epochs=epochs, patience=epochs))
        model, curve = train(train_songs, validation_songs, n_genres, short, cache)
        best = curve.loc[curve["validation_loss"].idxmin()]
        rows[name] = (model.count_params(), best["validation_loss"], best["validation_accuracy"])
    columns = ["parameters", "validation_loss", "validation_accuracy"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("variant")
