"""Pulsation against signals whose rhythm is known, and against a plain transform of each window."""

import numpy as np
import pytest

from songgenre.features import describe
from songgenre.features.rhythm import N_BANDS, RATE_EDGES, RATES, fluctuation
from songgenre.features.spectra import Spectra

SR = 22_050


def pulsating(per_minute: float, seconds: float = 20, depth: float = 0.9) -> np.ndarray:
    t = np.arange(round(seconds * SR)) / SR
    noise = np.random.default_rng(3).standard_normal(len(t))
    return (0.1 * noise * (1 + depth * np.sin(2 * np.pi * per_minute / 60 * t))).astype(np.float32)


def pattern(y: np.ndarray, n_mels: int = 128) -> np.ndarray:
    return fluctuation(Spectra(y, SR, 2048, 512, n_mels)).reshape(N_BANDS, len(RATES))


@pytest.mark.parametrize("rate", RATES)
def test_every_band_pulsates_most_at_the_rate_of_the_signal(rate: int) -> None:
    assert (pattern(pulsating(rate)).argmax(axis=1) == RATES.index(rate)).all()


def test_more_depth_is_more_pulsation() -> None:
    at = RATES.index(127)
    shallow, deep = (pattern(pulsating(127, depth=depth))[:, at] for depth in (0.1, 0.9))
    assert (deep > shallow + 0.5).all()


def test_only_the_bands_that_pulsate_show_it() -> None:
    t = np.arange(12 * SR) / SR
    low, high = np.sin(2 * np.pi * 200 * t), np.sin(2 * np.pi * 6000 * t)
    y = 0.1 * (low + high * (1 + 0.9 * np.sin(2 * np.pi * 2.1 * t))) + 1e-4 * np.random.default_rng(0).standard_normal(
        len(t)
    )
    strongest = pattern(y.astype(np.float32))[:, RATES.index(127)].argmax()
    assert strongest > N_BANDS / 2


def test_it_is_the_median_of_the_transforms_of_the_windows() -> None:
    spectra = Spectra(pulsating(90, seconds=17), SR, 2048, 512, 64)
    width, step = 258, 129
    levels = spectra.mel_db.reshape(N_BANDS, 4, -1).mean(axis=1, dtype=np.float64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)
    rates = np.arange(width) * 60 * SR / 512 / width
    expected = np.empty((N_BANDS, len(RATES)))
    for band, level in enumerate(levels):
        windows = [level[start : start + width] for start in range(0, len(level) - width + 1, step)]
        amplitude = np.median([np.abs(np.fft.fft((each - each.mean()) * hann)) for each in windows], axis=0)
        for place in range(len(RATES)):
            within = (rates >= RATE_EDGES[place]) & (rates < RATE_EDGES[place + 1])
            expected[band, place] = np.log(1 + amplitude[within].mean())
    np.testing.assert_allclose(fluctuation(spectra).reshape(expected.shape), expected, rtol=1e-6)


@pytest.mark.parametrize("seconds", [0.001, 1, 12])
def test_what_never_changes_does_not_pulsate(seconds: float) -> None:
    np.testing.assert_array_equal(pattern(np.zeros(max(1, round(seconds * SR)), dtype=np.float32)), 0)


@pytest.mark.parametrize(("sr", "hop_length"), [(16_000, 512), (22_050, 1024), (44_100, 512)])
def test_every_rate_is_heard_at_any_resolution(sr: int, hop_length: int) -> None:
    y = np.random.default_rng(0).standard_normal(8 * sr)
    described = describe(y, sr, feature_set="full", hop_length=hop_length)
    values = described[described.index.str.startswith("fluctuation")]
    assert len(values) == N_BANDS * len(RATES)
    assert np.isfinite(values).all()
    assert (values > 0).all()
