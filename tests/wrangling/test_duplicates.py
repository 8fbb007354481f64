"""Songs synthesised with numpy, re-encoded into real files, and found again."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from songgenre.audio import Clip, load_clip
from songgenre.wrangling import duplicates
from songgenre.wrangling.duplicates import SAMPLE_RATE, bit_error_rate, find_duplicates, fingerprint

SR = 22_050
DURATION_S = 20


def melody(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(SR // 4) / SR
    envelope = np.exp(-6 * t)
    frequencies = 261.6 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12, 14, 16], 4 * DURATION_S) / 12)
    notes = [
        envelope * sum(np.sin(2 * np.pi * f * harmonic * t) / harmonic for harmonic in range(1, 6)) for f in frequencies
    ]
    return 0.2 * np.resize(np.concatenate(notes), SR * DURATION_S)


def drum_loop() -> np.ndarray:
    rng = np.random.default_rng(0)
    t = np.arange(SR // 2) / SR
    kick = np.sin(2 * np.pi * 60 * t) * np.exp(-12 * t)
    snare = 0.5 * rng.standard_normal(len(t)) * np.exp(-18 * t)
    hat = 0.25 * rng.standard_normal(len(t)) * np.exp(-80 * t)
    return 0.5 * np.resize(np.concatenate([kick + hat, snare + hat]), SR * DURATION_S)


def noise(seed: int, seconds: float = DURATION_S) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(SR * seconds))


def fingerprint_of(y: np.ndarray) -> np.ndarray:
    return fingerprint(soxr.resample(y.astype(np.float32), SR, SAMPLE_RATE), SAMPLE_RATE)


def groups(*songs: np.ndarray) -> list[int]:
    return find_duplicates([fingerprint_of(y) for y in songs]).tolist()


@pytest.fixture(scope="module")
def corpus() -> list[np.ndarray]:
    return [fingerprint_of(melody(seed)) for seed in range(1, 9)]


def test_a_bit_is_the_sign_of_the_change_of_an_energy_difference() -> None:
    n = 8 * 2048
    rising_tone = (np.arange(n) / n * np.sin(2 * np.pi * 308 * np.arange(n) / SAMPLE_RATE)).astype(np.float32)
    lowest_band_gains = fingerprint(rising_tone, SAMPLE_RATE) >> 31
    assert lowest_band_gains.all()
    assert not (fingerprint(rising_tone[::-1], SAMPLE_RATE) >> 31).any()


def test_fingerprint_has_32_bits_for_each_pair_of_frames() -> None:
    result = fingerprint(np.zeros(30 * SAMPLE_RATE, dtype=np.float32), SAMPLE_RATE)
    assert result.dtype == np.uint32
    assert result.shape == ((30 * SAMPLE_RATE - 2048) // 128,)


def test_different_songs_are_each_their_own_group(corpus: list[np.ndarray]) -> None:
    assert find_duplicates(corpus).tolist() == list(range(len(corpus)))


def test_bit_error_rate_tells_the_same_song_from_another(corpus: list[np.ndarray]) -> None:
    assert bit_error_rate(corpus[0], corpus[0], 0) == 0
    assert bit_error_rate(corpus[0], corpus[0][40:], 40) == 0
    assert bit_error_rate(corpus[0][40:], corpus[0], -40) == 0
    assert bit_error_rate(corpus[0], corpus[1], 0) > 0.4


@pytest.mark.parametrize(
    ("name", "sample_rate", "compression_level"),
    [
        ("good.mp3", 44_100, 0.2),
        ("bad.mp3", 22_050, 0.95),
        ("bad.ogg", 22_050, 0.95),
        ("good.ogg", 48_000, 0.2),
        ("exact.flac", 22_050, 0.5),
        ("telephone.wav", 8_000, None),
    ],
)
def test_an_encoding_is_found(
    corpus: list[np.ndarray], tmp_path: Path, name: str, sample_rate: int, compression_level: float | None
) -> None:
    soundfile.write(
        tmp_path / name,
        soxr.resample(melody(seed=3), SR, sample_rate),
        sample_rate,
        compression_level=compression_level,
    )
    copy = fingerprint(load_clip(Clip(tmp_path / name, 0, DURATION_S - 0.1), SAMPLE_RATE), SAMPLE_RATE)
    assert find_duplicates([*corpus, copy])[-1] == 2
    assert find_duplicates([copy, *corpus]).tolist() == [0, 1, 2, 0, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("shift_s", [0.0116, 0.37, 3, 10])
def test_a_clip_cut_elsewhere_is_found(corpus: list[np.ndarray], shift_s: float) -> None:
    clip = fingerprint_of(melody(seed=3)[round(shift_s * SR) :])
    assert find_duplicates([*corpus, clip])[-1] == 2
    assert find_duplicates([clip, *corpus])[3] == 0


def test_clips_that_overlap_in_the_middle_of_a_song_are_found() -> None:
    song = np.concatenate([melody(1), melody(2)])
    assert groups(song[: 24 * SR], noise(1), song[14 * SR :]) == [0, 1, 0]


def test_a_quieter_copy_with_noise_is_found() -> None:
    assert groups(melody(1), melody(2), 0.5 * melody(2) + 0.02 * noise(3)) == [0, 1, 1]


def test_songs_that_share_a_drum_loop_are_different() -> None:
    loop = drum_loop()
    assert groups(*(loop + melody(seed) for seed in range(1, 5))) == [0, 1, 2, 3]


def test_copies_of_loop_music_are_found() -> None:
    song = drum_loop() + np.tile(melody(1)[: 4 * SR], 5)
    assert groups(drum_loop() + melody(2), song, song[3 * SR :]) == [0, 1, 1]


def test_a_group_is_named_after_its_first_song_even_where_only_a_chain_connects_it() -> None:
    song = np.concatenate([melody(1), melody(2)])
    start, middle, end = song[: 16 * SR], song[10 * SR : 26 * SR], song[20 * SR : 36 * SR]
    assert groups(start, noise(1), end) == [0, 1, 2]
    assert groups(start, noise(1), end, middle) == [0, 1, 0, 0]


def test_many_copies_of_one_song_are_one_group(corpus: list[np.ndarray]) -> None:
    assert find_duplicates([corpus[0]] * 50).tolist() == [0] * 50


def test_silent_songs_are_not_duplicates_of_each_other() -> None:
    silence = np.zeros(SR * DURATION_S)
    assert groups(*[silence] * 20) == list(range(20))


def test_shared_silence_does_not_make_songs_equal() -> None:
    silence = np.zeros(16 * SR)
    songs = [np.concatenate([silence, melody(seed)[: 4 * SR]]) for seed in (1, 2)]
    assert groups(*songs, songs[1]) == [0, 1, 1]


@pytest.mark.parametrize("seconds", [0, 0.1, 0.38, 0.5, 2])
def test_clips_shorter_than_three_seconds_are_left_alone(seconds: float) -> None:
    clip = noise(1, seconds)
    assert groups(clip, clip, clip) == [0, 1, 2]


def test_a_clip_of_five_seconds_is_enough() -> None:
    assert groups(noise(1, 5), noise(2, 5), noise(1, 5)) == [0, 1, 0]


def test_one_song_and_none() -> None:
    assert groups(melody(1)) == [0]
    assert find_duplicates([]).shape == (0,)


def test_one_pair_among_hundreds_of_songs() -> None:
    rng = np.random.default_rng(0)
    songs = list(rng.integers(2**32, size=(400, 1274), dtype=np.uint32))
    songs[390] = songs[7][100:]
    expected = np.arange(400)
    expected[390] = 7
    np.testing.assert_array_equal(find_duplicates(songs), expected)


def index_in_memory(fingerprints: list[np.ndarray]) -> np.ndarray:
    """Value and position of the first occurrence of each value in each song, by one sort of all of them."""
    ends = np.cumsum([len(song) for song in fingerprints])
    index = np.concatenate(fingerprints).astype(np.int64) << 31 | np.arange(ends[-1])
    index.sort()
    song = np.searchsorted(ends, index % 2**31, side="right")
    again = (index[1:] >> 31 == index[:-1] >> 31) & (song[1:] == song[:-1])
    return index[np.append(True, ~again)]


@pytest.mark.parametrize("bucket_size", [64, 1000, 2**24])
@pytest.mark.parametrize("n_values", [3, 500, 2**32])
def test_index_in_buckets_is_the_index_in_memory(
    n_values: int, bucket_size: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(duplicates, "BUCKET_SIZE", bucket_size)
    rng = np.random.default_rng(0)
    songs = [rng.integers(n_values, size=rng.integers(300), dtype=np.uint32) for _ in range(20)]
    starts = np.cumsum([0, *map(len, songs)])[:-1]
    np.testing.assert_array_equal(duplicates._inverted_index(songs, starts, tmp_path), index_in_memory(songs))


def test_buckets_find_the_same_pairs_of_real_fingerprints(
    corpus: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copies = [fingerprint_of(0.5 * melody(seed) + 0.02 * noise(seed)) for seed in range(3, 7)]
    songs = [*corpus, *copies, fingerprint_of(melody(1)[3 * SR :]), np.empty(0, dtype=np.uint32)]
    starts = np.cumsum([0, *map(len, songs)])[:-1]
    in_one = list(duplicates._duplicate_pairs(songs, tmp_path))
    assert set(in_one) >= {(2, 8), (3, 9), (4, 10), (5, 11), (0, 12)}
    np.testing.assert_array_equal(duplicates._inverted_index(songs, starts, tmp_path), index_in_memory(songs))
    monkeypatch.setattr(duplicates, "BUCKET_SIZE", 1000)
    np.testing.assert_array_equal(duplicates._inverted_index(songs, starts, tmp_path), index_in_memory(songs))
    assert list(duplicates._duplicate_pairs(songs, tmp_path)) == in_one
