"""Each descriptor against librosa's function of its name, called on the signal, and statistics by scipy."""

import warnings
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.stats
import soundfile

from songgenre.errors import UserError
from songgenre.features import describe, mel_image
from songgenre.features.descriptors import DEFINITIONS, FEATURE_SETS, STATISTICS, columns
from songgenre.features.spectra import Spectra

SR = 22_050
N_FFT = 2048
HOP = 512
N_MFCC = 20

Maker = Callable[..., np.ndarray]
Writer = Callable[..., Path]


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
    "high tone": sine(9000),
    "chord": sine(261.6) + sine(329.6) + sine(392.0),
    "clicks": clicks(120, 8),
    "fade": noise(3) * np.linspace(0, 1, 3 * SR),
    "half silent": np.concatenate([np.zeros(SR), noise(1), np.zeros(SR)]),
    "silence": np.zeros(3 * SR),
    "direct current": np.full(3 * SR, 0.3),
    "full scale": np.sign(sine(220)),
    "very soft": 1e-6 * noise(2),
    "short": noise(0.2),
    "one frame": noise(0.01),
    "one sample": np.array([0.5]),
}


def stft(y: np.ndarray) -> dict[str, object]:
    return {"y": y, "sr": SR, "n_fft": N_FFT, "hop_length": HOP}


def tuning(y: np.ndarray) -> float:
    return float(librosa.estimate_tuning(y=y, sr=SR, bins_per_octave=12))


def constant_q(y: np.ndarray) -> np.ndarray:
    return np.abs(librosa.cqt(y, sr=SR, hop_length=HOP, n_bins=84, tuning=tuning(y)))


def cens(y: np.ndarray) -> np.ndarray:
    return librosa.feature.chroma_cens(C=constant_q(y), bins_per_octave=12)


def mfcc(y: np.ndarray) -> np.ndarray:
    return librosa.feature.mfcc(**stft(y), n_mfcc=N_MFCC)


def onset_strength(y: np.ndarray) -> np.ndarray:
    return librosa.onset.onset_strength(y=y, sr=SR, n_fft=N_FFT, hop_length=HOP)


REFERENCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "chroma_stft": lambda y: librosa.feature.chroma_stft(**stft(y), tuning=tuning(y)),
    "chroma_cqt": lambda y: librosa.feature.chroma_cqt(C=constant_q(y), bins_per_octave=12),
    "chroma_cens": cens,
    "tonnetz": lambda y: librosa.feature.tonnetz(chroma=cens(y)),
    "mfcc": mfcc,
    "rms": lambda y: librosa.feature.rms(S=np.abs(librosa.stft(y, n_fft=N_FFT, hop_length=HOP)), frame_length=N_FFT),
    "spectral_centroid": lambda y: librosa.feature.spectral_centroid(**stft(y)),
    "spectral_bandwidth": lambda y: librosa.feature.spectral_bandwidth(**stft(y)),
    "spectral_contrast": lambda y: librosa.feature.spectral_contrast(**stft(y)),
    "spectral_rolloff": lambda y: librosa.feature.spectral_rolloff(**stft(y)),
    "zero_crossing_rate": lambda y: librosa.feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP),
    "spectral_flatness": lambda y: librosa.feature.spectral_flatness(y=y, n_fft=N_FFT, hop_length=HOP),
    "onset_strength": lambda y: onset_strength(y)[np.newaxis],
    "mfcc_delta": lambda y: librosa.feature.delta(mfcc(y), mode="nearest"),
}


def summed_up(frames: np.ndarray) -> dict[str, np.ndarray]:
    frames = frames.astype(np.float64)
    return {
        "mean": frames.mean(axis=1),
        "std": frames.std(axis=1),
        "skew": scipy.stats.skew(frames, axis=1),
        "kurtosis": scipy.stats.kurtosis(frames, axis=1),
        "median": np.median(frames, axis=1),
        "min": frames.min(axis=1),
        "max": frames.max(axis=1),
        "mean_abs_delta": np.abs(np.diff(frames, axis=1)).sum(axis=1) / max(1, frames.shape[1] - 1),
    }


ROUNDED = {("high tone", "chroma_cqt"), ("half silent", "chroma_cqt")}
"""Where pitch classes are compared of which none sounds: librosa's single precision shows in the third digit."""

NOTHING = {("direct current", name) for name in ("chroma_cqt", "chroma_cens", "tonnetz")}
"""Where pitch classes are compared in nothing but rounding errors, of librosa's and of ours."""


def check(name: str, y: np.ndarray, described: dict[str, float], coarseness: float = 1) -> None:
    """Compare all statistics of a descriptor.

    The shape of a distribution whose spread is nothing but rounding in single precision is left out.
    """
    frames = REFERENCES[name](y)
    scale = np.abs(frames).max()
    spread = frames.std(axis=1, dtype=np.float64) > 1e-3 * np.abs(frames).max(axis=1)
    rows = [name] if len(frames) == 1 else [f"{name}_{row:02d}" for row in range(1, len(frames) + 1)]
    for statistic, expected in summed_up(frames).items():
        ours = np.array([described[f"{row}_{statistic}"] for row in rows])
        is_shape = statistic in ("skew", "kurtosis")
        compared = spread if is_shape else np.full(len(rows), True)
        tolerance = coarseness * (1e-3 if is_shape else 1e-5 * scale)
        np.testing.assert_allclose(
            ours[compared], expected[compared], rtol=coarseness * 1e-4, atol=tolerance, err_msg=f"{name} {statistic}"
        )


def full(y: np.ndarray) -> dict[str, float]:
    return describe(y, SR, feature_set="full").to_dict()


@pytest.fixture(scope="module", params=SIGNALS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def signal(kind: str) -> np.ndarray:
    return SIGNALS[kind].astype(np.float32)


@pytest.fixture(scope="module")
def described(signal: np.ndarray) -> dict[str, float]:
    return full(signal)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", REFERENCES)
def test_descriptor_is_that_of_librosa(kind: str, name: str, signal: np.ndarray, described: dict[str, float]) -> None:
    if (kind, name) in NOTHING:
        extremes = [
            value for key, value in described.items() if key.startswith(name) and key.endswith(("_min", "_max"))
        ]
        assert np.abs(extremes).max() <= 1
    else:
        check(name, signal, described, coarseness=20 if (kind, name) in ROUNDED else 1)


@pytest.fixture(scope="module")
def songs(real_music: Path) -> list[np.ndarray]:
    files = sorted(path for path in real_music.rglob("*") if path.suffix in (".ogg", ".mp3", ".wav", ".flac"))
    loaded = [
        soundfile.read(file, dtype="float32", always_2d=True)[0].mean(axis=1) for file in files[:: len(files) // 8]
    ]
    return [y[: 30 * SR] for y in loaded]


@pytest.fixture(scope="module")
def described_songs(songs: list[np.ndarray]) -> list[dict[str, float]]:
    return [full(y) for y in songs]


@pytest.mark.parametrize("name", REFERENCES)
def test_descriptor_is_that_of_librosa_on_real_music(
    name: str, songs: list[np.ndarray], described_songs: list[dict[str, float]]
) -> None:
    for y, described in zip(songs, described_songs, strict=True):
        check(name, y, described)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tuning_is_that_of_librosa(signal: np.ndarray) -> None:
    assert Spectra(signal, SR, N_FFT, HOP, 128).tuning == pytest.approx(tuning(signal), abs=1e-9)


def test_all_values_are_finite(described: dict[str, float]) -> None:
    assert np.isfinite(list(described.values())).all()


def test_silence_has_no_tempo_no_onsets_and_no_tonality() -> None:
    silence = full(np.zeros(3 * SR, dtype=np.float32))
    without = ("tonnetz", "chroma", "rms", "tempo", "onset", "spectral_c", "spectral_b", "spectral_r", "zero", "mfcc_d")
    assert {name: value for name, value in silence.items() if name.startswith(without) and abs(value) > 1e-9} == {}
    still = [
        value for name, value in silence.items() if name.endswith(("_skew", "_kurtosis", "_std", "_mean_abs_delta"))
    ]
    np.testing.assert_allclose(still, 0, atol=1e-9)


@pytest.mark.parametrize("beats_per_minute", [80, 100, 120, 150])
def test_tempo_and_onsets_are_those_of_the_clicks(beats_per_minute: int) -> None:
    described = full(clicks(beats_per_minute, 20).astype(np.float32))
    assert described["tempo"] == pytest.approx(beats_per_minute, rel=0.04)
    assert described["onset_rate"] * 60 == pytest.approx(beats_per_minute, rel=0.08)


def test_tempo_is_that_of_librosa(signal: np.ndarray, described: dict[str, float]) -> None:
    onsets = onset_strength(signal)
    expected = librosa.feature.tempo(onset_envelope=onsets, sr=SR, hop_length=HOP)[0] if onsets.any() else 0
    assert described["tempo"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 44_100])
def test_frequencies_are_in_hertz_at_any_sample_rate(sample_rate: int) -> None:
    y = np.sin(2 * np.pi * 1000 * np.arange(3 * sample_rate) / sample_rate)
    described = describe(y, sample_rate)
    assert described["spectral_rolloff_median"] == pytest.approx(1000, rel=0.03)
    assert described["zero_crossing_rate_mean"] * sample_rate == pytest.approx(2000, rel=0.03)
    assert described["rms_median"] == pytest.approx(np.sqrt(0.5 * 0.375), rel=0.02)


def test_families_have_the_columns_that_they_promise() -> None:
    y = noise(1)
    assert len(describe(y, SR, feature_set="fma")) == 518
    study = describe(y, SR, feature_set="basic")
    assert {name.removesuffix("_mean").removesuffix("_std") for name in study.index if name[-1] not in "0123456789"}
    assert len(study) == 2 * (12 + 6 + 20 + 1 + 1 + 1 + 7 + 1 + 1) + 1
    for feature_set in FEATURE_SETS:
        described = describe(y, SR, feature_set=feature_set, n_mfcc=13)
        assert list(described.index) == columns(feature_set, 13)
        assert described.index.is_unique
        expected = describe(y, SR, feature_set="full")[described.index]
        np.testing.assert_array_equal(described, expected)
    assert set(DEFINITIONS) == set(FEATURE_SETS["full"])


def test_names_say_descriptor_row_and_statistic() -> None:
    names = columns("full", 13)
    assert {"mfcc_13_kurtosis", "rms_mean_abs_delta", "chroma_cens_12_median", "tempo", "onset_rate"} <= set(names)
    assert "mfcc_14_mean" not in names
    of_frames = [name for name in names if not name.startswith(("tempo", "onset_rate", "fluctuation"))]
    assert all(name.endswith(tuple(f"_{statistic}" for statistic in STATISTICS)) for name in of_frames)
    assert {"fluctuation_01_22bpm", "fluctuation_16_508bpm"} <= set(names)


def test_a_file_is_described_as_its_samples_are(tmp_path: Path, melody: Maker, write_audio: Writer) -> None:
    y = melody(1, seconds=3).astype(np.float32)
    stereo = write_audio(tmp_path / "song.wav", np.stack([y, y], axis=1), subtype="FLOAT")
    for file in (stereo, str(stereo)):
        np.testing.assert_allclose(describe(file, SR), describe(y, SR), rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(mel_image(file, SR), mel_image(y, SR))


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"y": np.zeros((2, 100))}, r"mono.*\(2, 100\)"),
        ({"y": np.zeros(0)}, r"\(0,\)"),
        ({"y": np.array([0.1, np.nan])}, "finite"),
        ({"y": "nothing.mp3"}, r"nothing\.mp3"),
        ({"feature_set": "all"}, "basic, fma, full.*all"),
        ({"n_mfcc": 41}, r"n_mfcc.*\b40\b.*\b41\b"),
        ({"hop_length": 100}, r"hop_length.*\b64\b.*\b100\b"),
        ({"sr": 8000}, r"\bsr\b.*\b8000\b"),
    ],
)
def test_wrong_arguments_are_named(problem: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message), warnings.catch_warnings():
        describe(**{"y": noise(0.1), "sr": SR} | problem)
