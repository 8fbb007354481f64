"""Inner loops of the descriptors, compiled by numba and cached on disk.

Spectrograms have one frame per row, so that the values of a frame are contiguous in memory.
"""

from __future__ import annotations

import numba
import numpy as np

from songgenre.runtime import numba_cache  # noqa: F401


@numba.njit(cache=True)
def spectral_moments(magnitude: np.ndarray, frequencies: np.ndarray, roll_percent: float) -> np.ndarray:
    """Compute root mean square, centroid, bandwidth and roll-off of every frame.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(n_frames, n_frequencies), dtype=float32]
        Magnitude of the short-time Fourier transform.
    frequencies : np.ndarray [shape=(n_frequencies,)]
        Frequencies of the bins in Hz.
    roll_percent : float
        Share (0 to 1) of a frame's magnitude that lies below its roll-off.

    Returns
    -------
    np.ndarray [shape=(4, n_frames), dtype=float64]
        Root mean square (full scale), centroid, bandwidth and roll-off (Hz); all 0 in silence.
    """
    n_frames, n_frequencies = magnitude.shape
    out = np.zeros((4, n_frames))
    for t in range(n_frames):
        frame = magnitude[t]
        total = first = power = 0.0
        for k in range(n_frequencies):
            value = float(frame[k])
            total += value
            first += value * frequencies[k]
            power += value * value
        power -= 0.5 * (float(frame[0]) ** 2 + float(frame[-1]) ** 2)
        out[0, t] = np.sqrt(2 * power) / (2 * (n_frequencies - 1))
        if total <= np.finfo(np.float32).tiny:
            continue
        centroid = first / total
        second = 0.0
        for k in range(n_frequencies):
            second += frame[k] * (frequencies[k] - centroid) ** 2
        below, k = float(frame[0]), 0
        while below < roll_percent * total and k < n_frequencies - 1:
            k += 1
            below += frame[k]
        out[1, t], out[2, t], out[3, t] = centroid, np.sqrt(second / total), frequencies[k]
    return out


@numba.njit(cache=True)
def contrast_peaks_valleys(magnitude: np.ndarray, edges: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average the largest and the smallest magnitudes in each band of every frame.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(n_frames, n_frequencies)]
        Magnitude of the short-time Fourier transform.
    edges : np.ndarray [shape=(n_bands, 2), dtype=int]
        First bin of each band, and the bin after its last.
    counts : np.ndarray [shape=(n_bands,), dtype=int]
        Number of magnitudes to average in each band.

    Returns
    -------
    np.ndarray [shape=(2, n_bands, n_frames)]
        Peaks (mean of the largest) and valleys (mean of the smallest).
    """
    n_frames = len(magnitude)
    out = np.empty((2, len(edges), n_frames))
    largest, smallest = np.empty(counts.max()), np.empty(counts.max())
    for t in range(n_frames):
        for band in range(len(edges)):
            n = counts[band]
            largest[:n], smallest[:n] = -np.inf, np.inf
            for k in range(edges[band, 0], edges[band, 1]):
                value = float(magnitude[t, k])
                if value > largest[n - 1]:
                    place = n - 1
                    while place > 0 and largest[place - 1] < value:
                        largest[place] = largest[place - 1]
                        place -= 1
                    largest[place] = value
                if value < smallest[n - 1]:
                    place = n - 1
                    while place > 0 and smallest[place - 1] > value:
                        smallest[place] = smallest[place - 1]
                        place -= 1
                    smallest[place] = value
            out[0, band, t] = largest[:n].mean()
            out[1, band, t] = smallest[:n].mean()
    return out


@numba.njit(cache=True)
def spectral_peaks(magnitude: np.ndarray, first: int, end: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Find local maxima over frequency, refined by parabolic interpolation as in `librosa.piptrack`.

    Parameters
    ----------
    magnitude : np.ndarray [shape=(n_frames, n_frequencies)]
        Magnitude of the short-time Fourier transform.
    first : int
        First bin to search.
    end : int
        Bin after the last one to search.
    threshold : float
        Minimum height of a peak, as a share (0 to 1) of its frame's maximum.

    Returns
    -------
    bins : np.ndarray [shape=(n_peaks,)]
        Positions of the peaks, in fractional bins.
    heights : np.ndarray [shape=(n_peaks,)]
        Interpolated magnitudes of the peaks.
    """
    bins, heights = [], []
    for t in range(len(magnitude)):
        frame = magnitude[t]
        reference = threshold * frame.max()
        for k in range(max(first, 1), min(end, len(frame) - 1)):
            project, left, right = frame[k], frame[k - 1], frame[k + 1]
            if project <= reference or project < right or (left > reference and project <= left):
                continue
            curvature, slope = float(right) + float(left) - 2 * float(project), (float(right) - float(left)) / 2
            shift = 0.0 if abs(slope) >= abs(curvature) else -slope / curvature
            bins.append(k + shift)
            heights.append(project + 0.5 * slope * shift)
    return np.array(bins), np.array(heights)


@numba.njit(cache=True)
def zero_crossing_rate(y: np.ndarray, threshold: float, frame_length: int, hop_length: int) -> np.ndarray:
    """Compute the share of the samples of each frame whose sign differs from that of the previous sample.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono samples.
    threshold : float
        Negative samples of at most this magnitude count as positive.
    frame_length : int
        Length of a frame in samples; frames are centered, and `y` is padded with its first and last value.
    hop_length : int
        Distance between neighboring frames, in samples.

    Returns
    -------
    np.ndarray [shape=(n_frames,)]
        Sign changes per sample, 0 to 1.
    """
    changes = np.zeros(len(y) + 1, dtype=np.int64)
    before = y[0] < -threshold
    for n in range(len(y)):
        negative = y[n] < -threshold
        changes[n + 1] = changes[n] + (negative != before)
        before = negative
    n_frames = 1 + len(y) // hop_length
    rate = np.empty(n_frames)
    for t in range(n_frames):
        start = t * hop_length - frame_length // 2
        first, last = min(max(start, 0), len(y) - 1), min(max(start + frame_length - 1, 0), len(y) - 1)
        rate[t] = (changes[last + 1] - changes[first + 1]) / frame_length
    return rate


@numba.njit(cache=True)
def statistics(rows: np.ndarray) -> np.ndarray:
    """Compute moments and order statistics of every row.

    Parameters
    ----------
    rows : np.ndarray [shape=(n_rows, n)]
        One series of at least one value per row.

    Returns
    -------
    np.ndarray [shape=(8, n_rows), dtype=float64]
        Mean, standard deviation, skewness, excess kurtosis, median, minimum, maximum and mean absolute difference of
        neighbors. Skewness and kurtosis are 0 where all values are equal up to single precision; the mean absolute
        difference of a single value is 0.
    """
    n_rows, n = rows.shape
    out = np.zeros((8, n_rows))
    for row in range(n_rows):
        values = rows[row].astype(np.float64)
        mean = values.mean()
        second = third = fourth = difference = 0.0
        for place in range(n):
            deviation = values[place] - mean
            square = deviation * deviation
            second += square
            third += square * deviation
            fourth += square * square
            if place > 0:
                difference += abs(values[place] - values[place - 1])
        second, third, fourth = second / n, third / n, fourth / n
        out[0, row], out[1, row] = mean, np.sqrt(second)
        if second > (np.finfo(np.float32).eps * np.abs(values).max()) ** 2:
            out[2, row], out[3, row] = third / second**1.5, fourth / second**2 - 3
        out[4, row], out[5, row], out[6, row] = np.median(values), values.min(), values.max()
        out[7, row] = difference / max(1, n - 1)
    return out
