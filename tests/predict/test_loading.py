from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from songgenre.audio import Clip
from songgenre.features.extract import extract
from songgenre.params import Features
from songgenre.predict.loading import ClipInputs

CONFIG = Features(
    feature_set="basic", sample_rate=22_050, n_fft=1024, hop_length=256, n_mfcc=5, n_mels=48, mel_db_range=60.0
)


@pytest.mark.parametrize("seconds", [3.0, 1.25])
def test_clip_fills_its_mel_image_by_beginning_anew(
    tmp_path: Path, melody: Callable[..., np.ndarray], write_audio: Callable[..., Path], seconds: float
) -> None:
    clip = Clip(write_audio(tmp_path / "song.wav", melody(0, seconds=4)), 0.5, seconds)
    image = extract(clip, CONFIG).mel
    frames = np.arange(1 + 3 * CONFIG.sample_rate // CONFIG.hop_length)
    np.testing.assert_array_equal(
        ClipInputs(clip, (), CONFIG, clip_duration_s=3.0).mel, image[:, frames % image.shape[1]]
    )
