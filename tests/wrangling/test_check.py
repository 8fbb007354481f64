from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from songgenre.wrangling.check import Decoded, decode

Maker = Callable[..., np.ndarray]
Writer = Callable[..., Path]

SR = 22_050


def judge(path: Path) -> Decoded:
    return decode(path, min_duration_s=3, silence_db=-60)


@pytest.fixture
def song(tone: Maker) -> np.ndarray:
    return tone(seconds=6) + 0.01 * np.random.default_rng(0).standard_normal(6 * SR)


def cut(path: Path, share: float = 0.6) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])
    return path


def without_tag(path: Path) -> Path:
    """Drop the first frame of an mp3 of constant bit rate, which holds nothing but the tag."""
    content = path.read_bytes()
    assert b"Info" in content[:64]
    path.write_bytes(content[content.index(content[:2], 4) :])
    return path


def with_id3(path: Path) -> Path:
    """Put a tag of titles and pictures before an mp3, as most songs have it."""
    size = 5000
    header = b"ID3\x04\x00\x00" + bytes([0, 0, size >> 7, size & 127])
    path.write_bytes(header + bytes(size) + path.read_bytes())
    return path


@pytest.mark.parametrize("suffix", [".wav", ".au", ".aiff", ".flac", ".ogg", ".mp3"])
def test_whole_song_can_be_used(tmp_path: Path, song: np.ndarray, write_audio: Writer, suffix: str) -> None:
    assert judge(write_audio(tmp_path / f"song{suffix}", song)) == Decoded("", "", 6, SR, 1)


@pytest.mark.parametrize(
    ("sample_rate", "channels"), [(8_000, 1), (11_025, 2), (44_100, 8), (48_000, 2), (96_000, 1), (192_000, 2)]
)
def test_any_rate_and_number_of_channels_will_do(
    tmp_path: Path, tone: Maker, write_audio: Writer, sample_rate: int, channels: int
) -> None:
    y = np.stack([tone(4, sample_rate)] * channels, axis=1)
    assert judge(write_audio(tmp_path / "song.wav", y, sample_rate)) == Decoded("", "", 4, sample_rate, channels)


def test_song_longer_than_a_block_is_decoded_whole(tmp_path: Path, tone: Maker, write_audio: Writer) -> None:
    path = write_audio(tmp_path / "song.flac", tone(61.5))
    assert judge(path).duration_s == 61.5


def test_file_of_no_bytes_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.touch()
    assert judge(path) == Decoded("empty", "the file has 0 bytes")


@pytest.mark.parametrize("name", ["song.mp3", "song.wav", "song.flac"])
@pytest.mark.parametrize(
    "content", [b"x", b"not a song\n" * 500, b"<html>404</html>" * 100, b"\x89PNG\r\n\x1a\n" + bytes(5000)]
)
def test_what_is_something_else_is_not_audio(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert judge(path).reason == "not_audio"
    assert judge(path).detail


@pytest.mark.parametrize(
    "content",
    [
        b"ID3",
        b"ID3\x04\x00\x00\x00\x00\x00\x05" + b"not a song\n" * 100,
        b"\xff\xfb\x90\x64",
        b"RIFF",
        b"fLaC" + bytes(500),
        b"OggS" + bytes(500),
    ],
)
def test_what_only_begins_like_audio_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    assert judge(path).reason == "unreadable"


def test_cut_flac_is_unreadable(tmp_path: Path, song: np.ndarray, write_audio: Writer) -> None:
    assert judge(cut(write_audio(tmp_path / "song.flac", song))).reason == "unreadable"


@pytest.mark.parametrize("suffix", [".wav", ".aiff", ".mp3"])
def test_cut_file_that_announces_its_length_is_truncated(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, suffix: str
) -> None:
    decoded = judge(cut(write_audio(tmp_path / f"song{suffix}", song)))
    assert decoded.reason == "truncated"
    assert decoded.detail == f"announces 6.00 s, holds {decoded.duration_s:.2f} s"
    assert decoded.duration_s == pytest.approx(3.6, abs=0.1)


def test_tag_before_an_mp3_does_not_hide_its_length(tmp_path: Path, song: np.ndarray, write_audio: Writer) -> None:
    path = with_id3(write_audio(tmp_path / "song.mp3", song))
    assert judge(path) == Decoded("", "", 6, SR, 1)
    assert judge(cut(path)).reason == "truncated"


def test_mp3_without_a_length_is_used_as_far_as_it_goes(tmp_path: Path, song: np.ndarray, write_audio: Writer) -> None:
    path = without_tag(write_audio(tmp_path / "song.mp3", song, bitrate_mode="CONSTANT", compression_level=0.5))
    assert judge(path).reason == ""
    assert judge(path).duration_s == pytest.approx(6, abs=0.15)
    assert judge(cut(path)).reason == ""
    assert judge(path).duration_s == pytest.approx(3.6, abs=0.15)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_wav_written_into_a_pipe_is_whole(tmp_path: Path, song: np.ndarray, write_audio: Writer, size: int) -> None:
    path = write_audio(tmp_path / "song.wav", song)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = size.to_bytes(4, "little")
    if size == 0:
        content[40:44] = (len(content) - 44).to_bytes(4, "little")
    path.write_bytes(content)
    assert judge(path) == Decoded("", "", 6, SR, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_sample_that_is_no_number_makes_a_song_unreadable(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, value: float
) -> None:
    song[-1] = value
    decoded = judge(write_audio(tmp_path / "song.wav", song, subtype="FLOAT"))
    assert (decoded.reason, decoded.detail) == ("unreadable", "holds samples that are not finite numbers")


def test_digital_silence_is_silent(tmp_path: Path, write_audio: Writer) -> None:
    assert judge(write_audio(tmp_path / "song.wav", np.zeros(4 * SR))).reason == "silent"


@pytest.mark.parametrize(("level_db", "reason"), [(-55, ""), (-58, "silent")])
def test_silence_begins_at_the_level_asked_for(
    tmp_path: Path, tone: Maker, write_audio: Writer, level_db: float, reason: str
) -> None:
    y = tone(seconds=4, level=10 ** (level_db / 20))
    assert judge(write_audio(tmp_path / "song.wav", y, subtype="FLOAT")).reason == reason


def test_sound_in_one_channel_is_not_silence(tmp_path: Path, tone: Maker, write_audio: Writer) -> None:
    y = np.stack([tone(4, level=0.004), np.zeros(4 * SR)], axis=1)
    assert judge(write_audio(tmp_path / "song.wav", y, subtype="FLOAT")).reason == ""


@pytest.mark.parametrize(("seconds", "reason"), [(3, ""), (2.99, "too_short"), (0, "too_short")])
def test_song_may_be_as_short_as_asked_for(
    tmp_path: Path, tone: Maker, write_audio: Writer, seconds: float, reason: str
) -> None:
    assert judge(write_audio(tmp_path / "song.wav", tone(seconds))).reason == reason


def test_nothing_is_printed_about_a_broken_file(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, capfd: pytest.CaptureFixture[str]
) -> None:
    judge(cut(write_audio(tmp_path / "song.mp3", song)))
    assert capfd.readouterr() == ("", "")
