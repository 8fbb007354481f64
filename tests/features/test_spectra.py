from collections.abc import Callable

import librosa
import numpy as np
import pytest

from songgenre.features.spectra import Spectra, mel_levels

Maker = Callable[..., np.ndarray]

SR = 22_050


@pytest.fixture
def noise() -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(2 * SR)).astype(np.float32)


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "hop_length", "n_mels"), [(SR, 2048, 512, 128), (44_100, 1024, 320, 40)]
)
def test_spectra_are_those_of_librosa(
    noise: np.ndarray, sample_rate: int, n_fft: int, hop_length: int, n_mels: int
) -> None:
    parameters = {"y": noise, "sr": sample_rate, "n_fft": n_fft, "hop_length": hop_length}
    computed = Spectra(noise, sample_rate, n_fft, hop_length, n_mels)
    magnitude = np.abs(librosa.stft(noise, n_fft=n_fft, hop_length=hop_length))
    np.testing.assert_allclose(computed.magnitude.T, magnitude, rtol=1e-5, atol=1e-6)
    mel_power = librosa.feature.melspectrogram(**parameters, n_mels=n_mels)
    np.testing.assert_allclose(computed.mel_power, mel_power, rtol=1e-4)
    chroma = librosa.feature.chroma_stft(**parameters, tuning=computed.tuning)
    np.testing.assert_allclose(computed.chroma_stft, chroma, rtol=1e-4)


def test_tone_is_where_its_frequency_is(tone: Maker) -> None:
    computed = Spectra(tone(frequency=1000), SR, 2048, 512, 128)
    assert computed.magnitude[40].argmax() == round(1000 * 2048 / SR)
    assert computed.mel_power[:, 40].argmax() == np.abs(librosa.mel_frequencies(130, fmax=SR / 2)[1:-1] - 1000).argmin()


def test_tuning_is_that_of_the_tone(tone: Maker) -> None:
    assert Spectra(tone(frequency=440), SR, 2048, 512, 128).tuning == pytest.approx(0, abs=0.011)
    assert Spectra(tone(frequency=440 * 2 ** (0.3 / 12)), SR, 2048, 512, 128).tuning == pytest.approx(0.3, abs=0.021)


def test_image_is_the_level_below_the_loudest_point_in_256_steps(noise: np.ndarray) -> None:
    noise[: len(noise) // 2] *= 1e-3
    mel_power = Spectra(noise, SR, 2048, 512, 64).mel_power
    image, db_max = mel_levels(mel_power, db_range=50)
    assert image.dtype == np.uint8
    assert db_max == pytest.approx(librosa.power_to_db(mel_power).max())
    below = librosa.power_to_db(mel_power, ref=np.max, top_db=50)
    np.testing.assert_allclose(image / 255 * 50 - 50, below, atol=50 / 255 / 2 + 1e-4)
    assert (image.min(), image.max()) == (0, 255)


def test_loudness_changes_the_level_and_not_the_image(noise: np.ndarray) -> None:
    image, db_max = mel_levels(Spectra(noise, SR, 2048, 512, 64).mel_power, 80)
    quieter, quieter_db_max = mel_levels(Spectra(noise / 10, SR, 2048, 512, 64).mel_power, 80)
    assert db_max - quieter_db_max == pytest.approx(20, abs=1e-3)
    assert np.abs(image.astype(int) - quieter).max() <= 1


def test_silence_is_all_at_its_own_loudest_point() -> None:
    image, db_max = mel_levels(np.zeros((8, 5), dtype=np.float32), 80)
    assert db_max == pytest.approx(-100)
    assert (image == 255).all()
