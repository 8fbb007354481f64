import librosa
import numpy as np
import pytest

from songgenre.features.constant_q import constant_q


def sweep(sample_rate: int, seconds: float = 4) -> np.ndarray:
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    chirp = 0.3 * np.sin(2 * np.pi * 40 * (np.exp2(t * 6 / seconds) - 1) * seconds / 6 / np.log(2))
    return (chirp + 0.05 * np.random.default_rng(0).standard_normal(len(t))).astype(np.float32)


@pytest.mark.parametrize("tuning", [-0.5, -0.13, 0.0, 0.27, 0.49])
@pytest.mark.parametrize(("sample_rate", "hop_length"), [(22_050, 512), (44_100, 512), (16_000, 256), (48_000, 1024)])
def test_magnitudes_are_those_of_librosa(sample_rate: int, hop_length: int, tuning: float) -> None:
    y = sweep(sample_rate)
    expected = np.abs(librosa.cqt(y, sr=sample_rate, hop_length=hop_length, n_bins=84, tuning=tuning))
    computed = constant_q(y, sample_rate, hop_length, tuning)
    np.testing.assert_allclose(computed, expected, rtol=1e-4, atol=1e-5 * expected.max())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("n", [1, 63, 511, 512, 513, 2000, 22_050])
def test_length_is_that_of_librosa_for_the_shortest_clips(n: int) -> None:
    y = sweep(22_050)[:n]
    expected = np.abs(librosa.cqt(y, sr=22_050, n_bins=84, tuning=0.0))
    computed = constant_q(y, 22_050, 512, 0.0)
    assert computed.shape == (84, 1 + n // 512)
    np.testing.assert_allclose(computed, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("octave", range(7))
def test_tone_is_loudest_in_its_own_bin(octave: int) -> None:
    frequency = librosa.note_to_hz("A1") * 2**octave
    y = np.sin(2 * np.pi * frequency * np.arange(3 * 22_050) / 22_050).astype(np.float32)
    assert constant_q(y, 22_050, 512, 0.0)[:, 60].argmax() == 9 + 12 * octave
