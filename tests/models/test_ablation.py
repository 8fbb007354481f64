from pathlib import Path

import numpy as np
import pytest

from songgenre.models import ablation
from songgenre.models.crops import NO_AUGMENTATION, MelDataset
from songgenre.params import load_params

CNN = load_params(Path(__file__).parents[2] / "params.yaml").cnn
CONFIG = CNN.model_copy(
    update={
        "network": CNN.network.model_copy(update={"filters": [4, 4]}),
        "sampling": CNN.sampling.model_copy(update={"crop_frames": 32, "crops_per_song": 1, "batch_size": 4}),
        "ablation_epochs": 1,
    }
)


def test_variants_differ_from_the_configuration_in_one_choice() -> None:
    chosen, *variants = ablation.variants(CONFIG).values()
    assert chosen == CONFIG
    assert [sum(a != b for a, b in zip(variant, CONFIG, strict=True)) for variant in variants] == [1] * 3
    assert sum(variant.network.architecture == "residual" for variant in variants) == 1
    assert sum(variant.augmentation == NO_AUGMENTATION for variant in variants) == 1
    assert sum(variant.sampling.crop_frames == 16 for variant in variants) == 1


@pytest.mark.slow
def test_every_variant_has_a_row(tmp_path: Path) -> None:
    mel = np.random.default_rng(0).integers(256, size=(8, 16, 64), dtype=np.uint8)
    songs = MelDataset(mel, np.arange(8), np.arange(8) % 2)
    table = ablation.compare_variants(songs, songs, 2, CONFIG, tmp_path)
    variants = ablation.variants(CONFIG)
    assert table.index.tolist() == list(variants)
    assert np.isfinite(table).all(axis=None)
    [residual] = [name for name, variant in variants.items() if variant.network.architecture == "residual"]
    assert table.loc[residual, "parameters"] > table["parameters"].iloc[0]
    assert list(tmp_path.iterdir()) == []
