"""Find copies of one recording, also with another encoding or another start.

A song is described by the audio fingerprint of Haitsma and Kalker [1]_: 32 bits for each short step in
time, most of which survive a lossy codec. Two songs are candidates when some of their sub-fingerprints
are equal at the same distance in time, and duplicates when few bits differ in all that they share.

.. [1] J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import scipy.fft
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from songgenre.errors import UserError
from songgenre.runtime.temporary import temporary_folder

SAMPLE_RATE = 5500
N_FFT = 2048
HOP_LENGTH = 128
N_BANDS = 33
FMIN, FMAX = 300.0, 2000.0
FRAMES_PER_BLOCK = 256

POSITION_BITS = 31
POSITION_MASK = 2**POSITION_BITS - 1
BUCKET_SIZE = 2**24
"""Number of sub-fingerprints that are sorted at the same time, in 134 MB."""
SAMPLE_STEP = 64
"""One sub-fingerprint of so many serves to divide all of them into buckets of the same size."""

MAX_NEIGHBOURS = 16
MAX_CANDIDATES = 64
MIN_OVERLAP = 128
MIN_OVERLAP_SHARE = 0.3
MAX_BIT_ERROR_RATE = 0.25
"""Chosen from measured rates. Copies of real songs: up to 0.15 as mp3 of 24 kbit/s or more and as ogg, 0.25
as mp3 of 8 kbit/s. Different real songs, where some sub-fingerprints agree: at least 0.47. Different
melodies over the same synthetic drum loop: 0.42 where both are equally loud, 0.36 with the drums 10 dB and
0.26 with them 20 dB above, so that the 0.35 of the paper would call some of these duplicates.
"""


def fingerprint(y: np.ndarray, sr: int) -> np.ndarray:
    """Compute one sub-fingerprint of 32 bits for each step in time.

    Let ``E[n, m]`` be the energy of frame ``n`` in band ``m``. Bit ``m`` of a sub-fingerprint is 1 where
    ``E[n, m] - E[n, m + 1] > E[n - 1, m] - E[n - 1, m + 1]``. The 33 bands are spaced evenly in the logarithm
    of the frequency from 300 to 2000 Hz; the first is the highest bit. Digital silence gives 0.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono audio.
    sr : int
        Sample rate in Hz; `SAMPLE_RATE` gives frames of 0.37 s, 23 ms apart. Only fingerprints of the
        same sample rate can be compared.

    Returns
    -------
    np.ndarray [shape=(n_frames,)]
        Sub-fingerprints, uint32; empty if `y` is too short for two frames.
    """
    if len(y) < N_FFT + HOP_LENGTH:
        return np.empty(0, dtype=np.uint32)
    energies = _band_energies(y, sr)
    bits = np.diff(np.diff(energies, axis=1), axis=0) < 0
    return np.packbits(bits, axis=1).view(">u4").ravel().astype(np.uint32)


def find_duplicates(fingerprints: Sequence[np.ndarray]) -> np.ndarray:
    """Group the songs that are the same recording.

    The time is nearly linear in the number of songs: a sub-fingerprint is compared with at most
    `MAX_NEIGHBOURS` equal ones, and only the `MAX_CANDIDATES` best alignments of a song are verified. The index of all
    sub-fingerprints is a temporary file.

    Parameters
    ----------
    fingerprints : sequence of np.ndarray [shape=(n_frames,)]
        Fingerprint of each song, see `fingerprint`.

    Returns
    -------
    np.ndarray [shape=(n,)]
        For each song the index of the first song of its group, which is its own index if it has no duplicate.

    Raises
    ------
    UserError
        If there are more than 2**31 sub-fingerprints, those of 1.7 million clips of 30 s.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> recording, other = rng.integers(1, 2**32, size=(2, 1000), dtype=np.uint32)
    >>> find_duplicates([recording, other, recording[100:]]).tolist()  # the third starts 2.3 s later
    [0, 1, 0]
    """
    n_songs = len(fingerprints)
    if n_songs == 0:
        return np.empty(0, dtype=int)
    with temporary_folder() as folder:
        pairs = np.array(list(_duplicate_pairs(fingerprints, folder)), dtype=int).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(n_songs, n_songs))
    _, group = connected_components(graph, directed=False)
    _, first_of_group = np.unique(group, return_index=True)
    return np.asarray(first_of_group[group])


def bit_error_rate(a: np.ndarray, b: np.ndarray, offset: int) -> float:
    """Compute the share of bits that differ where two fingerprints overlap.

    Parameters
    ----------
    a, b : np.ndarray [shape=(n_frames,), dtype=uint32]
        Fingerprints.
    offset : int
        Frame of `a` that is aligned with the first frame of `b`; may be negative.

    Returns
    -------
    float
        Near 0 for the same recording and near 0.5 for independent ones, without the frames in which one of them is
        silent. 1 if fewer than `MIN_OVERLAP` frames (3 s) remain, or less than the share `MIN_OVERLAP_SHARE` of the
        shorter song, because two songs that share only an intro are not copies.
    """
    required = max(MIN_OVERLAP, MIN_OVERLAP_SHARE * min(np.count_nonzero(a), np.count_nonzero(b)))
    a, b = a[max(0, offset) :], b[max(0, -offset) :]
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    audible = (a != 0) & (b != 0)
    if np.count_nonzero(audible) < required:
        return 1.0
    return float(np.bitwise_count(a ^ b)[audible].mean()) / 32


def map_array(path: Path, dtype: type[np.generic]) -> np.ndarray:
    """Open a file of numbers as an array that stays on the disk.

    Parameters
    ----------
    path : Path
        File, which may be empty.
    dtype : type
        Type of the numbers.

    Returns
    -------
    np.ndarray [shape=(n,)]
        The numbers, read-only.
    """
    return np.asarray(np.memmap(path, dtype, "r")) if path.stat().st_size else np.empty(0, dtype)


def _band_energies(y: np.ndarray, sr: int) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(y, N_FFT)[::HOP_LENGTH]
    window = np.hanning(N_FFT).astype(np.float32)
    edges = np.round(np.geomspace(FMIN, FMAX, N_BANDS + 1) * N_FFT / sr).astype(int)
    energies = np.empty((len(frames), N_BANDS), dtype=np.float32)
    for start in range(0, len(frames), FRAMES_PER_BLOCK):
        block = slice(start, start + FRAMES_PER_BLOCK)
        spectrum = scipy.fft.rfft(frames[block] * window)[:, edges[0] : edges[-1]]
        power = spectrum.real**2 + spectrum.imag**2
        energies[block] = np.add.reduceat(power, edges[:-1] - edges[0], axis=1)
    return energies


def _duplicate_pairs(fingerprints: Sequence[np.ndarray], folder: Path) -> Iterator[tuple[int, int]]:
    lengths = np.array([len(song) for song in fingerprints])
    ends = np.cumsum(lengths)
    if ends[-1] > POSITION_MASK:
        raise UserError(
            f"{len(fingerprints):,} songs are too many for the search of duplicates. Lower the number of songs."
        )
    index = _inverted_index(fingerprints, ends - lengths, folder)
    for first, a in enumerate(fingerprints):
        for second, offset in _candidates(a, first, index, ends - lengths, ends):
            if bit_error_rate(a, fingerprints[second], offset) < MAX_BIT_ERROR_RATE:
                yield first, second


def _inverted_index(fingerprints: Sequence[np.ndarray], starts: np.ndarray, folder: Path) -> np.ndarray:
    """Sort the sub-fingerprints of all songs by value and then by position, both packed in one integer.

    A song that holds a value several times, as in a sustained tone, is listed for it once. The sub-fingerprints are
    divided into buckets by ranges of values, files of which only one is in memory; so is the index a file.
    """
    sample = np.sort(np.concatenate([song[::SAMPLE_STEP] for song in fingerprints]))
    n_buckets = 1 + len(sample) * SAMPLE_STEP // BUCKET_SIZE
    bounds = sample[np.arange(1, n_buckets) * len(sample) // n_buckets]
    buckets = [folder / f"bucket-{number}" for number in range(n_buckets)]
    with ExitStack() as stack:
        files = [stack.enter_context(bucket.open("wb")) for bucket in buckets]
        for song, start in zip(fingerprints, starts, strict=True):
            values, frames = np.unique(song, return_index=True)
            postings = values.astype(np.int64) << POSITION_BITS | start + frames
            for file, part in zip(files, np.split(postings, np.searchsorted(values, bounds)), strict=True):
                file.write(part.data)
    with (folder / "index").open("wb") as index:
        for bucket in buckets:
            postings = np.fromfile(bucket, dtype=np.int64)
            postings.sort()
            index.write(postings.data)
            bucket.unlink()
    return map_array(folder / "index", np.int64)


def _candidates(
    a: np.ndarray, first: int, index: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> Iterator[tuple[int, int]]:
    """Vote for the songs after the first, and where they start in it, by equal sub-fingerprints."""
    in_later_songs = np.searchsorted(index, a.astype(np.int64) << POSITION_BITS | ends[first])
    nearest = in_later_songs[:, np.newaxis] + np.arange(MAX_NEIGHBOURS)
    posting = index.take(nearest, mode="clip")
    equal = (nearest < len(index)) & (posting >> POSITION_BITS == a[:, np.newaxis])
    frame, _ = np.nonzero(equal)
    position = posting[equal] & POSITION_MASK
    song = np.searchsorted(ends, position, side="right")
    alignments, votes = np.unique(np.stack([song, frame - (position - starts[song])]), axis=1, return_counts=True)
    best = np.argsort(-votes, kind="stable")[:MAX_CANDIDATES]
    yield from alignments[:, best].T.tolist()
