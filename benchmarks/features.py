"""Time of the features of a clip against two ways with librosa, on one core; then of a corpus, on all cores."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import librosa
import numpy as np
import pandas as pd
import psutil
import scipy.stats
import soundfile
from threadpoolctl import threadpool_limits

from songgenre import audio
from songgenre.cache import Cache
from songgenre.features.corpus import extract_corpus
from songgenre.features.descriptors import DEFINITIONS, FEATURE_SETS, describe_spectra
from songgenre.features.extract import ClipFeatures, extract
from songgenre.features.spectra import Spectra, mel_levels
from songgenre.params import load_params
from songgenre.paths import Project

CONFIG = load_params(Path(__file__).parents[1] / "params.yaml").features.model_copy(update={"feature_set": "fma"})
SR = CONFIG.sample_rate
N_CLIPS = 10
N_CORPUS = int(os.environ.get("BENCHMARK_SONGS", "300"))


def find_clips() -> list[audio.Clip]:
    named = os.environ.get("SONGGENRE_REAL_MUSIC")
    folder = Path(named) if named else Project.find().audio
    paths = sorted(path for path in folder.rglob("*") if path.suffix in audio.SUFFIXES)
    durations = [(path, soundfile.info(path).duration) for path in paths if path.stat().st_size > 100_000]
    return [audio.Clip(path, 0.0, min(30.0, duration)) for path, duration in durations if duration > 27]


def with_librosa_per_feature(clip: audio.Clip) -> None:
    """Each function called on the samples, as its documentation shows it."""
    y, feature = audio.load_clip(clip, SR), librosa.feature
    cens = feature.chroma_cens(y=y, sr=SR)
    frames = [
        feature.chroma_stft(y=y, sr=SR),
        feature.chroma_cqt(y=y, sr=SR),
        cens,
        feature.tonnetz(chroma=cens),
        feature.mfcc(y=y, sr=SR),
        feature.rms(y=y),
        feature.spectral_centroid(y=y, sr=SR),
        feature.spectral_bandwidth(y=y, sr=SR),
        feature.spectral_contrast(y=y, sr=SR),
        feature.spectral_rolloff(y=y, sr=SR),
        feature.zero_crossing_rate(y),
    ]
    with_scipy(frames)
    librosa.power_to_db(feature.melspectrogram(y=y, sr=SR))


def with_the_recipe_of_fma(clip: audio.Clip) -> None:
    """One Fourier and one constant-Q transform, shared, as Defferrard et al. 2017 did; and the mel spectrogram."""
    y, feature = audio.load_clip(clip, SR), librosa.feature
    constant_q = np.abs(librosa.cqt(y, sr=SR, hop_length=512, bins_per_octave=12, n_bins=84, tuning=None))
    cens = feature.chroma_cens(C=constant_q, n_chroma=12, bins_per_octave=12)
    magnitude = np.abs(librosa.stft(y, n_fft=2048, hop_length=512))
    mel_db = librosa.power_to_db(feature.melspectrogram(sr=SR, S=magnitude**2))
    frames = [
        feature.zero_crossing_rate(y, frame_length=2048, hop_length=512),
        feature.chroma_cqt(C=constant_q, n_chroma=12, bins_per_octave=12),
        cens,
        feature.tonnetz(chroma=cens),
        feature.chroma_stft(S=magnitude**2, sr=SR, n_chroma=12),
        feature.rms(S=magnitude),
        feature.spectral_centroid(S=magnitude, sr=SR),
        feature.spectral_bandwidth(S=magnitude, sr=SR),
        feature.spectral_contrast(S=magnitude, sr=SR, n_bands=6),
        feature.spectral_rolloff(S=magnitude, sr=SR),
        feature.mfcc(S=mel_db, n_mfcc=20),
    ]
    with_scipy(frames)


def with_scipy(frames: list[np.ndarray]) -> np.ndarray:
    rows = [row for each in frames for row in each]
    statistics = (np.mean, np.std, scipy.stats.skew, scipy.stats.kurtosis, np.median, np.min, np.max)
    return np.array([[statistic(row) for statistic in statistics] for row in rows])


def ours(clip: audio.Clip) -> None:
    extract(clip, CONFIG)


def seconds(function: Callable[[audio.Clip], None], clips: list[audio.Clip]) -> float:
    """Median over clips of the best of three, warm."""
    function(clips[0])
    best = []
    for clip in clips:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            function(clip)
            times.append(time.perf_counter() - started)
        best.append(min(times))
    return float(np.median(best))


def stage_table(clips: list[audio.Clip]) -> pd.Series:
    """Milliseconds of each step, in the order in which one needs the other."""
    steps: dict[str, Callable[[Spectra], object]] = {
        "Fourier transform": lambda spectra: spectra.magnitude,
        "tuning": lambda spectra: spectra.tuning,
        "mel and chroma filters": lambda spectra: spectra.mel_power,
        "MFCC": lambda spectra: spectra.mfcc,
        "constant-Q transform": lambda spectra: spectra.constant_q,
        "centroid, bandwidth, roll-off, loudness": lambda spectra: spectra.moments,
        "contrast": lambda spectra: DEFINITIONS["spectral_contrast"].compute(spectra),
        "zero crossings": lambda spectra: DEFINITIONS["zero_crossing_rate"].compute(spectra),
        "chroma CENS": lambda spectra: spectra.chroma_cens,
        "mel image": lambda spectra: mel_levels(spectra.mel_power, CONFIG.mel_db_range),
    }
    taken = pd.DataFrame(0.0, index=range(len(clips)), columns=["decoding", *steps, "statistics and the rest"])
    for row, clip in enumerate(clips):
        clock = [time.perf_counter()]
        y = audio.load_clip(clip, SR)
        clock.append(time.perf_counter())
        spectra = Spectra(y, SR, CONFIG.n_fft, CONFIG.hop_length, CONFIG.n_mels)
        for step in steps.values():
            step(spectra)
            clock.append(time.perf_counter())
        describe_spectra(spectra, CONFIG.feature_set)
        clock.append(time.perf_counter())
        taken.iloc[row] = np.diff(clock) * 1e3
    return taken.median()


def measure_clips(clips: list[audio.Clip]) -> None:
    some = clips[:: max(1, len(clips) // N_CLIPS)][:N_CLIPS]
    with threadpool_limits(1):
        per_feature, recipe, project = (
            seconds(function, some) for function in (with_librosa_per_feature, with_the_recipe_of_fma, ours)
        )
        for way, taken in {"librosa per feature": per_feature, "FMA's recipe": recipe, "ours": project}.items():
            print(f"a clip on one core, {way}: {taken:.3f} s")
        print(f"librosa per feature / ours: {per_feature / project:.1f}")
        print(f"FMA's recipe / ours: {recipe / project:.1f}")
        print(stage_table(some).round(1).to_string(), "\n")


def one_after_the_other(clips: list[audio.Clip], cache: Cache[ClipFeatures]) -> float:
    """Seconds for each of many different clips, kept in a cache as in a corpus, on one core."""
    with threadpool_limits(1):
        started = time.perf_counter()
        for place, clip in enumerate(clips):
            cache.put(f"{place:064d}", extract(clip, CONFIG))
        return (time.perf_counter() - started) / len(clips)


def worker_memory(samples: list[float], ended: threading.Event) -> None:
    while not ended.wait(0.5):
        children = [child for child in psutil.Process().children(recursive=True) if "loky" in " ".join(child.cmdline())]
        samples.append(max([child.memory_full_info().uss / 2**20 for child in children], default=0.0))


def measure_corpus(clips: list[audio.Clip]) -> None:
    """Time and memory of a corpus in which every song is new to the cache."""
    samples: list[float] = []
    ended = threading.Event()
    with TemporaryDirectory() as folder:
        n_new = N_CORPUS // 100
        places = range(N_CORPUS + n_new)
        everything = pd.DataFrame(
            {
                "track_id": [f"song-{place}" for place in places],
                "audio_path": [str(clips[place % len(clips)].path) for place in places],
                "sha256": [f"{place:064d}" for place in places],
                "clip_start_s": 0.0,
                "clip_duration_s": [clips[place % len(clips)].duration_s for place in places],
            }
        )
        tracks = everything[:N_CORPUS]
        extract_corpus(tracks[:20], Project(Path(folder) / "warming up"), CONFIG)
        corpus = Project(Path(folder) / "corpus")
        alone = Cache(str(Path(folder) / "alone"), ClipFeatures, CONFIG.model_dump(), extract)
        alone_s = one_after_the_other(clips[: 10 * N_CLIPS], alone)
        watcher = threading.Thread(target=worker_memory, args=(samples, ended))
        watcher.start()
        started = time.perf_counter()
        extract_corpus(tracks, corpus, CONFIG)
        cold_s = time.perf_counter() - started
        ended.set()
        watcher.join()
        started = time.perf_counter()
        extract_corpus(tracks, corpus, CONFIG)
        warm_s = time.perf_counter() - started
        started = time.perf_counter()
        extract_corpus(everything[n_new:], corpus, CONFIG)
        more_s = time.perf_counter() - started
        alone_s = (alone_s + one_after_the_other(clips[: 10 * N_CLIPS], alone)) / 2
    cores = os.cpu_count() or 1
    print(f"{N_CORPUS} songs: {cold_s:.0f} s, {N_CORPUS / cold_s:.1f} songs a second on {cores} cores")
    print(f"parallel efficiency: {alone_s * N_CORPUS / cold_s / cores:.2f}")
    print(f"all known: {warm_s:.1f} s; 1 % new: {more_s:.1f} s")
    quarters = [max(samples[len(samples) * part // 4 : len(samples) * (part + 1) // 4]) for part in range(4)]
    print("largest worker in MiB, by quarter of the time:", ", ".join(f"{peak:.0f}" for peak in quarters))


def main() -> None:
    clips = find_clips()
    print(f"{len(clips)} clips; feature_set {CONFIG.feature_set}: {len(FEATURE_SETS[CONFIG.feature_set])} descriptors")
    measure_clips(clips)
    measure_corpus(clips)


if __name__ == "__main__":
    main()
