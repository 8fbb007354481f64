"""Descriptors of music: their frame-wise definitions and their statistics over a clip.

They follow librosa's functions of the same names (`mcfee2015librosa` in docs/references.bib), but share their
transforms. ``chroma_cqt``, ``chroma_cens`` and ``tonnetz`` use a constant-Q transform of 12 bins per octave at one
estimated tuning; ``rms`` is that of the windowed spectrum (``librosa.feature.rms(S=...)``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal, NamedTuple

import librosa
import numpy as np
import pandas as pd

from songgenre.features import kernels, rhythm
from songgenre.features.spectra import MAX_MFCC, N_CHROMA, Spectra
from songgenre.runtime import numba_cache  # noqa: F401

FeatureSet = Literal["basic", "fma", "full"]

N_CONTRAST_BANDS = 6
CONTRAST_FMIN = 200.0
CONTRAST_QUANTILE = 0.02
ZERO = 1e-10
"""Negative samples of at most this magnitude count as positive in the zero-crossing rate."""


class Descriptor(NamedTuple):
    """Definition of a descriptor of every frame, or of the whole clip.

    Parameters
    ----------
    n_rows : int
        Number of values per frame; 0 for a descriptor of the whole clip.
    unit : str
        Unit or range of the values, for the data dictionary.
    meaning : str
        Short explanation, for the data dictionary.
    reference : str
        Publication that defines the descriptor, for the data dictionary.
    compute : callable
        Function of the spectra that returns an array [shape=(n_rows, n_frames)], or [shape=(n,)] for the whole clip.
    columns : tuple of str
        Names of the n values of a descriptor of the whole clip; empty for frame-wise descriptors.
    """

    n_rows: int
    unit: str
    meaning: str
    reference: str
    compute: Callable[[Spectra], np.ndarray]
    columns: tuple[str, ...] = ()


def _contrast(spectra: Spectra) -> np.ndarray:
    edges, counts = _contrast_bands(spectra.sample_rate, spectra.n_fft)
    peaks, valleys = kernels.contrast_peaks_valleys(spectra.magnitude, edges, counts)
    return librosa.power_to_db(peaks) - librosa.power_to_db(valleys)


def _contrast_bands(sample_rate: int, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the bounds of octave bands in bins, and the number of bins in 2 % of each band, as in librosa."""
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=n_fft)
    octaves = np.concatenate([[0.0], CONTRAST_FMIN * 2.0 ** np.arange(N_CONTRAST_BANDS + 1)])
    edges, counts = [], []
    for band, (low, high) in enumerate(pairwise(octaves)):
        first = int(np.searchsorted(frequencies, low)) - (band > 0)
        is_last = band == N_CONTRAST_BANDS
        end = len(frequencies) if is_last else int(np.searchsorted(frequencies, high, side="right"))
        counts.append(max(1, round(CONTRAST_QUANTILE * (end - first))))
        edges.append((first, end if is_last else end - 1))
    return np.array(edges), np.array(counts)


def _zero_crossings(spectra: Spectra) -> np.ndarray:
    return kernels.zero_crossing_rate(spectra.y, ZERO, spectra.n_fft, spectra.hop_length)[np.newaxis]


DEFINITIONS: dict[str, Descriptor] = {
    "chroma_stft": Descriptor(
        N_CHROMA,
        "0 to 1",
        "strength of the twelve pitch classes, from the Fourier transform",
        "Ellis 2007",
        lambda spectra: spectra.chroma_stft,
    ),
    "chroma_cqt": Descriptor(
        N_CHROMA,
        "0 to 1",
        "strength of the twelve pitch classes, from the constant-Q transform",
        "Schörkhuber and Klapuri 2010",
        lambda spectra: librosa.feature.chroma_cqt(C=spectra.constant_q, bins_per_octave=12),
    ),
    "chroma_cens": Descriptor(
        N_CHROMA,
        "0 to 1",
        "the same, quantised and smoothed over a second, whatever the loudness",
        "Müller and Ewert 2011",
        lambda spectra: spectra.chroma_cens,
    ),
    "tonnetz": Descriptor(
        6,
        "-1 to 1",
        "tonal centroid: fifths, minor and major thirds",
        "Harte et al. 2006",
        lambda spectra: librosa.feature.tonnetz(chroma=spectra.chroma_cens),
    ),
    "mfcc": Descriptor(
        MAX_MFCC,
        "dB",
        "timbre: shape of the mel spectrum on a cosine basis",
        "Davis and Mermelstein 1980",
        lambda spectra: spectra.mfcc,
    ),
    "rms": Descriptor(1, "full scale", "loudness: root mean square", "Parseval", lambda spectra: spectra.moments[0:1]),
    "spectral_centroid": Descriptor(
        1,
        "Hz",
        "brightness: centre of mass of the spectrum",
        "Klapuri and Davy 2006",
        lambda spectra: spectra.moments[1:2],
    ),
    "spectral_bandwidth": Descriptor(
        1,
        "Hz",
        "spread of the spectrum around its centroid",
        "Klapuri and Davy 2006",
        lambda spectra: spectra.moments[2:3],
    ),
    "spectral_contrast": Descriptor(
        N_CONTRAST_BANDS + 1,
        "dB",
        "peaks against valleys in each of seven octave bands",
        "Jiang et al. 2002",
        _contrast,
    ),
    "spectral_rolloff": Descriptor(
        1,
        "Hz",
        "frequency below which 85 % of the magnitude lies",
        "Peeters 2004",
        lambda spectra: spectra.moments[3:4],
    ),
    "zero_crossing_rate": Descriptor(
        1, "per sample", "how often the signal changes its sign: noisiness", "Gouyon et al. 2000", _zero_crossings
    ),
    "spectral_flatness": Descriptor(
        1,
        "0 to 1",
        "noise (1) against tones (0)",
        "Dubnov 2004",
        lambda spectra: librosa.feature.spectral_flatness(S=spectra.magnitude.T),
    ),
    "onset_strength": Descriptor(
        1,
        "dB",
        "how much the level in mel bands rises from frame to frame",
        "Böck and Widmer 2013",
        lambda spectra: spectra.onset_strength[np.newaxis],
    ),
    "mfcc_delta": Descriptor(
        MAX_MFCC,
        "dB per frame",
        "how the timbre changes",
        "Furui 1986",
        lambda spectra: librosa.feature.delta(spectra.mfcc, mode="nearest"),
    ),
    "tempo": Descriptor(0, "beats per minute", "the most likely beat", "Ellis 2007", rhythm.tempo, ("tempo",)),
    "onset_rate": Descriptor(
        0, "per second", "how many notes begin", "Böck et al. 2012", rhythm.onset_rate, ("onset_rate",)
    ),
    "fluctuation": Descriptor(
        0,
        "log of dB",
        "how strongly each of sixteen bands pulsates at ten rates, slow to fast",
        "Pampalk et al. 2002",
        rhythm.fluctuation,
        tuple(f"fluctuation_{band:02d}_{rate}bpm" for band in range(1, rhythm.N_BANDS + 1) for rate in rhythm.RATES),
    ),
}
"""Descriptors by name, in the order of their columns; descriptors of the whole clip come last."""

_FMA = list(DEFINITIONS)[: list(DEFINITIONS).index("spectral_flatness")]
_BASIC = [name for name in _FMA if name not in ("chroma_cqt", "chroma_cens")]

FEATURE_SETS: dict[FeatureSet, list[str]] = {"basic": [*_BASIC, "tempo"], "fma": _FMA, "full": list(DEFINITIONS)}

STATISTICS = ["mean", "std", "skew", "kurtosis", "median", "min", "max", "mean_abs_delta"]
STATISTICS_OF: dict[FeatureSet, list[str]] = {"basic": STATISTICS[:2], "fma": STATISTICS[:7], "full": STATISTICS}
"""Statistics over the frames of a clip: moments, order statistics and the mean absolute change between frames."""


def columns(feature_set: FeatureSet, n_mfcc: int) -> list[str]:
    """List the names of the values that describe a clip.

    Parameters
    ----------
    feature_set : {"basic", "fma", "full"}
        ``"basic"``: mean and standard deviation of the nine descriptors of the first study, and the tempo.
        ``"fma"``: with 20 MFCC, the 518 values of Defferrard et al. 2017 (`defferrard2017fma` in docs/references.bib).
        ``"full"``: all `STATISTICS` of all frame-wise `DEFINITIONS`, and the descriptors of the whole clip.
    n_mfcc : int
        Number of mel-frequency cepstral coefficients, at most `MAX_MFCC`.

    Returns
    -------
    list of str
        Names such as ``mfcc_01_mean``, without the number where a descriptor has a single row. Descriptors of the
        whole clip, such as ``tempo`` and ``fluctuation_03_90bpm``, come last.
    """
    names = []
    for name in FEATURE_SETS[feature_set]:
        n_rows = min(DEFINITIONS[name].n_rows, n_mfcc) if name.startswith("mfcc") else DEFINITIONS[name].n_rows
        rows = [name] if n_rows == 1 else [f"{name}_{row:02d}" for row in range(1, n_rows + 1)]
        names += [f"{row}_{statistic}" for row in rows for statistic in STATISTICS_OF[feature_set]]
        names += DEFINITIONS[name].columns
    return names


def tabulate_definitions(feature_set: FeatureSet, names: pd.Index) -> pd.DataFrame:
    """Tabulate the definitions of the descriptors of a feature set.

    Parameters
    ----------
    feature_set : {"basic", "fma", "full"}
        The descriptors; see `columns`.
    names : pd.Index of str
        Names of the values that describe a clip, as `columns` returns them.

    Returns
    -------
    pd.DataFrame
        A row per descriptor: ``unit``, ``meaning``, ``reference``, and ``columns``, the number of its values.
    """
    statistics = "|".join(STATISTICS)
    rows = {
        name: (*DEFINITIONS[name][1:4], names.str.match(rf"{name}(_\d\d)?(_({statistics}|\d+bpm))?$").sum())
        for name in FEATURE_SETS[feature_set]
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["unit", "meaning", "reference", "columns"])
    return table.rename_axis("descriptor")


def describe_spectra(spectra: Spectra, feature_set: FeatureSet) -> np.ndarray:
    """Compute the descriptors of a feature set and their statistics over time.

    Parameters
    ----------
    spectra : Spectra
        Transforms of the clip.
    feature_set : {"basic", "fma", "full"}
        Descriptors and statistics to compute; see `columns`.

    Returns
    -------
    np.ndarray [shape=(n,)]
        Finite values in the order of ``columns(feature_set, MAX_MFCC)``. Skewness and excess kurtosis of a constant
        descriptor, as in silence, are 0.
    """
    computed = [DEFINITIONS[name].compute(spectra) for name in FEATURE_SETS[feature_set]]
    frames = [values for values in computed if values.ndim == 2]
    of_clip = [values for values in computed if values.ndim == 1]
    summed_up = kernels.statistics(np.concatenate(frames, dtype=np.float64))
    return np.concatenate([summed_up[: len(STATISTICS_OF[feature_set])].T.ravel(), *of_clip])
