from pathlib import Path

import numpy as np

from songgenre.models import ablation, cnn
from songgenre.models.crops import PLAIN, Augmentation, Sampling, Songs

PLAN = cnn.Plan(
    cnn.Network("plain", [4, 4], 0.0),
    Sampling(32, 1, 4, 0.0, 0.0, seed=1),
    Augmentation(0.3, 0.1, 0, 0.0),
    cnn.Training(9, 9, 0.01, 0.0),
    cnn.Hardware("one", "float32", 2),
)


def test_variants_differ_from_the_plan_in_one_choice() -> None:
    variants = ablation.variants(PLAN)
    assert variants.pop("as chosen") == PLAN
    assert [sum(a != b for a, b in zip(variant, PLAN, strict=True)) for variant in variants.values()] == [1] * 3
    assert variants["residual network"].network.kind == "residual"
    assert variants["no augmentation"].augmentation == PLAIN
    assert variants["crops of 16 frames"].sampling.crop_frames == 16


def test_every_variant_has_a_row(tmp_path: Path) -> None:
    mel = np.random.default_rng(0).integers(256, size=(8, 16, 64), dtype=np.uint8)
    songs = Songs(mel, np.arange(8), np.arange(8) % 2)
    table = ablation.compare(songs, songs, 2, PLAN, 1, tmp_path)
    assert table.index.tolist() == list(ablation.variants(PLAN))
    assert np.isfinite(table).all(axis=None)
    assert table.loc["residual network", "parameters"] > table.loc["as chosen", "parameters"]
    assert list(tmp_path.iterdir()) == []
