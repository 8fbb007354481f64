"""Predictions for whole songs, window by window."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.audio import center_clip
from songgenre.errors import UserError
from songgenre.predict import loading
from songgenre.predict.inputs import AudioInput
from songgenre.wrangling.validation import validate_audio

MIN_DURATION_S = 1.0
"""Shortest song that is predicted."""
SILENCE_DB = -60.0
"""A song whose level is below this, in dB of full scale, counts as silent."""


class SongPrediction(NamedTuple):
    """Prediction of a model for a song.

    Parameters
    ----------
    song : AudioInput
        The song.
    model : str
        Name of the model.
    windows : pd.DataFrame [shape=(n_windows, n_genres)]
        Probability of each genre in each window; the index is the start of the window in seconds.
    window_s : float
        Length of a window in seconds.
    outside : float or None
        Probability that the song has none of the genres, the mean over its windows; None if the model does not tell.
    max_outside : float
        Largest `outside` of a song that counts as one of the genres.
    tags : pd.DataFrame or None
        Probability of each tag in each window, if the model computes them; index as in `windows`.
    taggram : pd.DataFrame or None
        Probability of each tag every 3 s, if the model computes them; the index is the start in seconds.
    duration_s : float
        Length of the song in seconds; 0 if it is unknown.
    """

    song: AudioInput
    model: str
    windows: pd.DataFrame
    window_s: float
    outside: float | None = None
    max_outside: float = 1.0
    tags: pd.DataFrame | None = None
    taggram: pd.DataFrame | None = None
    duration_s: float = 0.0

    @property
    def end_s(self) -> float:
        """End of the song, or of its last window, in seconds."""
        return max(self.duration_s, self.windows.index[-1] + self.window_s)

    @property
    def probabilities(self) -> pd.Series:
        """Probability of each genre in the song: the mean over its windows, the most probable first."""
        return self.windows.mean().sort_values(ascending=False, kind="stable")

    @property
    def genre(self) -> str:
        """The most probable genre."""
        return str(self.probabilities.index[0])

    @property
    def is_outside(self) -> bool:
        """Whether the song counts as none of the genres."""
        return self.outside is not None and self.outside > self.max_outside

    def top_tags(self, n: int) -> dict[str, float]:
        """List the most probable tags of the song.

        Parameters
        ----------
        n : int
            Number of tags.

        Returns
        -------
        dict
            From tag to its mean probability over the windows, the most probable first; empty if the model computes no
            tags.
        """
        return {} if self.tags is None else self.tags.mean().nlargest(n).to_dict()

    def is_unsure(self, threshold: float) -> bool:
        """Tell whether the most probable genre is less probable than a threshold.

        Parameters
        ----------
        threshold : float
            Probability, 0 to 1.

        Returns
        -------
        bool
            True if it is less probable.
        """
        return bool(self.probabilities.iloc[0] < threshold)


class SkippedSong(NamedTuple):
    """A song without a prediction.

    Parameters
    ----------
    song : AudioInput
        The song.
    reason : str
        Why there is no prediction, for the user.
    """

    song: AudioInput
    reason: str


def windows(duration_s: float, clip_duration_s: float) -> list[tuple[float, float]]:
    """Divide a song into windows, as many as fit side by side in its middle.

    A single window is the central clip, as in the pipeline.

    Parameters
    ----------
    duration_s : float
        Length of the song in seconds. A song shorter than a window is one window.
    clip_duration_s : float
        Length of a window in seconds.

    Returns
    -------
    list of (float, float)
        Start and length of each window in seconds.

    Examples
    --------
    >>> windows(70.0, clip_duration_s=30.0)
    [(5.0, 30.0), (35.0, 30.0)]
    >>> windows(12.0, clip_duration_s=30.0)
    [(0.0, 12.0)]
    """
    n = max(1, int(duration_s / clip_duration_s))
    start_s, length_s = center_clip(duration_s, n * clip_duration_s)
    return [(start_s + number * clip_duration_s, length_s / n) for number in range(n)]


def predict_song(
    song: AudioInput, name: loading.Name, report: Callable[[int, int], None] = lambda done, total: None
) -> SongPrediction | SkippedSong:
    """Predict the genre of a song.

    Parameters
    ----------
    song : AudioInput
        The song.
    name : str
        Name of the model, see `songgenre.predict.loading.load_model`.
    report : callable
        Called with the number of predicted windows and of all windows, before each window is predicted.

    Returns
    -------
    SongPrediction or SkippedSong
        The second if the song cannot be decoded, is shorter than `MIN_DURATION_S` or is silent.

    Raises
    ------
    UserError
        If the model is unavailable.
    """
    classifier = load_classifier(name)
    place_clips = partial(windows, clip_duration_s=classifier.clip_duration_s)
    decoded = validate_audio(song.path, MIN_DURATION_S, SILENCE_DB, place_clips)
    if decoded.reason:
        return SkippedSong(song, decoded.detail)
    places = decoded.clips
    predictions = []
    try:
        for done, place in enumerate(places):
            report(done, len(places))
            predictions.append(classifier.predict(audio.Clip(song.path, *place)))
    except UserError as error:
        return SkippedSong(song, str(error))
    index = pd.Index([start_s for start_s, _ in places], name="start_s")
    table = pd.DataFrame([prediction.probabilities for prediction in predictions], index=index)
    if not np.isfinite(table.to_numpy()).all():
        return SkippedSong(song, "its probabilities are not finite; export it again with a full scale of 1")
    outside = [prediction.outside for prediction in predictions if prediction.outside is not None]
    tags = [prediction.tags for prediction in predictions if prediction.tags is not None]
    window_tags = [patches.to_numpy().mean(axis=0) for patches in tags]
    taggram = [patches.set_axis(patches.index + start_s) for patches, (start_s, _) in zip(tags, places, strict=False)]
    return SongPrediction(
        song,
        classifier.name,
        table,
        places[0][1],
        float(np.mean(outside)) if outside else None,
        classifier.max_outside,
        pd.DataFrame(window_tags, index, tags[0].columns) if tags else None,
        pd.concat(taggram) if tags else None,
        decoded.duration_s,
    )


def predict_songs(
    songs: Sequence[AudioInput], name: loading.Name, isolate_single: bool = False
) -> Iterator[SongPrediction | SkippedSong]:
    """Predict the genres of songs, in other processes on all cores if there are several songs.

    Parameters
    ----------
    songs : sequence of AudioInput
        The songs.
    name : str
        Name of the model, see `songgenre.predict.loading.load_model`.
    isolate_single : bool
        Whether a single song is predicted in another process, too. That takes longer to start, but a song that crashes
        the decoder does not end this process.

    Yields
    ------
    SongPrediction or SkippedSong
        One for each song, in the order of `songs`.

    Raises
    ------
    UserError
        If the model is unavailable.
    """
    load_classifier(name)
    if len(songs) == 1 and not isolate_single:
        yield predict_song(songs[0], name)
    elif songs:
        from songgenre.compute import isolated_map

        yield from isolated_map(partial(predict_song, name=name), songs, "predicting", _crashed)


def model_hash(name: loading.Name) -> str:
    """Compute a hash of a model and of the code that predicts with it.

    Parameters
    ----------
    name : str
        Name of an available model, see `songgenre.predict.loading.load_model`.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits; another one if predictions may differ.
    """
    from songgenre.code_version import code_version

    digest = hashlib.sha256(code_version(predict_song).encode())
    for path in loading.model_files(name):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _crashed(song: AudioInput, what: str) -> SkippedSong:
    return SkippedSong(song, f"the process that decoded it {what}; convert it, for example to FLAC")


@cache
def load_classifier(name: loading.Name) -> loading.Classifier:
    """Load a model once in each process.

    Parameters
    ----------
    name : str
        Name of the model, see `songgenre.predict.loading.load_model`.

    Returns
    -------
    Classifier
        The loaded model, the same object at each call.
    """
    return loading.load_model(name)
