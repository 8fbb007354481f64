import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import symusic

from songgenre.demo.artists import invent_artist, plan_song
from songgenre.demo.composer import compose
from songgenre.demo.genres import GENRES
from songgenre.demo.studio import PEAK, SAMPLE_RATE, encode_mp3, play, render

pytestmark = pytest.mark.integration

PROCESSES = 3
"""More than a small machine has cores."""


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


def test_tracks_sound_the_same_whatever_was_played_before() -> None:
    first, second = (
        list(compose(plan_song(invent_artist(genre, 1, 5), 1, 5, 0.0)).tracks) for genre in ("hip-hop", "rock")
    )
    n = 36 * SAMPLE_RATE
    before = play(first, n)
    play(second, n)
    assert np.array_equal(play(first, n), before)


def test_recordings_of_new_processes_are_the_same() -> None:
    plan = plan_song(invent_artist("rock", 0, 2026), 0, 2026, 0.0)
    code = (
        "import hashlib\n"
        "from songgenre.demo.artists import invent_artist, plan_song\n"
        "from songgenre.demo.composer import compose\n"
        "from songgenre.demo.studio import render\n"
        "plan = plan_song(invent_artist('rock', 0, 2026), 0, 2026, 0.0)\n"
        "y = render(compose(plan), plan.style.mix, plan.seed)\n"
        "print(hashlib.sha256(y.tobytes()).hexdigest())\n"
    )
    here = hashlib.sha256(render(compose(plan), plan.style.mix, plan.seed).tobytes()).hexdigest()
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    assert [process.communicate()[0].strip() for process in processes] == [here] * PROCESSES


def test_note_sounds_from_its_start_and_as_loud_as_its_velocity() -> None:
    def loudness(velocity: int) -> np.ndarray:
        track = symusic.Track("piano", 0, ttype="second")
        track.notes.append(symusic.Note(1.0, 1.0, 60, velocity, ttype="second"))
        y = play([track], 3 * SAMPLE_RATE)
        return np.sqrt(np.mean(y.reshape(30, -1) ** 2, axis=1))

    soft, loud = loudness(40), loudness(100)
    assert loud[:9].max() < 1e-3 * loud[10]
    assert soft[10] < 0.5 * loud[10]
    assert loud[-1] < 0.05 * loud[10]


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
