"""Seconds for the descriptors and the mel image of a clip, against librosa called once per feature."""

from __future__ import annotations

import time
from collections.abc import Callable

import librosa
import numpy as np

from songgenre import audio, params, tables
from songgenre.features.descriptors import describe
from songgenre.features.extract import Recipe
from songgenre.features.spectra import mel_image, spectra
from songgenre.paths import project

N_CLIPS = 10


def ours(y: np.ndarray, recipe: Recipe) -> None:
    clip = spectra(y, recipe.sample_rate, recipe.n_fft, recipe.hop_length, recipe.n_mels)
    mel_image(clip.mel_power, recipe.mel_db_range)
    describe(y, clip, recipe.n_mfcc)


def librosa_per_feature(y: np.ndarray, recipe: Recipe) -> None:
    sr, feature = recipe.sample_rate, librosa.feature
    feature.chroma_stft(y=y, sr=sr)
    feature.rms(y=y)
    feature.spectral_centroid(y=y, sr=sr)
    feature.spectral_bandwidth(y=y, sr=sr)
    feature.spectral_contrast(y=y, sr=sr)
    feature.spectral_rolloff(y=y, sr=sr)
    feature.zero_crossing_rate(y)
    feature.mfcc(y=y, sr=sr, n_mfcc=recipe.n_mfcc)
    feature.tonnetz(chroma=feature.chroma_stft(y=y, sr=sr), sr=sr)
    feature.tempo(y=y, sr=sr)
    librosa.power_to_db(feature.melspectrogram(y=y, sr=sr, n_mels=recipe.n_mels))


def seconds_per_clip(function: Callable[[np.ndarray, Recipe], None], clips: list[np.ndarray], recipe: Recipe) -> float:
    function(clips[0], recipe)
    start = time.perf_counter()
    for y in clips:
        function(y, recipe)
    return (time.perf_counter() - start) / len(clips)


if __name__ == "__main__":
    here = project()
    recipe = Recipe(**params.load(here.params).section("features"))
    tracks = tables.read(tables.TRACKS, here.tracks).head(N_CLIPS)
    clips = [audio.load(clip, recipe.sample_rate) for clip in audio.clips(tracks, here.audio)]
    shared, separate = (seconds_per_clip(function, clips, recipe) for function in (ours, librosa_per_feature))
    print(f"one transform for all features: {shared:.3f} s per clip")
    print(f"librosa, once per feature:      {separate:.3f} s per clip, {separate / shared:.1f} times as long")
