"""Ablation of the CNN: short trainings, each of which differs from the configuration in one choice."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from songgenre.models.cnn import train, validation_scores
from songgenre.models.crops import NO_AUGMENTATION, MelDataset
from songgenre.params import Cnn


def variants(config: Cnn) -> dict[str, Cnn]:
    """List the configuration and the variants that differ from it in one choice.

    Parameters
    ----------
    config : Cnn
        Section ``cnn`` of ``params.yaml``.

    Returns
    -------
    dict
        From the name of a variant to its configuration; the first is `config` itself, ``as chosen``.
    """
    crop = config.sampling.crop_frames
    architecture = "plain" if config.network.architecture == "residual" else "residual"
    changes: dict[str, dict[str, object]] = {
        f"{architecture} network": {"network": config.network.model_copy(update={"architecture": architecture})},
        "no augmentation": {"augmentation": NO_AUGMENTATION},
        f"crops of {crop // 2} frames": {"sampling": config.sampling.model_copy(update={"crop_frames": crop // 2})},
    }
    return {"as chosen": config} | {name: config.model_copy(update=change) for name, change in changes.items()}


def compare_variants(
    train_songs: MelDataset, validation_songs: MelDataset, n_genres: int, config: Cnn, cache: Path
) -> pd.DataFrame:
    """Train every variant for ``cnn.ablation_epochs`` epochs and evaluate it on the validation songs.

    Parameters
    ----------
    train_songs, validation_songs : MelDataset
        Songs to train on and songs to evaluate on.
    n_genres : int
        Number of genres.
    config : Cnn
        Section ``cnn`` of ``params.yaml``.
    cache : Path
        Folder of the checkpoints, see `songgenre.models.cnn.train`.

    Returns
    -------
    pd.DataFrame
        A row per variant: number of ``parameters``, ``validation_loss`` and ``validation_accuracy``.

    Raises
    ------
    UserError
        If the mel spectrograms are narrower than a crop.
    """
    rows = {}
    for name, variant in variants(config).items():
        short = variant.model_copy(update={"epochs": config.ablation_epochs})
        model, _ = train(train_songs, validation_songs, n_genres, short, cache)
        rows[name] = (model.count_params(), *validation_scores(model, validation_songs))
    columns = ["parameters", "validation_loss", "validation_accuracy"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("variant")
