from pathlib import Path

import numpy as np
import pytest

from songgenre.models import ablation, cnn
from songgenre.models.crops import NO_AUGMENTATION, Augmentation, MelDataset, Sampling

PLAN = cnn.TrainConfig(
    cnn.Network("plain", [4, 4], 0.0),
    Sampling(32, 1, 4, 0.0, 0.0, seed=1),
    Augmentation(0.3, 0.1, 0, 0.0),
    cnn.Training(9, 9, 0.01, 0.0),
    cnn.Hardware("none", "float32", 2),
)


def test_variants_differ_from_the_plan_in_one_choice() -> None:
    chosen, *variants = ablation.variants(PLAN).values()
    assert chosen == PLAN
    assert [sum(a != b for a, b in zip(variant, PLAN, strict=True)) for variant in variants] == [1] * 3
    assert sum(variant.network.architecture == "residual" for variant in variants) == 1
    assert sum(variant.augmentation == NO_AUGMENTATION for variant in variants) == 1
    assert sum(variant.sampling.crop_frames == 16 for variant in variants) == 1


@pytest.mark.slow
def test_every_variant_has_a_row(tmp_path: Path) -> None:
    mel = np.random.default_rng(0).integers(256, size=(8, 16, 64), dtype=np.uint8)
    songs = MelDataset(mel, np.arange(8), np.arange(8) % 2)
    table = ablation.compare_variants(songs, songs, 2, PLAN, 1, tmp_path)
    variants = ablation.variants(PLAN)
    assert table.index.tolist() == list(variants)
    assert np.isfinite(table).all(axis=None)
    [residual] = [name for name, variant in variants.items() if variant.network.architecture == "residual"]
    assert table.loc[residual, "parameters"] > table["parameters"].iloc[0]
    assert list(tmp_path.iterdir()) == []
