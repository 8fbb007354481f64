"""Every container with every codec that can be written here, compared with the samples that were written."""

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import fsspec
import numpy as np
import pytest

from songgenre.audio import Clip, duration_s, load_clip
from songgenre.compute import isolated_map
from songgenre.errors import UserError
from songgenre.tables.columns import REASONS
from songgenre.wrangling.validation import AudioReport, validate_audio

Maker = Callable[..., np.ndarray]

SECONDS = 4
DEPTHS = {"u8": 7, "s16": 15, "s16p": 15, "s32": 23, "s32p": 23, "flt": 23, "dbl": 23, "fltp": 23}


class Kind(NamedTuple):
    """A container and what is in it. Some formats do not tell how many samples the encoder puts first."""

    container: str
    codec: str
    sample_format: str
    is_lossless: bool = False
    untold_ms: float = 0.0

    @property
    def sample_rate(self) -> int:
        return {"libopus": 48_000, "libopencore_amrnb": 8_000}.get(self.codec, 44_100)

    @property
    def layout(self) -> str:
        """FFmpeg writes vorbis in stereo only."""
        return "stereo" if self.codec == "vorbis" else "mono"


LOSSLESS = [
    ("wav", "pcm_u8", "u8"),
    ("wav", "pcm_s16le", "s16"),
    ("wav", "pcm_s24le", "s32"),
    ("wav", "pcm_f32le", "flt"),
    ("wav", "pcm_f64le", "dbl"),
    ("w64", "pcm_s16le", "s16"),
    ("aiff", "pcm_s16be", "s16"),
    ("au", "pcm_s16be", "s16"),
    ("caf", "pcm_s16be", "s16"),
    ("flac", "flac", "s16"),
    ("flac", "flac", "s32"),
    ("ogg", "flac", "s16"),
    ("mp4", "flac", "s16"),
    ("ipod", "alac", "s16p"),
    ("ipod", "alac", "s32p"),
    ("mov", "pcm_s16le", "s16"),
    ("matroska", "flac", "s16"),
    ("matroska", "pcm_s16le", "s16"),
    ("matroska", "pcm_f32le", "flt"),
    ("matroska", "tta", "s16"),
    ("matroska", "wavpack", "s16p"),
    ("tta", "tta", "s16"),
    ("wv", "wavpack", "s16p"),
]
LOSSY = [
    ("ogg", "libopus", "flt"),
    ("ogg", "vorbis", "fltp"),
    ("mp3", "libmp3lame", "fltp"),
    ("mp4", "aac", "fltp"),
    ("mp4", "ac3", "fltp"),
    ("mp4", "libopus", "flt"),
    ("mp4", "libmp3lame", "fltp"),
    ("ipod", "aac", "fltp"),
    ("mov", "aac", "fltp"),
    ("3gp", "aac", "fltp"),
    ("matroska", "aac", "fltp"),
    ("matroska", "ac3", "fltp"),
    ("matroska", "libmp3lame", "fltp"),
    ("matroska", "libopus", "flt"),
    ("webm", "libopus", "flt"),
    ("webm", "vorbis", "fltp"),
]
UNTOLD = [
    ("adts", "aac", "fltp", 1024 / 44.1),
    ("mpegts", "aac", "fltp", 1024 / 44.1),
    ("mp2", "mp2", "s16", 481 / 44.1),
    ("ac3", "ac3", "fltp", 256 / 44.1),
    ("eac3", "eac3", "fltp", 256 / 44.1),
    ("asf", "wmav2", "fltp", -2048 / 44.1),
    ("amr", "libopencore_amrnb", "s16", 5.0),
]
KINDS = [
    *(Kind(*kind, is_lossless=True) for kind in LOSSLESS),
    *(Kind(*kind) for kind in LOSSY),
    *(Kind(*kind, untold_ms=untold_ms) for *kind, untold_ms in UNTOLD),
]


def name(kind: Kind) -> str:
    return f"{kind.codec} {kind.sample_format} in {kind.container}"


def add_song(output: av.container.OutputContainer, y: np.ndarray, kind: Kind) -> av.AudioStream:
    stream = output.add_stream(kind.codec, rate=kind.sample_rate, layout=kind.layout, options={"strict": "-2"})
    stream.codec_context.format = kind.sample_format
    if not kind.is_lossless and kind.codec != "libopencore_amrnb":
        stream.bit_rate = 192_000
    return stream


def write_song(output: av.container.OutputContainer, stream: av.AudioStream, y: np.ndarray) -> None:
    rate, codec = stream.rate, stream.codec_context
    if not codec.is_open:
        codec.open()
    whole = av.AudioFrame.from_ndarray(y.astype(np.float32)[np.newaxis], format="fltp", layout="mono")
    whole.sample_rate, whole.time_base, whole.pts = rate, Fraction(1, rate), 0
    fifo = av.AudioFifo()
    for frame in av.AudioResampler(codec.format, codec.layout, rate).resample(whole):
        fifo.write(frame)
    written = 0
    while frame := fifo.read(codec.frame_size or 1024) or fifo.read(partial=True):
        frame.pts, frame.time_base = written, Fraction(1, rate)
        written += frame.samples
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def encode(y: np.ndarray, kind: Kind) -> bytes:
    content = io.BytesIO()
    with av.open(content, "w", format=kind.container) as output:
        write_song(output, add_song(output, y, kind), y)
    return content.getvalue()


def judge(path: Path) -> AudioReport:
    return validate_audio(path, 3, -60, lambda duration_s: [(0.0, duration_s)])


def lag(y: np.ndarray, reference: np.ndarray) -> int:
    """By how many samples a signal is late."""
    n = 2 * max(len(y), len(reference))
    correlation = np.fft.irfft(np.fft.rfft(y, n) * np.conj(np.fft.rfft(reference, n)))
    late = int(correlation.argmax())
    return late if late < n // 2 else late - n


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_song_is_decoded_to_the_signal_that_was_written(tmp_path: Path, melody: Maker, kind: Kind) -> None:
    rate = kind.sample_rate
    y = melody(1, SECONDS, rate)
    path = tmp_path / "song.mp3"
    path.write_bytes(encode(y, kind))
    decoded = judge(path)
    assert (decoded.reason, decoded.sample_rate, decoded.channels) == ("", rate, 1 + (kind.layout == "stereo"))
    z = load_clip(Clip(path, 0, decoded.duration_s), rate)
    assert duration_s(path) == pytest.approx(decoded.duration_s, abs=0.05)
    if kind.is_lossless:
        assert len(z) == len(y)
        np.testing.assert_allclose(z, y, atol=2.0 ** -DEPTHS[kind.sample_format])
    else:
        assert decoded.duration_s == pytest.approx(SECONDS, abs=0.06)
        late = lag(z, y)
        assert late / rate * 1000 == pytest.approx(kind.untold_ms, abs=1)
        n = min(len(y), len(z)) - abs(late)
        assert np.corrcoef(z[max(0, late) :][:n], y[max(0, -late) :][:n])[0, 1] > 0.8


@pytest.mark.parametrize("kind", [Kind("ipod", "aac", "fltp"), Kind("webm", "libopus", "flt")], ids=name)
def test_clip_from_within_is_that_part_of_the_song_from_a_file_and_a_url(
    tmp_path: Path, melody: Maker, kind: Kind
) -> None:
    content = encode(melody(1, SECONDS, kind.sample_rate), kind)
    path = tmp_path / "song"
    path.write_bytes(content)
    fsspec.filesystem("memory").pipe_file("song", content)
    whole = load_clip(Clip(path, 0, 4), kind.sample_rate)
    for place in (path, "memory://song"):
        clip = load_clip(Clip(place, 1.5, 2), kind.sample_rate)
        np.testing.assert_array_equal(clip, whole[round(1.5 * kind.sample_rate) : round(3.5 * kind.sample_rate)])


@pytest.mark.parametrize("container", ["mov", "matroska"])
def test_pictures_are_left_out(tmp_path: Path, melody: Maker, container: str) -> None:
    kind = Kind(container, "flac" if container == "matroska" else "alac", "s16", True)
    kind = kind._replace(sample_format="s16" if container == "matroska" else "s16p")
    y = melody(1, SECONDS, kind.sample_rate)
    path = tmp_path / "film.mp4"
    with av.open(path, "w", format=container) as output:
        video = output.add_stream("mjpeg", rate=25, width=64, height=48, pix_fmt="yuvj420p")
        song = add_song(output, y, kind)
        for number in range(25 * 2 * SECONDS):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        write_song(output, song, y)
    assert judge(path).reason == ""
    np.testing.assert_allclose(load_clip(Clip(path, 0, SECONDS), kind.sample_rate), y, atol=1e-4)


@pytest.mark.parametrize(
    "kind",
    [Kind("matroska", "flac", "s16", True), Kind("wv", "wavpack", "s16p", True), Kind("tta", "tta", "s16", True)],
)
def test_half_of_a_file_is_truncated(tmp_path: Path, melody: Maker, kind: Kind) -> None:
    content = encode(melody(1, 2 * SECONDS, kind.sample_rate), kind)
    path = tmp_path / "song"
    path.write_bytes(content[: len(content) // 2])
    assert judge(path).reason == "truncated"


def test_half_of_an_mp4_without_its_tables_is_unreadable(tmp_path: Path, melody: Maker) -> None:
    content = encode(melody(1, SECONDS, 44_100), Kind("mp4", "aac", "fltp"))
    path = tmp_path / "song.m4a"
    path.write_bytes(content[: len(content) // 2])
    decoded = judge(path)
    assert decoded.reason == "unreadable"
    assert "mp4" in decoded.detail


@pytest.mark.parametrize(
    "playlist",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"],
)
def test_playlist_does_not_open_other_files(tmp_path: Path, melody: Maker, playlist: str) -> None:
    (tmp_path / "other.aac").write_bytes(encode(melody(1, SECONDS, 44_100), Kind("adts", "aac", "fltp")))
    path = tmp_path / "song.m4a"
    path.write_text(playlist.format(tmp_path / "other.aac"))
    assert judge(path).reason == "not_audio"


def test_titles_in_another_encoding_do_not_matter(tmp_path: Path, melody: Maker) -> None:
    content = io.BytesIO()
    kind = Kind("matroska", "flac", "s16", True)
    y = melody(1, SECONDS, kind.sample_rate)
    with av.open(content, "w", format="matroska") as output:
        output.metadata["title"] = "Cafe, Cafe"
        write_song(output, add_song(output, y, kind), y)
    path = tmp_path / "song.mka"
    path.write_bytes(content.getvalue().replace(b"Cafe, Cafe", b"Caf\xe9, Caf\xe9"))
    assert judge(path).reason == ""


MUTANTS = 200
MUTATED = [kind for kind in KINDS if kind.codec != "vorbis"][::3]


def mutate(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Flip bits, cut, insert junk, put zeros, swap two spans, or go on with another file."""
    y = bytearray(content)
    beginning = min(400, len(y)) if rng.random() < 0.4 else len(y)
    at, size, then = (int(rng.integers(n)) for n in (beginning, 5000, len(y)))
    here, there = bytes(y[at : at + size]), bytes(y[then : then + size])
    match rng.integers(6):
        case 0:
            for position in rng.integers(at, min(at + 500, len(y)), size=rng.integers(1, 20)):
                y[position] ^= 1 << int(rng.integers(8))
        case 1:
            del y[at:]
        case 2:
            y[at:at] = rng.bytes(size)
        case 3:
            y[at : at + size] = bytes(len(here))
        case 4:
            y[at : at + size] = there
            y[then : then + size] = here
        case _:
            y[at:] = other[at:]
    return bytes(y)


@pytest.mark.slow
def test_damaged_files_have_a_reason_or_can_be_loaded(tmp_path: Path, melody: Maker) -> None:
    def use(path: Path) -> tuple[str, bool]:
        decoded = validate_audio(path, 1, -60, lambda duration_s: [(0.0, min(duration_s, 2.0))])
        try:
            y = load_clip(Clip(path, *(decoded.clips or [(0, 1)])[0]), 22_050)
            return decoded.reason, bool(np.isfinite(y).all())
        except UserError:
            return decoded.reason, False

    rng = np.random.default_rng(0)
    songs = [encode(melody(1, 3, kind.sample_rate), kind) for kind in MUTATED]
    paths = [tmp_path / f"{number}.mp3" for number in range(MUTANTS)]
    for path in paths:
        song, other = rng.integers(len(songs), size=2)
        path.write_bytes(mutate(songs[song], songs[other], rng))
    results = list(isolated_map(use, paths, "decoding", lambda path, what: (f"{path}: {what}", False), limit_s=60))
    assert {reason for reason, _ in results} <= {"", *REASONS}
    assert len({reason for reason, _ in results}) > 2
    assert all(is_loaded for reason, is_loaded in results if not reason)
