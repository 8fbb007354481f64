import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songgenre.audio import center_clip
from songgenre.predict import inference
from songgenre.predict.inputs import AudioInput
from songgenre.predict.loading import Classifier, ClipPrediction


@pytest.mark.parametrize("duration_s", [12.0, 30.0, 33.43, 59.99])
def test_one_window_is_the_clip_of_the_pipeline(duration_s: float) -> None:
    assert inference.windows(duration_s, 30.0) == [center_clip(duration_s, 30.0)]


@pytest.mark.parametrize(
    ("duration_s", "starts"), [(60.0, [0, 30]), (100.0, [5, 35, 65]), (119.5, [14.75, 44.75, 74.75])]
)
def test_long_song_has_windows_side_by_side_around_its_middle(duration_s: float, starts: list[float]) -> None:
    windows = inference.windows(duration_s, 30.0)
    assert [start_s for start_s, _ in windows] == pytest.approx(starts)
    assert {length_s for _, length_s in windows} == {30.0}


def test_song_is_the_mean_of_its_windows() -> None:
    windows = pd.DataFrame({"jazz": [0.9, 0.2, 0.2], "rock": [0.1, 0.8, 0.8]}, index=[0.0, 30.0, 60.0])
    prediction = inference.SongPrediction(AudioInput("a.mp3", Path("a.mp3")), "cnn", windows, 30.0)
    assert prediction.probabilities.to_dict() == pytest.approx({"rock": 1.7 / 3, "jazz": 1.3 / 3})
    assert prediction.genre == "rock"
    assert prediction.is_unsure(0.6)
    assert not prediction.is_unsure(0.5)


@pytest.mark.parametrize(
    ("name", "y", "reason"),
    [
        ("silent.wav", np.zeros(22_050 * 3), "dB"),
        ("short.wav", np.full(2_000, 0.1), "1 s"),
        ("loud.wav", np.where(np.arange(66_150) == 9_000, 3e38, 0.1), "full scale"),
        ("text.mp3", None, "wav, aiff"),
        ("empty.mp3", b"", "0 bytes"),
    ],
)
def test_what_is_no_song_is_told(
    tmp_path: Path,
    write_audio: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    y: np.ndarray | bytes | None,
    reason: str,
) -> None:
    monkeypatch.setattr(inference, "load_classifier", lambda name: Classifier(name, 30.0, (), ()))
    path = tmp_path / name
    if isinstance(y, np.ndarray):
        write_audio(path, y, subtype="FLOAT")
    else:
        path.write_bytes(b"Once upon a time" if y is None else y)
    failure = inference.predict_song(AudioInput(name, path), "pretrained")
    assert isinstance(failure, inference.SkippedSong)
    assert reason in failure.reason
    assert "wrangling" not in failure.reason


def test_model_whose_answer_is_not_finite_predicts_nothing(
    tmp_path: Path,
    write_audio: Callable[..., Path],
    tone: Callable[..., np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = ClipPrediction(pd.Series({"jazz": np.nan, "rock": np.nan}))
    monkeypatch.setattr(inference, "load_classifier", lambda name: Classifier(name, 30.0, (), (lambda inputs: answer,)))
    path = write_audio(tmp_path / "a.wav", tone(2))
    assert isinstance(inference.predict_song(AudioInput("a.wav", path), "pretrained"), inference.SkippedSong)


@pytest.mark.integration
def test_single_song_that_crashes_the_decoder_ends_only_the_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(song: AudioInput, name: str) -> None:
        os.abort()

    monkeypatch.setattr(inference, "predict_song", crash)
    monkeypatch.setattr(inference, "load_classifier", lambda name: None)
    [answer] = inference.predict_songs([AudioInput("a.mp3", Path("a.mp3"))], "pretrained", isolate_single=True)
    assert isinstance(answer, inference.SkippedSong)
    assert "crashed" in answer.reason
