"""Whole songs, judged window by window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple

import pandas as pd

from songgenre import audio
from songgenre.audio import center_clip
from songgenre.errors import UserError
from songgenre.predict import loading
from songgenre.predict.inputs import AudioInput
from songgenre.progress import progress_bar
from songgenre.wrangling.validation import validate_audio

MIN_DURATION_S = 1.0
"""What is shorter is no song."""
SILENCE_DB = -60.0
"""Nor is what is quieter, in dB of full scale."""


class SongPrediction(NamedTuple):
    """What a model says of a song.

    Parameters
    ----------
    song : AudioInput
    model : str
    windows : pd.DataFrame [shape=(n_windows, n_genres)]
        Probability of each genre in each window; the index says where the window begins, in seconds.
    window_s : float
        Length of a window.
    """

    song: AudioInput
    model: str
    windows: pd.DataFrame
    window_s: float

    @property
    def probabilities(self) -> pd.Series:
        """Probability of each genre in the song: the mean over its windows, the likeliest first."""
        return self.windows.mean().sort_values(ascending=False, kind="stable")

    @property
    def genre(self) -> str:
        """The likeliest."""
        return str(self.probabilities.index[0])

    def is_unsure(self, threshold: float) -> bool:
        """Whether even the likeliest genre is less probable than `threshold`."""
        return bool(self.probabilities.iloc[0] < threshold)


class SkippedSong(NamedTuple):
    """A song that cannot be judged, and why."""

    song: AudioInput
    reason: str


def windows(duration_s: float, clip_duration_s: float) -> list[tuple[float, float]]:
    """Start and length, in seconds, of the windows of a song.

    As many as fit side by side, in the middle of the song. Where one fits, it is the clip that the pipeline uses.

    Parameters
    ----------
    duration_s : float
        Of the song. If it is shorter than a clip, all of it is the one window.
    clip_duration_s : float
    """
    n = max(1, int(duration_s / clip_duration_s))
    start_s, length_s = center_clip(duration_s, n * clip_duration_s)
    return [(start_s + number * clip_duration_s, length_s / n) for number in range(n)]


def predict_song(song: AudioInput, name: loading.Name) -> SongPrediction | SkippedSong:
    """Judge a song, or say why that cannot be done.

    Parameters
    ----------
    song : AudioInput
    name : str
        Of the model, see `songgenre.predict.loading.load_model`.
    """
    classifier = load_classifier(name)
    decoded = validate_audio(song.path, MIN_DURATION_S, SILENCE_DB)
    if decoded.reason:
        return SkippedSong(song, decoded.detail)
    try:
        places = windows(decoded.duration_s, classifier.clip_duration_s)
        probabilities = [classifier.probabilities(audio.Clip(song.path, *place)) for place in places]
    except UserError as error:
        return SkippedSong(song, str(error))
    table = pd.DataFrame(probabilities, index=pd.Index([start_s for start_s, _ in places], name="start_s"))
    return SongPrediction(song, classifier.name, table, places[0][1])


def predict_songs(songs: Sequence[AudioInput], name: loading.Name) -> Iterator[SongPrediction | SkippedSong]:
    """Judge songs, on all cores if there are several, in their order.

    Raises
    ------
    UserError
        If the model cannot be had.
    """
    load_classifier(name)
    if len(songs) <= 1:
        yield from (predict_song(song, name) for song in songs)
        return
    from songgenre.compute import workers

    yield from progress_bar(workers().map(partial(predict_song, name=name), songs), "predicting", total=len(songs))


@cache
def load_classifier(name: loading.Name) -> loading.Classifier:
    """The model, loaded once in every process."""
    return loading.load_model(name)
