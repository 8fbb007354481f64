import os
import re
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest

from songgenre.audio import BLOCK, Clip, clips, level_db, load_clip, open_audio
from songgenre.errors import UserError

Maker = Callable[..., np.ndarray]
Writer = Callable[..., Path]

SR = 24_000
LIBSNDFILE = [".aif", ".aiff", ".au", ".flac", ".mp3", ".ogg", ".opus", ".wav"]
LOSSLESS = {".wav", ".au", ".aif", ".aiff", ".flac"}


@pytest.mark.parametrize("suffix", LIBSNDFILE)
def test_every_format_is_decoded_to_the_signal_that_was_written(
    tmp_path: Path, tone: Maker, write_audio: Writer, suffix: str
) -> None:
    y = tone(seconds=2, sample_rate=SR)
    loaded = load_clip(Clip(write_audio(tmp_path / f"song{suffix}", y, SR), 0, 2), SR)
    assert loaded.dtype == np.float32
    assert loaded.shape == y.shape
    np.testing.assert_allclose(loaded[2000:-2000], y[2000:-2000], atol=1e-4 if suffix in LOSSLESS else 0.06)


@pytest.mark.parametrize("suffix", LIBSNDFILE)
def test_clip_from_within_is_that_part_of_the_song(
    tmp_path: Path, melody: Maker, write_audio: Writer, suffix: str
) -> None:
    y = melody(seed=1, seconds=4, sample_rate=SR)
    clip = load_clip(Clip(write_audio(tmp_path / f"song{suffix}", y, SR), 1.5, 2), SR)
    error = clip - y[round(1.5 * SR) : round(3.5 * SR)]
    assert np.sqrt(np.mean(error**2)) < (1e-4 if suffix in LOSSLESS else 0.2 * y.std())


def test_stereo_becomes_the_mean_of_its_channels(tmp_path: Path, tone: Maker, write_audio: Writer) -> None:
    left, right = tone(frequency=300), tone(frequency=700, level=0.1)
    path = write_audio(tmp_path / "stereo.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(load_clip(Clip(path, 0, 2), 22_050), (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("native_rate", [8_000, 22_050, 44_100, 48_000, 192_000])
def test_resampling_keeps_frequency_and_level(
    tmp_path: Path, tone: Maker, write_audio: Writer, native_rate: int
) -> None:
    path = write_audio(tmp_path / "song.wav", tone(sample_rate=native_rate, frequency=1000), native_rate)
    y = load_clip(Clip(path, 0, 2), 22_050)
    assert len(y) == 2 * 22_050
    assert np.abs(np.fft.rfft(y)).argmax() / 2 == 1000
    assert np.sqrt(np.mean(y**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.01)


def test_resampling_removes_what_the_new_rate_cannot_hold(tmp_path: Path, tone: Maker, write_audio: Writer) -> None:
    path = write_audio(tmp_path / "high.wav", tone(sample_rate=44_100, frequency=15_000), 44_100)
    assert np.abs(load_clip(Clip(path, 0.5, 1), 22_050)[1000:-1000]).max() < 1e-3


@pytest.mark.parametrize("native_rate", [11_025, 22_050, 44_100, 44_056])
@pytest.mark.parametrize(("start_s", "duration_s"), [(0.01, 1.2345), (0.33, 0.99999), (0, 3)])
def test_clip_has_exactly_the_length_asked_for(
    tmp_path: Path, tone: Maker, write_audio: Writer, native_rate: int, start_s: float, duration_s: float
) -> None:
    path = write_audio(tmp_path / "song.wav", tone(seconds=3, sample_rate=native_rate), native_rate)
    assert len(load_clip(Clip(path, start_s, duration_s), 22_050)) == round(duration_s * 22_050)


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".ogg", ".flac"])
@pytest.mark.parametrize(("start_s", "held_s"), [(0, "2.00"), (1.5, "0.50"), (2, "0.00"), (100, "0.00")])
def test_clip_past_the_end_names_the_file_and_what_it_holds(
    tmp_path: Path, tone: Maker, write_audio: Writer, suffix: str, start_s: float, held_s: str
) -> None:
    path = write_audio(tmp_path / f"song{suffix}", tone(seconds=2))
    with pytest.raises(UserError, match=rf"(?<!\d){held_s} s") as error:
        load_clip(Clip(path, start_s, 3), 22_050)
    assert all(part in str(error.value) for part in (str(path), "3 s", f"{start_s:g}"))


def problem(path: Path) -> str:
    messages = set()
    for read in (lambda clip: load_clip(clip, 22_050), level_db):
        with pytest.raises(UserError) as error:
            read(Clip(path, 0, 1))
        messages.add(str(error.value))
    (message,) = messages
    return message


@pytest.mark.parametrize("content", [b"", b"not a song", bytes(1000), b"fLaC" + bytes(1000), b"\xff\xfb\x90\x64"])
def test_what_is_no_audio_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    assert all(part in problem(path) for part in (str(path), "wav", "flac", "opus", "mp3"))


def test_damage_in_the_middle_is_named(tmp_path: Path, melody: Maker, write_audio: Writer) -> None:
    path = write_audio(tmp_path / "song.flac", melody(seed=1, seconds=2))
    content = bytearray(path.read_bytes())
    middle = len(content) // 4
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    assert str(path) in problem(path)
    assert "damaged" in problem(path)


@pytest.mark.parametrize("sample", [np.nan, np.inf, -3e38, 100])
def test_sample_that_would_overflow_is_refused(tmp_path: Path, tone: Maker, write_audio: Writer, sample: float) -> None:
    y = tone(seconds=2)
    y[22_050] = sample
    path = write_audio(tmp_path / "song.wav", y, subtype="FLOAT")
    with pytest.raises(UserError, match=re.escape(str(path))):
        load_clip(Clip(path, 0, 2), SR)


def test_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing.wav"
    assert str(path) in problem(path)
    assert "No such file or directory" in problem(path)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "song.wav")
    assert "regular file" in problem(tmp_path / "song.wav")


@pytest.mark.parametrize("name", ["x" * 251 + ".wav", "日本語.WAV", os.fsdecode(b"caf\xe9.wav"), "song", "song.xyz"])
def test_any_name_will_do(tmp_path: Path, tone: Maker, write_audio: Writer, name: str) -> None:
    path = write_audio(tmp_path / "song.wav", tone()).rename(tmp_path / name)
    assert len(load_clip(Clip(path, 0, 1), 22_050)) == 22_050


@pytest.mark.parametrize("channels", [1, 2, 1024])
def test_blocks_hold_no_more_samples_the_more_channels_there_are(
    tmp_path: Path, write_audio: Writer, channels: int
) -> None:
    y = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * BLOCK // channels + 3, channels)).astype(np.float32)
    with open_audio(write_audio(tmp_path / "song.wav", y, subtype="FLOAT")) as file:
        read = list(file.mono())
    assert max(block.size for block in read) * channels <= BLOCK
    np.testing.assert_array_equal(np.concatenate(read), y.mean(axis=1))


def test_blocks_end_where_asked_to(tmp_path: Path, tone: Maker, write_audio: Writer) -> None:
    with open_audio(write_audio(tmp_path / "song.wav", tone())) as file:
        assert sum(map(len, file.mono(20, 1000))) == 1000


def test_decoder_prints_nothing(
    tmp_path: Path, tone: Maker, write_audio: Writer, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_audio(tmp_path / "song.mp3", tone())
    content = bytearray(path.read_bytes())
    content[2000:2600] = bytes(600)
    path.write_bytes(content)
    load_clip(Clip(path, 0, 1), 22_050)
    assert capfd.readouterr() == ("", "")


def test_clips_lie_where_the_tracks_say(tmp_path: Path) -> None:
    tracks = pd.DataFrame(
        {"audio_path": ["a.mp3", "b.mp3"], "clip_start_s": [0.0, 3.5], "clip_duration_s": [30.0, 7.0]}
    )
    assert clips(tracks, tmp_path) == [Clip(tmp_path / "a.mp3", 0, 30), Clip(tmp_path / "b.mp3", 3.5, 7)]


@pytest.mark.parametrize("folder", ["s3://bucket/audio", "s3://bucket/audio/"])
def test_clips_may_lie_at_a_url(folder: str) -> None:
    tracks = pd.DataFrame({"audio_path": ["a.mp3"], "clip_start_s": [0.0], "clip_duration_s": [30.0]})
    assert clips(tracks, folder) == [Clip("s3://bucket/audio/a.mp3", 0, 30)]


@pytest.mark.parametrize("suffix", LIBSNDFILE)
def test_clip_at_a_url_is_that_of_the_file(tmp_path: Path, melody: Maker, write_audio: Writer, suffix: str) -> None:
    path = write_audio(tmp_path / f"song{suffix}", melody(seed=1, seconds=4, sample_rate=SR), SR)
    clip = Clip(path, 1.5, 2)
    np.testing.assert_array_equal(load_clip(clip._replace(path=path.as_uri()), SR), load_clip(clip, SR))


@pytest.mark.parametrize(
    ("url", "why"),
    [("memory://missing.mp3", "/missing.mp3"), ("attic://song.mp3", "attic"), ("memory://noise.mp3", "damaged")],
)
def test_what_is_no_audio_at_a_url_is_named(url: str, why: str) -> None:
    fsspec.filesystem("memory").pipe_file("noise.mp3", b"not a song")
    with pytest.raises(UserError, match=f"{url}.*{why}"):
        load_clip(Clip(url, 0, 1), SR)


@pytest.mark.parametrize("level", [1.0, 0.1, 0.001])
def test_level_of_a_sine_is_3_db_below_its_peak(tmp_path: Path, tone: Maker, write_audio: Writer, level: float) -> None:
    path = write_audio(tmp_path / "song.wav", tone(level=level), 44_100, subtype="FLOAT")
    assert level_db(Clip(path, 0, 0.5)) == pytest.approx(20 * np.log10(level) - 3.01, abs=0.02)


def test_level_of_silence_is_finite(tmp_path: Path, write_audio: Writer) -> None:
    path = write_audio(tmp_path / "song.wav", np.zeros(SR), SR)
    assert [level_db(Clip(path, start_s, 0.5)) for start_s in (0, 2)] == [-200, -200]
