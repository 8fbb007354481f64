import os
import re
import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from songgenre.audio import FIRST_BYTES, Clip, center_clip, load_clip
from songgenre.tables.columns import REASONS
from songgenre.wrangling.validation import AudioReport, validate_audio

Maker = Callable[..., np.ndarray]
Writer = Callable[..., Path]

SR = 22_050


def judge(path: Path) -> AudioReport:
    return validate_audio(path, 3, -60, lambda duration_s: [center_clip(duration_s, 30)])


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


def peak_mb() -> float:
    """The most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def wav_header(channels: int, sample_rate: int, frames: int) -> bytes:
    """The header of a wav of 16 bits."""
    bytes_per_frame = 2 * channels
    size = bytes_per_frame * frames
    rate = sample_rate * bytes_per_frame % 2**32
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, sample_rate, rate, bytes_per_frame, 16)
    return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)


@pytest.mark.parametrize("suffix", [".wav", ".au", ".aiff", ".flac", ".ogg", ".mp3"])
def test_whole_song_can_be_used(tmp_path: Path, song: np.ndarray, write_audio: Writer, suffix: str) -> None:
    assert judge(write_audio(tmp_path / f"song{suffix}", song)) == AudioReport("", "", 6, SR, 1, ((0, 6),))


@pytest.mark.parametrize(
    ("sample_rate", "channels"), [(8_000, 1), (11_025, 2), (44_100, 8), (48_000, 2), (96_000, 1), (192_000, 2)]
)
def test_any_rate_and_number_of_channels_will_do(
    tmp_path: Path, tone: Maker, write_audio: Writer, sample_rate: int, channels: int
) -> None:
    y = np.stack([tone(4, sample_rate)] * channels, axis=1)
    assert judge(write_audio(tmp_path / "song.wav", y, sample_rate)) == AudioReport(
        "", "", 4, sample_rate, channels, ((0, 4),)
    )


def test_song_longer_than_a_block_is_decoded_whole(tmp_path: Path, tone: Maker, write_audio: Writer) -> None:
    path = write_audio(tmp_path / "song.flac", tone(61.5))
    assert judge(path).duration_s == 61.5


def test_file_of_no_bytes_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.touch()
    decoded = judge(path)
    assert decoded == AudioReport("empty", decoded.detail)
    assert "0 bytes" in decoded.detail


@pytest.mark.parametrize("name", ["song.mp3", "song.wav", "song.flac"])
@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"not a song\n" * 500,
        b"<html>404</html>" * 100,
        b"\x89PNG\r\n\x1a\n" + bytes(5000),
        b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(5000),
        b"\xff\xfb\x9c\x64" + bytes(5000),  # a frame of mp3, were its sample rate not the reserved one
        "not a song, \u00fb\u00ff\n".encode("utf-16") * 500,
        "\ufeffnot a song\n".encode("utf-16-be") * 500,
        bytes(5000),
    ],
)
def test_what_is_something_else_is_not_audio(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    decoded = judge(path)
    assert decoded.reason == "not_audio"
    assert repr(content[:12]) in decoded.detail
    assert all(kind in decoded.detail for kind in ("wav", "aiff", "au", "flac", "ogg", "opus", "mp3"))


def test_little_that_libsndfile_takes_for_audio_is_not_audio(tmp_path: Path, tone: Maker, write_audio: Writer) -> None:
    path = tmp_path / "song.htk"
    soundfile.write(path, tone(seconds=1), SR)
    assert judge(path).reason == "not_audio"


@pytest.mark.parametrize(
    "content",
    [
        b"ID3",
        b"ID3\x04\x00\x00\x00\x00\x00\x05" + b"not a song\n" * 100,
        b"\xff\xfb\x90\x64",
        b"RIFF",
        b"fLaC" + bytes(500),
        b"OggS" + bytes(500),
        b"\x00\x00\x00\x20ftypM4A " + bytes(5000),
    ],
)
def test_what_only_begins_like_audio_is_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    decoded = judge(path)
    assert decoded.reason == "unreadable"
    assert re.search("mp3|wav|flac|ogg|mp4", decoded.detail)


def test_flac_that_is_damaged_in_the_middle_is_unreadable(
    tmp_path: Path, song: np.ndarray, write_audio: Writer
) -> None:
    path = write_audio(tmp_path / "song.flac", song)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    path.write_bytes(content)
    decoded = judge(path)
    assert decoded.reason == "unreadable"
    assert "damaged" in decoded.detail


@pytest.mark.parametrize("suffix", [".ogg", ".opus"])
@pytest.mark.parametrize("share", [0.6, 0.9, 0.999])
def test_ogg_without_its_last_page_is_truncated(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, suffix: str, share: float
) -> None:
    path = write_audio(tmp_path / f"song{suffix}", song, 24_000)
    assert judge(path).reason == ""
    decoded = judge(cut(path, share))
    assert decoded.reason == "truncated"
    assert f"{decoded.duration_s:.2f} s" in decoded.detail


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_au_written_into_a_pipe_is_whole(tmp_path: Path, song: np.ndarray, write_audio: Writer, size: int) -> None:
    path = write_audio(tmp_path / "song.au", song)
    content = bytearray(path.read_bytes())
    content[8:12] = size.to_bytes(4, "big")
    path.write_bytes(content)
    assert judge(path).reason == ("" if size else "too_short")


@pytest.mark.parametrize("suffix", [".wav", ".au", ".aiff", ".flac", ".mp3"])
def test_cut_file_that_announces_its_length_is_truncated(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, suffix: str
) -> None:
    decoded = judge(cut(write_audio(tmp_path / f"song{suffix}", song)))
    assert decoded.reason == "truncated"
    assert "6.00 s" in decoded.detail
    assert f"{decoded.duration_s:.2f} s" in decoded.detail
    assert decoded.duration_s == pytest.approx(3.6, abs=0.1)


def test_tag_before_an_mp3_does_not_hide_its_length(tmp_path: Path, song: np.ndarray, write_audio: Writer) -> None:
    path = with_id3(write_audio(tmp_path / "song.mp3", song))
    assert judge(path) == AudioReport("", "", 6, SR, 1, ((0, 6),))
    assert judge(cut(path)).reason == "truncated"


@pytest.mark.parametrize("with_titles", [False, True])
def test_mp3_without_a_length_is_used_as_far_as_it_goes(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, with_titles: bool
) -> None:
    path = without_tag(write_audio(tmp_path / "song.mp3", song, bitrate_mode="CONSTANT", compression_level=0.5))
    if with_titles:
        with_id3(path)
    assert judge(path).reason == ""
    assert judge(path).duration_s == pytest.approx(6, abs=0.15)
    assert judge(cut(path)).reason == ""
    assert judge(path).duration_s == pytest.approx(3.6, abs=0.25)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_wav_written_into_a_pipe_is_whole(tmp_path: Path, song: np.ndarray, write_audio: Writer, size: int) -> None:
    path = write_audio(tmp_path / "song.wav", song)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = size.to_bytes(4, "little")
    if size == 0:
        content[40:44] = (len(content) - 44).to_bytes(4, "little")
    path.write_bytes(content)
    assert judge(path) == AudioReport("", "", 6, SR, 1, ((0, 6),))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_sample_that_is_no_number_makes_a_song_unreadable(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, value: float
) -> None:
    song[-1] = value
    decoded = judge(write_audio(tmp_path / "song.wav", song, subtype="FLOAT"))
    assert decoded.reason == "unreadable"
    assert "finite" in decoded.detail


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


def id3(size: int, counted: int) -> bytes:
    """A tag of zeros that counts only some of them."""
    return b"ID3\x04\x00\x00" + bytes(counted >> 7 * n & 127 for n in (3, 2, 1, 0)) + bytes(size)


@pytest.mark.parametrize(
    "before",
    [id3(8192, 0), id3(200_000, 200_000), id3(200_000, 0), id3(100, 100) + id3(200_000, 200_000), bytes(70_000)],
)
def test_whatever_comes_before_an_mp3_the_whole_song_is_used(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, before: bytes
) -> None:
    path = write_audio(tmp_path / "song.mp3", song)
    path.write_bytes(before + path.read_bytes())
    decoded = judge(path)
    assert decoded.reason == ""
    assert decoded.duration_s == pytest.approx(6, abs=0.1)
    assert load_clip(Clip(path, *decoded.clips[0]), SR).std() == pytest.approx(song.std(), rel=0.05)
    assert judge(cut(path, 0.4 + 0.6 * len(before) / path.stat().st_size)).reason == "truncated"


@pytest.mark.parametrize("announced", [0.9, 1.1, 3])
def test_wrong_size_of_a_riff_does_not_matter(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, announced: float
) -> None:
    path = write_audio(tmp_path / "song.wav", song)
    content = bytearray(path.read_bytes())
    content[4:8] = round(announced * len(content)).to_bytes(4, "little")
    path.write_bytes(content)
    assert judge(path) == AudioReport("", "", 6, SR, 1, ((0, 6),))


def test_flac_written_into_a_pipe_is_whole(tmp_path: Path, song: np.ndarray, write_audio: Writer) -> None:
    path = write_audio(tmp_path / "song.flac", song)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the number of samples, of 36 bits
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert judge(path) == AudioReport("", "", 6, SR, 1, ((0, 6),))
    np.testing.assert_allclose(load_clip(Clip(path, 2, 3), SR), song[2 * SR : 5 * SR], atol=1e-4)


def test_several_ogg_streams_in_a_row_are_one_song(tmp_path: Path, song: np.ndarray, write_audio: Writer) -> None:
    streams = [write_audio(tmp_path / f"{number}.ogg", y).read_bytes() for number, y in enumerate((song, 0.5 * song))]
    path = tmp_path / "song.ogg"
    path.write_bytes(b"".join(streams))
    assert judge(path).reason == ""
    assert judge(path).duration_s == pytest.approx(12, abs=0.1)
    assert load_clip(Clip(path, 7, 4), SR).std() == pytest.approx(0.5 * song.std(), rel=0.05)


@pytest.mark.parametrize(
    "y",
    [np.full(4 * SR, 0.5), np.outer(np.sin(np.arange(4 * SR) / 10), [0.5, -0.5])],
    ids=["constant", "channels that cancel"],
)
def test_what_has_no_sound_in_mono_is_silent(tmp_path: Path, write_audio: Writer, y: np.ndarray) -> None:
    assert judge(write_audio(tmp_path / "song.wav", y)).reason == "silent"


def test_clip_of_a_song_with_a_hidden_track_is_where_it_sounds(
    tmp_path: Path, tone: Maker, write_audio: Writer
) -> None:
    y = np.concatenate([tone(10), np.zeros(60 * SR), tone(20)])
    decoded = judge(write_audio(tmp_path / "song.flac", y))
    assert decoded.reason == ""
    assert decoded.duration_s == 90
    [clip] = decoded.clips
    assert clip == pytest.approx((70, 20), abs=0.2)


def test_silence_beside_the_clip_does_not_move_it(tmp_path: Path, tone: Maker, write_audio: Writer) -> None:
    y = np.concatenate([np.zeros(30 * SR), tone(10), np.zeros(50 * SR)])
    assert judge(write_audio(tmp_path / "song.flac", y)).clips == ((30, 30),)


@pytest.mark.parametrize("sample", [1e29, -1e29, 3e38, 1000])
def test_sample_far_above_full_scale_makes_a_song_unreadable(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, sample: float
) -> None:
    song[1000] = sample
    decoded = judge(write_audio(tmp_path / "song.wav", song, subtype="FLOAT"))
    assert decoded.reason == "unreadable"
    assert "sample" in decoded.detail


def test_floats_on_the_scale_of_integers_are_named(tmp_path: Path, song: np.ndarray, write_audio: Writer) -> None:
    decoded = judge(write_audio(tmp_path / "song.wav", 32_768 * song, subtype="FLOAT"))
    assert decoded.reason == "unreadable"
    assert "full scale" in decoded.detail


def test_loud_mix_in_floating_point_is_used(tmp_path: Path, song: np.ndarray, write_audio: Writer) -> None:
    assert judge(write_audio(tmp_path / "song.wav", 10 * song, subtype="FLOAT")).reason == ""


def make_directory(path: Path) -> None:
    path.mkdir()


def make_link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "detail"),
    [
        (None, "No such file or directory"),
        (make_link_to_nothing, "No such file or directory"),
        (make_directory, "regular file"),
        (os.mkfifo, "regular file"),
    ],
)
def test_what_is_no_file_is_unreadable(tmp_path: Path, make: Callable[[Path], None] | None, detail: str) -> None:
    path = tmp_path / "song.mp3"
    if make:
        make(path)
    decoded = judge(path)
    assert decoded == AudioReport("unreadable", decoded.detail)
    assert detail in decoded.detail


def test_name_that_is_too_long_is_unreadable(tmp_path: Path) -> None:
    decoded = judge(tmp_path / ("x" * 300))
    assert decoded == AudioReport("unreadable", decoded.detail)
    assert "File name too long" in decoded.detail


@pytest.mark.parametrize("name", ["x" * 251 + ".wav", "日本語.WAV", os.fsdecode(b"caf\xe9.wav"), "song", "song.xyz"])
def test_any_name_will_do(tmp_path: Path, song: np.ndarray, write_audio: Writer, name: str) -> None:
    path = write_audio(tmp_path / "song.wav", song).rename(tmp_path / name)
    assert judge(path) == AudioReport("", "", 6, SR, 1, ((0, 6),))


@pytest.mark.parametrize("channels", [0, 1025, 32767])
def test_wav_with_an_absurd_number_of_channels_is_unreadable(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav_header(channels, SR, 10) + bytes(1000))
    assert judge(path).reason == "unreadable"


@pytest.mark.parametrize(("sample_rate", "reason"), [(0, "unreadable"), (2**31 - 1, "too_short"), (1, "unreadable")])
def test_wav_with_an_absurd_sample_rate_has_a_reason(tmp_path: Path, sample_rate: int, reason: str) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav_header(1, sample_rate, 1000) + bytes(2000))
    assert judge(path).reason == reason


def test_wav_of_1024_channels_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    with path.open("wb") as file:
        file.write(wav_header(1024, SR, 4 * SR))
        file.truncate(44 + 2 * 1024 * 4 * SR)
    before = peak_mb()
    decoded = judge(path)
    assert (decoded.reason, decoded.duration_s, decoded.channels) == ("silent", 4, 1024)
    assert "-200 dB" in decoded.detail
    assert "-60 dB" in decoded.detail
    assert peak_mb() - before < 50


MEASURE = """
import sys
from pathlib import Path
from songgenre.wrangling.cleaning import check_audio
def peak(name):
    checked = check_audio(Path(name), clip_duration_s=30, min_duration_s=3, silence_threshold_db=-60)
    assert checked.decoded.reason == "", checked.decoded
    status = Path("/proc/self/status").read_text()  # ru_maxrss would begin with the peak of the process of the tests
    return checked.decoded.duration_s, int(status.partition("VmHWM:")[2].split()[0]) / 1024
(_, before), (duration_s, after) = map(peak, sys.argv[1:])
print(duration_s, after - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".flac", ".wav", ".mp3"])
def test_hour_takes_no_more_memory_than_half_a_minute(
    tmp_path: Path, tone: Maker, write_audio: Writer, suffix: str
) -> None:
    half_a_minute = tone(seconds=30, sample_rate=8_000)
    short, long = write_audio(tmp_path / f"short{suffix}", half_a_minute, 8_000), tmp_path / f"long{suffix}"
    with soundfile.SoundFile(long, "w", 8_000, 1) as file:
        for _ in range(120):
            file.write(half_a_minute)
    run = subprocess.run([sys.executable, "-c", MEASURE, short, long], capture_output=True, text=True, check=True)
    duration_s, more_mb = map(float, run.stdout.split())
    assert duration_s == pytest.approx(3600, abs=0.1)
    assert more_mb < 20


MUTANTS = 50


@pytest.mark.parametrize("suffix", [".wav", ".aiff", ".au", ".flac", ".ogg", ".mp3"])
def test_file_with_a_damaged_header_is_judged_without_an_error(
    tmp_path: Path, song: np.ndarray, write_audio: Writer, suffix: str
) -> None:
    rng = np.random.default_rng(0)
    path = write_audio(tmp_path / f"song{suffix}", song[: 4 * SR])
    whole = path.read_bytes()
    before, reasons = peak_mb(), set()
    for _ in range(MUTANTS):
        content = bytearray(whole)
        for position in rng.integers(64, size=rng.integers(1, 9)):
            content[position] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)])
        path.write_bytes(content[: rng.choice([len(content), rng.integers(len(content))])])
        reasons.add(judge(path).reason)
    assert reasons <= {"", *REASONS}
    assert len(reasons) > 1
    assert peak_mb() - before < 100


@pytest.mark.parametrize("first", [*FIRST_BYTES, b"\xff\xfb\x90\x64"])
def test_random_bytes_after_those_of_a_format_are_judged_without_an_error(tmp_path: Path, first: bytes) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "song"
    before = peak_mb()
    for size in rng.integers(100_000, size=10):
        path.write_bytes(first + rng.bytes(size))
        assert judge(path).reason in REASONS
    assert peak_mb() - before < 100


def test_video_without_sound_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for _ in range(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(stream.encode(None))
    report = judge(path)
    assert report.reason == "not_audio"
    assert "video" in report.detail
