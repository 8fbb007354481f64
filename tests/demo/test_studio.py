import io

import numpy as np
import pytest
import soundfile

from songgenre.demo.artists import invent_artist, plan_song
from songgenre.demo.composer import compose
from songgenre.demo.genres import GENRES
from songgenre.demo.studio import PEAK, SAMPLE_RATE, encode_mp3, play, render


@pytest.fixture(scope="module")
def recordings() -> dict[str, np.ndarray]:
    plans = {genre: plan_song(invent_artist(genre, 1, 5), 1, 5, 0.0) for genre in GENRES}
    return {genre: render(compose(plan), plan.style.mix, plan.seed) for genre, plan in plans.items()}


@pytest.mark.parametrize("genre", GENRES)
def test_recording_is_of_the_right_length_and_level(genre: str, recordings: dict[str, np.ndarray]) -> None:
    y = recordings[genre]
    assert y.ndim == 1
    assert 30 <= len(y) / SAMPLE_RATE <= 36
    assert np.abs(y).max() <= PEAK
    assert -27 < 20 * np.log10(np.sqrt(np.mean(y**2))) < -9
    assert not np.array_equal(y[0], y[1])


def test_track_sounds_the_same_whatever_was_played_before() -> None:
    first, second = (compose(plan_song(invent_artist(genre, 1, 5), 1, 5, 0.0)).tracks for genre in ("hip-hop", "rock"))
    n = 36 * SAMPLE_RATE
    before = [play(track, n) for track in first]
    for track in second:
        play(track, n)
    assert all(np.array_equal(play(track, n), y) for track, y in zip(first, before, strict=True))


def test_classical_music_keeps_its_dynamics(recordings: dict[str, np.ndarray]) -> None:
    def crest(y: np.ndarray) -> float:
        return float(np.abs(y).max() / np.sqrt(np.mean(y**2)))

    assert crest(recordings["classical"]) > 1.5 * crest(recordings["rock"])


def test_encoded_recording_keeps_length_and_does_not_clip(recordings: dict[str, np.ndarray]) -> None:
    for y in recordings.values():
        decoded, sample_rate = soundfile.read(io.BytesIO(encode_mp3(y, 64)), always_2d=True)
        assert sample_rate == SAMPLE_RATE
        assert 0 <= len(decoded) - len(y) < 3 * 1152
        assert np.abs(decoded).max() < 1


@pytest.mark.parametrize("bit_rate", [64, 96])
def test_header_tells_a_cut_file_from_a_whole_one(bit_rate: int, recordings: dict[str, np.ndarray]) -> None:
    mp3 = encode_mp3(recordings["country"], bit_rate)
    for contents, whole in ((mp3, True), (mp3[: len(mp3) // 2], False)):
        with soundfile.SoundFile(io.BytesIO(contents)) as file:
            promised = file.frames
            assert (len(file.read()) == promised) == whole
