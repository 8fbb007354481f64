"""Each descriptor against librosa's function of its name, called on the signal."""

import warnings
from collections.abc import Callable

import librosa
import numpy as np
import pytest

from songgenre.features.descriptors import DICTIONARY, describe
from songgenre.features.spectra import spectra

SR = 22_050
N_FFT = 2048
HOP = 512
N_MFCC = 13
N_MELS = 128


def sine(frequency: float, seconds: float = 3) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(SR * seconds)) / SR)


def clicks(beats_per_minute: float, seconds: float) -> np.ndarray:
    y = np.zeros(round(SR * seconds))
    for beat in np.arange(0, seconds, 60 / beats_per_minute):
        at = round(beat * SR)
        y[at : at + 400] = np.random.default_rng(0).standard_normal(400)[: len(y) - at] * 0.3
    return y


def noise(seconds: float) -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal(round(SR * seconds))


SIGNALS = {
    "noise": noise(3),
    "tone": sine(440),
    "chord": sine(261.6) + sine(329.6) + sine(392.0),
    "clicks": clicks(120, 8),
    "fade": noise(3) * np.linspace(0, 1, 3 * SR),
    "silence": np.zeros(3 * SR),
    "direct current": np.full(3 * SR, 0.3),
    "short": noise(0.2),
}


def stft(y: np.ndarray) -> dict[str, object]:
    return {"y": y, "sr": SR, "n_fft": N_FFT, "hop_length": HOP}


def chroma(y: np.ndarray) -> np.ndarray:
    return librosa.feature.chroma_stft(**stft(y))


REFERENCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "chroma": chroma,
    "rms": lambda y: librosa.feature.rms(y=y, frame_length=N_FFT, hop_length=HOP),
    "spectral_centroid": lambda y: librosa.feature.spectral_centroid(**stft(y)),
    "spectral_bandwidth": lambda y: librosa.feature.spectral_bandwidth(**stft(y)),
    "spectral_contrast": lambda y: librosa.feature.spectral_contrast(**stft(y)),
    "spectral_rolloff": lambda y: librosa.feature.spectral_rolloff(**stft(y)),
    "zero_crossing_rate": lambda y: librosa.feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP),
    "mfcc": lambda y: librosa.feature.mfcc(**stft(y), n_mfcc=N_MFCC, n_mels=N_MELS),
    "tonnetz": lambda y: librosa.feature.tonnetz(y=y, sr=SR, chroma=chroma(y)),
}


@pytest.fixture(scope="module", params=SIGNALS)
def signal(request: pytest.FixtureRequest) -> np.ndarray:
    return SIGNALS[request.param].astype(np.float32)


@pytest.fixture(scope="module")
def described(signal: np.ndarray) -> dict[str, float]:
    return described_by(signal)


def described_by(y: np.ndarray) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return describe(y, spectra(y, SR, N_FFT, HOP, N_MELS), N_MFCC)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", REFERENCES)
def test_descriptor_is_that_of_librosa(name: str, signal: np.ndarray, described: dict[str, float]) -> None:
    frames = REFERENCES[name](signal).astype(np.float64)
    statistics = {
        "mean": frames.mean(axis=1),
        "std": frames.std(axis=1),
        "change": np.abs(frames[:, 1:] - frames[:, :-1]).mean(axis=1),
    }
    scale = np.abs(frames).max()
    for statistic, expected in statistics.items():
        ours = [v for k, v in described.items() if k.startswith(f"{name}_") and k.endswith(f"_{statistic}")]
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * scale, err_msg=statistic)


def test_all_values_are_finite(described: dict[str, float]) -> None:
    assert np.isfinite(list(described.values())).all()


def test_silence_has_no_tempo_and_no_tonality() -> None:
    silence = described_by(np.zeros(3 * SR, dtype=np.float32))
    assert silence["tempo"] == 0
    assert {value for name, value in silence.items() if name.startswith(("tonnetz", "chroma", "rms"))} == {0}


@pytest.mark.parametrize("beats_per_minute", [80, 100, 120, 150])
def test_tempo_is_that_of_the_clicks(beats_per_minute: int) -> None:
    tempo = described_by(clicks(beats_per_minute, 20).astype(np.float32))["tempo"]
    assert tempo == pytest.approx(beats_per_minute, rel=0.04)


def test_tempo_is_that_of_librosa(signal: np.ndarray, described: dict[str, float]) -> None:
    if not signal.any():
        return
    onsets = librosa.onset.onset_strength(y=signal, sr=SR, n_fft=N_FFT, hop_length=HOP)
    expected = librosa.feature.tempo(onset_envelope=onsets, sr=SR, hop_length=HOP)[0] if onsets.any() else 0
    assert described["tempo"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 44_100])
def test_frequencies_are_in_hertz_at_any_sample_rate(sample_rate: int) -> None:
    y = np.sin(2 * np.pi * 1000 * np.arange(3 * sample_rate) / sample_rate).astype(np.float32)
    described = describe(y, spectra(y, sample_rate, N_FFT, HOP, N_MELS), N_MFCC)
    assert described["spectral_rolloff_mean"] == pytest.approx(1000, rel=0.03)
    assert described["zero_crossing_rate_mean"] * sample_rate == pytest.approx(2000, rel=0.03)
    assert described["rms_mean"] == pytest.approx(np.sqrt(0.5), rel=0.02)


def test_dictionary_tells_of_every_descriptor(described: dict[str, float]) -> None:
    explained = {name for name in DICTIONARY if any(key.startswith(name) for key in described)}
    assert explained == set(DICTIONARY)
    assert all(key.startswith(tuple(DICTIONARY)) for key in described)
