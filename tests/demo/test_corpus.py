import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from songgenre.compute import parallel_map
from songgenre.demo.corpus import EXTRAS, Recording, plan_corpus, record
from songgenre.demo.genres import GENRES
from songgenre.errors import UserError

pytestmark = pytest.mark.integration

SONGS, ARTISTS, SEED = 1, 1, 7
REGULAR = SONGS * len(GENRES)


@pytest.fixture(scope="module")
def songs() -> list[Recording]:
    return plan_corpus(SONGS, ARTISTS, SEED)


@pytest.fixture(scope="module")
def audio(made_once: Callable[..., Path], songs: list[Recording]) -> Path:
    """The files of all songs, which the tests of the source use, too."""
    return made_once(
        "demo_songs", lambda folder: list(parallel_map(partial(record, folder=folder), songs, "composing"))
    )


def extras(kind: str, songs: list[Recording]) -> list[Recording]:
    return [song for song, what in zip(songs[REGULAR:], EXTRAS, strict=True) if what == kind]


def original(song: Recording, songs: list[Recording]) -> Recording:
    title = song.title.removesuffix(" (Single Version)")
    return next(other for other in songs[:REGULAR] if (other.title, other.genres) == (title, song.genres))


def test_every_song_has_a_file_of_its_own_but_the_one_that_is_missing(songs: list[Recording], audio: Path) -> None:
    [missing] = extras("missing", songs)
    assert len(songs) == REGULAR + len(EXTRAS)
    assert len({song.file for song in songs}) == len(songs)
    assert {path.name for path in audio.iterdir()} == {song.file for song in songs} - {missing.file}


def test_regular_songs_are_whole_and_of_one_genre(songs: list[Recording], audio: Path) -> None:
    assert Counter(song.genres for song in songs[:REGULAR]) == {(genre,): SONGS for genre in GENRES}
    for song in songs[:REGULAR]:
        with soundfile.SoundFile(audio / song.file) as file:
            assert (file.samplerate, file.channels) == (22_050, 1)
            promised = file.frames
            y = file.read()
        assert len(y) == promised
        assert 30 <= len(y) / 22_050 <= 36.2
        assert np.abs(y).max() < 1
        assert -27 < 20 * np.log10(np.sqrt(np.mean(y**2))) < -9


def test_songs_in_two_genres(songs: list[Recording]) -> None:
    both = extras("two genres", songs)
    assert len(both) == 6
    assert all(len(set(song.genres)) == 2 and set(song.genres) <= set(GENRES) for song in both)


def test_copies_have_the_same_bytes(songs: list[Recording], audio: Path) -> None:
    copies = extras("copy", songs)
    assert len(copies) == 4
    for song in copies:
        assert (audio / song.file).read_bytes() == (audio / original(song, songs).file).read_bytes()


def test_songs_encoded_anew_sound_the_same(songs: list[Recording], audio: Path) -> None:
    anew = extras("encoded anew", songs)
    assert len(anew) == 4
    for song in anew:
        first = audio / original(song, songs).file
        assert (audio / song.file).stat().st_size > 1.4 * first.stat().st_size
        here, there = (soundfile.read(path)[0] for path in (audio / song.file, first))
        length = min(len(here), len(there))
        assert np.corrcoef(here[:length], there[:length])[0, 1] > 0.95


def test_faulty_files_are_what_they_say(songs: list[Recording], audio: Path) -> None:
    files = {kind: audio / extras(kind, songs)[0].file for kind in ("truncated", "empty", "silent", "short", "text")}
    assert files["empty"].stat().st_size == 0
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(files["empty"])
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(files["text"])
    assert files["text"].read_text().startswith("<!DOCTYPE html>")
    assert np.abs(soundfile.read(files["silent"])[0]).max() < 1e-4
    assert 5 <= len(soundfile.read(files["short"])[0]) / 22_050 < 5.3
    with soundfile.SoundFile(files["truncated"]) as file:
        promised = file.frames
        assert len(file.read()) < 0.5 * promised


def test_same_arguments_same_bytes_in_another_process(songs: list[Recording], audio: Path, tmp_path: Path) -> None:
    song = songs[REGULAR - 1]
    script = (
        "import sys; from pathlib import Path; from songgenre.demo.corpus import plan_corpus, record;"
        f"record(plan_corpus({SONGS}, {ARTISTS}, {SEED})[{REGULAR - 1}], Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert (tmp_path / song.file).read_bytes() == (audio / song.file).read_bytes()


def test_another_seed_gives_other_music(songs: list[Recording], audio: Path, tmp_path: Path) -> None:
    other = plan_corpus(SONGS, ARTISTS, SEED + 1)[0]
    record(other, tmp_path)
    assert other.file == songs[0].file
    assert (tmp_path / other.file).read_bytes() != (audio / other.file).read_bytes()


def test_default_corpus_is_as_described() -> None:
    songs = plan_corpus(48, 12, 0)
    regular = songs[:240]
    assert sum(song.artist is None for song in regular) == 8
    genres_of = {song.artist: set[str]() for song in regular if song.artist}
    for song in regular:
        if song.artist:
            genres_of[song.artist].update(song.genres)
    assert len(genres_of) == 60
    assert all(len(genres) == 1 for genres in genres_of.values())
    assert len({(song.title, song.genres) for song in regular}) == 240


def test_longer_corpora_begin_with_the_same_songs() -> None:
    short = {recording.file: recording for recording in plan_corpus(6, 3, 0)[:30]}
    long = {recording.file: recording for recording in plan_corpus(9, 3, 0)[:45]}
    assert all(long[file].plan == recording.plan for file, recording in short.items())


@pytest.mark.parametrize("artists", [0, 7, 1000])
def test_says_how_many_artists_there_may_be(artists: int) -> None:
    with pytest.raises(UserError, match=rf"artists_per_genre.*\b6\b.*\b{artists}\b"):
        plan_corpus(6, artists, 0)
