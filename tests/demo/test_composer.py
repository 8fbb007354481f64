import itertools
import subprocess
import sys

import numpy as np
import pytest

from songgenre.demo.artists import LONGEST, SHORTEST, SongPlan, invent_artist, plan_song
from songgenre.demo.composer import beat_grid, chord, compose, into_range, lay_out, voice
from songgenre.demo.genres import GENRES
from songgenre.demo.styles import KICK, RANGES, SYNTHESISER_RANGE

TEMPO_RANGES = {
    "electronic": (70, 170),
    "hip-hop": (75, 100),
    "classical": (60, 168),
    "country": (66, 140),
    "rock": (66, 184),
}


def plans(genre: str, crossover: float = 0.0) -> list[SongPlan]:
    return [plan_song(invent_artist(genre, number % 7, 3), number, 3, crossover) for number in range(21)]


def as_tuples(plan: SongPlan) -> list[tuple[object, ...]]:
    return [
        (track.name, note.time, note.duration, note.pitch, note.velocity)
        for track in compose(plan).tracks
        for note in track.notes
    ]


@pytest.mark.integration
def test_same_seed_same_music_in_another_process() -> None:
    plan = plans("rock", crossover=1.0)[4]
    script = (
        "from songgenre.demo.artists import *; from songgenre.demo.composer import compose;"
        "plan = plan_song(invent_artist('rock', 4, 3), 4, 3, 1.0);"
        "print([(track.name, note.time, note.duration, note.pitch, note.velocity)"
        " for track in compose(plan).tracks for note in track.notes])"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(as_tuples(plan))


def test_songs_of_an_artist_differ() -> None:
    artist = invent_artist("country", 0, 3)
    first, second = (plan_song(artist, number, 3, 0.0) for number in (0, 12))
    assert as_tuples(first) != as_tuples(second)


@pytest.mark.parametrize("genre", GENRES)
def test_tempo_is_the_genres_own(genre: str) -> None:
    slowest, fastest = TEMPO_RANGES[genre]
    tempos = [compose(plan).tempos[0].qpm for plan in plans(genre)]
    assert slowest - 0.01 <= min(tempos) < max(tempos) <= fastest + 0.01


@pytest.mark.parametrize("genre", GENRES)
def test_notes_are_within_the_song_and_their_instruments_range(genre: str) -> None:
    for plan in plans(genre, crossover=0.5):
        end = beat_grid(plan)[-1]
        assert SHORTEST <= end <= LONGEST + 0.001
        for track in compose(plan).tracks:
            assert len(track.notes) > 0 or track.name != "chords"
            low, high = (35, 81) if track.is_drum else RANGES.get(track.program, SYNTHESISER_RANGE)
            assert all(low <= note.pitch <= high for note in track.notes)
            assert all(note.time >= 0 and note.duration > 0 for note in track.notes)
            assert all(note.time + note.duration <= end + 0.001 for note in track.notes)


def test_plain_classical_music_has_no_drums() -> None:
    assert not any(track.is_drum for plan in plans("classical") for track in compose(plan).tracks)


def test_some_crossovers_bring_drums_into_classical_music() -> None:
    assert any(track.is_drum for plan in plans("classical", crossover=1.0) for track in compose(plan).tracks)


def test_crossover_says_from_where_it_borrows() -> None:
    assert {plan.borrows_from for plan in plans("hip-hop")} == {None}
    assert {plan.borrows_from for plan in plans("hip-hop", crossover=1.0)} == {
        "electronic",
        "classical",
        "rock",
    }


def test_house_kicks_on_every_beat() -> None:
    house = [plan for plan in plans("electronic") if plan.style.name in ("house", "trance")]
    for plan in house:
        beats = beat_grid(plan)[::4]
        (drums,) = (track for track in compose(plan).tracks if track.is_drum)
        kicks = np.array([note.time for note in drums.notes if note.pitch == KICK])
        on_beat = [np.abs(beats - kick).min() < 0.02 for kick in kicks]
        assert np.mean(on_beat) > 0.9
        assert len(kicks) > len(beats) * 0.5


@pytest.mark.parametrize("genre", GENRES)
def test_bass_opens_each_bar_on_the_root(genre: str) -> None:
    for plan in plans(genre):
        steps = plan.style.steps
        grid = beat_grid(plan)
        (bass,) = (track for track in compose(plan).tracks if track.name == "bass")
        figure = plan.style.parts[[part.role for part in plan.style.parts].index("bass")].figures
        if any(not line.startswith("r") for line in figure):
            continue
        for bar in lay_out(plan):
            if "bass" in bar.section.rests:
                continue
            root = chord(plan, bar.degrees[0], (0,))[0]
            start = grid[bar.number * steps]
            first = min(bass.notes, key=lambda note: abs(note.time - start))
            assert first.pitch % 12 == root


def test_sections_differ_in_density() -> None:
    for plan in plans("rock"):
        sections = [bar.section for bar in lay_out(plan)]
        assert len({section.rests for section in sections}) > 1
        assert len(sections) == plan.bars


def test_voices_move_little() -> None:
    previous: list[int] = []
    moves = []
    for pitch_classes in ([0, 4, 7], [9, 0, 4], [5, 9, 0], [7, 11, 2], [0, 4, 7]):
        voicing = voice(pitch_classes, 52, previous)
        assert {pitch % 12 for pitch in voicing} == set(pitch_classes)
        assert voicing == sorted(voicing)
        if previous:
            moves.append(max(abs(a - b) for a, b in zip(voicing, previous, strict=True)))
        previous = voicing
    assert max(moves) <= 5


def test_melody_repeats_its_motif() -> None:
    plan = next(plan for plan in plans("country") if plan.style.name == "honky tonk")
    (lead,) = (track for track in compose(plan).tracks if track.name == "lead")
    grid = beat_grid(plan)
    bars = [
        tuple(
            round(float(np.interp(note.time, grid, np.arange(len(grid)))) - start * 16)
            for note in lead.notes
            if grid[start * 16] - 0.04 <= note.time < grid[start * 16 + 16] - 0.04
        )
        for start in range(plan.bars)
    ]
    rhythms = [bar for bar in bars if bar]
    assert len(set(rhythms)) < len(rhythms) / 2


def test_into_range_moves_by_octaves() -> None:
    assert into_range(30, 40) == 66
    assert into_range(120, 73) == 96
    assert into_range(60, 81) == 60


def test_figures_and_grooves_fill_whole_bars() -> None:
    for style in itertools.chain.from_iterable(GENRES.values()):
        rows = [row for groove in style.grooves for row in groove.values()]
        figures = [figure for part in style.parts for figure in part.figures]
        assert {len(row) for row in rows + figures} == {style.steps}
