"""Record the demo music: render a score with a sound font, mix it, and encode it as mp3."""

from __future__ import annotations

import io
import struct
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import lameenc
import midirenderer
import numpy as np
import scipy.signal
import soundfile
import soxr
import symusic

from songgenre.demo.styles import KICK, Mix

SAMPLE_RATE = 22_050
"""Sample rate of the recordings in Hz."""

TAIL = 0.9
"""Time in which the last notes fade, in s."""

PEAK = 0.66
"""Largest sample of a recording, as a share of full scale; the encoder may exceed it."""

REVERB, CHORUS = 91, 93
"""MIDI controllers."""


def render(score: symusic.Score, mix: Mix, seed: tuple[int, ...]) -> np.ndarray:
    """Render and mix a score.

    Parameters
    ----------
    score : symusic.Score
        Score of `songgenre.demo.composer.compose`.
    mix : Mix
        How to mix it.
    seed : tuple of int
        Seed of the noise in reverberation and crackle.

    Returns
    -------
    np.ndarray [shape=(n,)]
        Mono audio, float32 at `SAMPLE_RATE`, at most `PEAK`.
    """
    rng = np.random.default_rng(seed)
    n = round((score.end() + TAIL) * SAMPLE_RATE)
    drums = [track for track in score.tracks if track.is_drum]
    if drums and mix.pump:
        band = [track for track in score.tracks if not track.is_drum]
        kicks = [note.time for track in drums for note in track.notes if note.pitch == KICK]
        y = play(drums, n) + _duck(play(band, n), kicks, mix.pump)
    else:
        y = play(list(score.tracks), n)
    y = _reverberate(y, mix, rng)
    y = _filter_band(y, mix)
    if mix.sweep:
        y = _sweep(y)
    if mix.crackle:
        y = y + mix.crackle * _crackle(n, rng) * _loudness(y) / 0.1
    return _master(y, mix)


def play(tracks: list[symusic.Track], n: int) -> np.ndarray:
    """Render tracks together, without the reverberation and chorus of the synthesiser.

    Parameters
    ----------
    tracks : list of symusic.Track
        Tracks in seconds.
    n : int
        Length of the result in samples.

    Returns
    -------
    np.ndarray [shape=(n,)]
        Mono audio, float32.
    """
    score = symusic.Score(480, ttype="second")
    for track in tracks:
        played = track.copy()
        for control in (REVERB, CHORUS):
            played.controls.append(symusic.ControlChange(0.0, control, 0, ttype="second"))
        played.controls.append(symusic.ControlChange(n / SAMPLE_RATE, REVERB, 0, ttype="second"))
        score.tracks.append(played)
    wav = midirenderer.render_wave_from(_sound_font(), score.to("tick").dumps_midi())
    stereo, sample_rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    y = soxr.resample(stereo.mean(axis=1), sample_rate, SAMPLE_RATE)[:n]
    return np.pad(y, (0, n - len(y)))


@cache
def _sound_font() -> bytes:
    package = find_spec("pretty_midi")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).with_name("TimGM6mb.sf2").read_bytes()


def _duck(y: np.ndarray, kicks: list[float], depth: float) -> np.ndarray:
    """Lower the level at each kick drum; it recovers within a quarter of a second."""
    gain = np.ones(len(y), dtype=np.float32)
    recovery = 1 - depth * np.exp(-np.arange(round(0.4 * SAMPLE_RATE)) / (0.1 * SAMPLE_RATE))
    for kick in kicks:
        start = round(kick * SAMPLE_RATE)
        stretch = gain[start : start + len(recovery)]
        np.minimum(stretch, recovery[: len(stretch)], out=stretch)
    return y * gain


def _reverberate(y: np.ndarray, mix: Mix, rng: np.random.Generator) -> np.ndarray:
    """Add reverberation: decaying noise."""
    length = round(mix.room * SAMPLE_RATE)
    decay = 10.0 ** (-3 * np.arange(length) / length)
    response = (rng.standard_normal(length) * decay).astype(np.float32)
    response = scipy.signal.lfilter([0.35], [1, -0.65], response).astype(np.float32)
    response /= np.sqrt((response**2).sum())
    echo = scipy.signal.oaconvolve(y, response)[: len(y)]
    reverberated: np.ndarray = y + np.float32(mix.wet) * echo
    return reverberated


def _filter_band(y: np.ndarray, mix: Mix) -> np.ndarray:
    """Raise or lower bass and treble, and remove frequencies above the ceiling."""
    bass = _filter(y, 200, "lowpass", order=1)
    treble = _filter(y, 3000, "highpass", order=1)
    y = y + (10 ** (mix.low / 20) - 1) * bass + (10 ** (mix.high / 20) - 1) * treble
    return _filter(y, mix.ceiling, "lowpass", order=3) if mix.ceiling < 10_500 else y


def _filter(y: np.ndarray, frequency: float, kind: str, order: int) -> np.ndarray:
    sections = scipy.signal.butter(order, frequency, kind, fs=SAMPLE_RATE, output="sos").astype(np.float32)
    filtered: np.ndarray = scipy.signal.sosfilt(sections, y.astype(np.float32))
    return filtered


def _sweep(y: np.ndarray) -> np.ndarray:
    """Open a low-pass filter in the first eight seconds."""
    head = y[: 8 * SAMPLE_RATE]
    openness = np.linspace(0, 1, len(head), dtype=np.float32) ** 2
    dull = _filter(head, 700, "lowpass", order=2)
    return np.concatenate([dull + openness * (head - dull), y[8 * SAMPLE_RATE :]])


def _crackle(n: int, rng: np.random.Generator) -> np.ndarray:
    """Generate the noise of a worn record, with a root mean square of about one."""
    hiss = rng.standard_normal(n)
    clicks = rng.standard_normal(n) * 60 * (rng.random(n) < 4 / SAMPLE_RATE)
    return _filter(0.6 * hiss + clicks, 5000, "lowpass", order=1)


def _loudness(y: np.ndarray) -> float:
    return float(np.sqrt(np.mean(y**2)))


def _master(y: np.ndarray, mix: Mix) -> np.ndarray:
    """Compress, saturate, set the loudness, limit the peaks and fade out."""
    y = y * _compression(y, mix.compression) / _loudness(y)
    if mix.drive:
        y = np.tanh(0.35 * mix.drive * y)
        y = y / _loudness(y)
    y = y * 10 ** (mix.loudness / 20)
    knee = 0.6 * PEAK
    within = np.clip(y, -knee, knee)
    y = within + (PEAK - knee) * np.tanh((y - within) / (PEAK - knee))
    fade = round(TAIL * SAMPLE_RATE)
    y[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
    return y.astype(np.float32)


def _compression(y: np.ndarray, strength: float) -> np.ndarray:
    """Compute the gain that evens out the level, measured over a tenth of a second."""
    hop = SAMPLE_RATE // 20
    blocks = np.add.reduceat(y**2, np.arange(0, len(y), hop)) / hop
    level = np.sqrt(np.convolve(blocks, [0.25, 0.5, 0.25], mode="same"))
    gain = (level / level.mean() + 0.05) ** -strength
    smooth: np.ndarray = np.interp(np.arange(len(y)), np.arange(len(gain)) * hop + hop / 2, gain)
    return smooth.astype(np.float32)


def encode_mp3(y: np.ndarray, bit_rate: int) -> bytes:
    """Encode a recording as mp3.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono audio at `SAMPLE_RATE`, between -1 and 1.
    bit_rate : int
        Constant bit rate in kbit/s.

    Returns
    -------
    bytes
        An mp3 file that begins with an ``Info`` frame. This frame contains the number of frames, so a truncated file
        can be recognised.
    """
    encoder = lameenc.Encoder()
    encoder.set_bit_rate(bit_rate)
    encoder.set_in_sample_rate(SAMPLE_RATE)
    encoder.set_channels(1)
    encoder.set_quality(7)
    encoder.silence()
    samples = np.round(y * 32_767).astype("<i2")
    music = bytes(encoder.encode(samples.tobytes()) + encoder.flush())
    return _info_frame(music, bit_rate) + music


def _info_frame(music: bytes, bit_rate: int) -> bytes:
    """Make the silent frame that describes the others, as in the Xing header's specification."""
    size = 72_000 * bit_rate // SAMPLE_RATE
    frames, offset = 0, 0
    while offset < len(music):
        padded = music[offset + 2] >> 1 & 1
        offset += size + padded
        frames += 1
    header = bytearray(music[:4])
    header[2] &= ~2
    side_information = bytes(9)
    has_frames_and_bytes = 3
    tag = struct.pack(">4sIII", b"Info", has_frames_and_bytes, frames, size + len(music))
    return (bytes(header) + side_information + tag).ljust(size, b"\0")
