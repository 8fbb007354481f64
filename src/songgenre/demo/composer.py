"""Compose the songs of the demo music, note by note, from their plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import symusic

from songgenre.demo.artists import SongPlan, choose
from songgenre.demo.styles import (
    CRASH,
    FILLS,
    MODES,
    POWER,
    RANGES,
    SYNTHESISER_RANGE,
    Part,
    Section,
)

VOLUME = 7
"""MIDI controller."""

RING = 5
"""Duration of a drum in sixteenths."""

VELOCITIES = {"x": 88, "X": 110, "g": 46, "d": 76}


@dataclass(frozen=True)
class Bar:
    """A bar of a song.

    Parameters
    ----------
    number : int
        Number of the bar within the song.
    section : Section
        Section of the form.
    within_section : int
        Number of the bar within the section.
    closes_section : bool
        Whether it is the last bar of the section.
    degrees : tuple of int
        Chords as degrees of the scale, each for an equal share of the bar.
    """

    number: int
    section: Section
    within_section: int
    closes_section: bool
    degrees: tuple[int, ...]

    def degree(self, step: int, steps: int) -> int:
        """Return the chord at a step of the bar.

        Parameters
        ----------
        step : int
            Position in the bar.
        steps : int
            Number of steps of the bar.

        Returns
        -------
        int
            Degree of the scale.
        """
        return self.degrees[step * len(self.degrees) // steps]


def compose(plan: SongPlan) -> symusic.Score:
    """Compose a song.

    Parameters
    ----------
    plan : SongPlan
        Plan of the song.

    Returns
    -------
    symusic.Score
        Score in seconds: a track per part, named after its role, with its volume as a MIDI controller, and a track
        ``"drums"`` unless the style has none.
    """
    grid = beat_grid(plan)
    bars = lay_out(plan)
    score = symusic.Score(480, ttype="second")
    score.tempos.append(symusic.Tempo(0.0, plan.tempo, ttype="second"))
    for index, part in enumerate(plan.style.parts):
        rng = np.random.default_rng((*plan.seed, index))
        notes = _melody(part, bars, plan, rng) if part.role == "lead" else _accompaniment(part, bars, plan)
        score.tracks.append(_track(part.role, part.programs[0], notes, grid, plan, rng, part.level))
    if plan.style.grooves[0]:
        rng = np.random.default_rng((*plan.seed, len(plan.style.parts)))
        notes = _drums(bars, plan, rng)
        score.tracks.append(_track("drums", plan.style.kits[0], notes, grid, plan, rng, 100))
    return score


def beat_grid(plan: SongPlan) -> np.ndarray:
    """Compute the start of each sixteenth, with swing and rubato.

    Parameters
    ----------
    plan : SongPlan
        Plan of the song.

    Returns
    -------
    np.ndarray [shape=(bars * steps + 1,)]
        Times in s; the last one is the end of the song.
    """
    style = plan.style
    step = np.arange(plan.bars * style.steps)
    phrase = step % (4 * style.steps) / (4 * style.steps)
    lengths = 1 + style.rubato * (2 * phrase**3 - 0.5)
    lengths *= np.where(step % 2 == 0, 2 * style.swing, 2 - 2 * style.swing)
    lengths *= 15 / plan.tempo * len(lengths) / lengths.sum()
    return np.concatenate([[0.0], np.cumsum(lengths)])


def lay_out(plan: SongPlan) -> list[Bar]:
    """Divide a song into sections and give each bar its chords.

    Parameters
    ----------
    plan : SongPlan
        Plan of the song.

    Returns
    -------
    list of Bar
        All bars, with the second progression of the style in choruses and middle sections, and the first elsewhere.
    """
    form = plan.style.form
    shares = np.cumsum([0] + [section.share for section in form])
    starts = np.round(shares / shares[-1] * plan.bars).astype(int)
    bars = []
    for section, start, end in zip(form, starts[:-1], starts[1:], strict=True):
        contrasting = section.name in ("chorus", "middle")
        progression = [int(degree) for degree in plan.style.progressions[-1 if contrasting else 0]]
        per_bar = plan.style.chords_per_bar
        for number in range(start, end):
            first = (number - start) * per_bar
            degrees = tuple(progression[(first + i) % len(progression)] for i in range(per_bar))
            bars.append(Bar(number, section, number - start, number == end - 1, degrees))
    return bars


def chord(plan: SongPlan, degree: int, stack: tuple[int, ...]) -> list[int]:
    """Compute the notes of a chord.

    Parameters
    ----------
    plan : SongPlan
        Plan of the song.
    degree : int
        Degree of the scale, from 1.
    stack : tuple of int
        Notes in steps of the scale above the root.

    Returns
    -------
    list of int
        Pitch classes, 0 to 11, in the order of `stack`.
    """
    scale = MODES[plan.style.modes[0]]
    return [(plan.tonic + scale[(degree - 1 + step) % 7]) % 12 for step in stack]


def voice(pitch_classes: list[int], low: int, previous: list[int]) -> list[int]:
    """Choose the inversion of a chord whose voices move least.

    Parameters
    ----------
    pitch_classes : list of int
        Notes of the chord, 0 to 11.
    low : int
        Lowest MIDI pitch.
    previous : list of int
        MIDI pitches of the previous chord, with as many notes; empty at the beginning.

    Returns
    -------
    list of int
        MIDI pitches in ascending order, in close position.
    """
    inversions = []
    for lowest in pitch_classes:
        bottom = low + (lowest - low) % 12
        inversions.append(sorted(bottom + (pitch - bottom) % 12 for pitch in pitch_classes))
    target = previous or inversions[0]
    return min(inversions, key=lambda pitches: sum(abs(a - b) for a, b in zip(pitches, target, strict=True)))


@dataclass(frozen=True)
class _Stroke:
    """A note on the grid; start and end in sixteenths from the start of the song."""

    start: float
    end: float
    pitch: int
    velocity: float


def _accompaniment(part: Part, bars: list[Bar], plan: SongPlan) -> list[_Stroke]:
    strokes = []
    steps = plan.style.steps
    voicing: list[int] = []
    for bar, following in zip(bars, [*bars[1:], bars[0]], strict=True):
        if part.role in bar.section.rests:
            continue
        figure = part.figures[-1 if bar.section.name == "chorus" else 0]
        for step, symbol, length in _events(figure, steps):
            degree = bar.degree(step, steps)
            pitch_classes = chord(plan, degree, part.stack)
            if part.stack == POWER:
                root = part.low + (pitch_classes[0] - part.low) % 12
                voicing = [root, root + 7, root + 12]
            else:
                voicing = voice(pitch_classes, part.low, voicing)
            if symbol == "c":
                pitches = voicing
            elif symbol.isdigit():
                octave, note = divmod(int(symbol), len(voicing))
                pitches = [voicing[note] + 12 * octave]
            else:
                pitches = [_bass_pitch(symbol, part.low, degree, following.degrees[0], plan)]
            accent = 6 if step % 8 == 0 else 0
            velocity = (84 + accent) * bar.section.energy
            start = bar.number * steps + step
            strokes += [_Stroke(start, start + length, pitch, velocity) for pitch in pitches]
    return strokes


def _bass_pitch(symbol: str, low: int, degree: int, next_degree: int, plan: SongPlan) -> int:
    root, third, fifth = chord(plan, degree, (0, 2, 4))
    pitch = low + (root - low) % 12
    if symbol == "a":
        target = low + (chord(plan, next_degree, (0,))[0] - low) % 12
        return target - 1 if target > low else target + 2
    return {"r": pitch, "o": pitch + 12, "t": pitch + (third - root) % 12, "f": pitch + (fifth - root) % 12}[symbol]


def _events(figure: str, steps: int) -> Iterator[tuple[int, str, int]]:
    """Read a figure: position, symbol and length of each note, in sixteenths."""
    figure = figure[:steps]
    for step, symbol in enumerate(figure):
        if symbol not in ".-":
            rest = figure[step + 1 :]
            yield step, symbol, 1 + len(rest) - len(rest.lstrip("-"))


def _melody(part: Part, bars: list[Bar], plan: SongPlan, rng: np.random.Generator) -> list[_Stroke]:
    """Repeat two motifs, transposed with the chords, and end each phrase of four bars with a long note."""
    steps = plan.style.steps
    ladder = _ladder(part, plan)
    motifs = {name: _contours(rng) for name in ("theme", "contrast")}
    strokes = []
    position = len(ladder) // 2
    for bar in bars:
        if part.role in bar.section.rests:
            continue
        contrast = bar.section.name in ("chorus", "middle")
        contour = motifs["contrast" if contrast else "theme"][bar.within_section % 2]
        closes = bar.within_section % 4 == 3 or bar.closes_section
        figure = part.figures[-1 if contrast else 0]
        centre = len(ladder) * (0.6 if contrast else 0.45)
        anchor = _chord_tone(ladder, bar, 0, plan, (position + 2 * centre) / 3)
        for index, (step, _, length) in enumerate(_events(figure, steps)):
            position = int(np.clip(anchor + contour[index % len(contour)], 0, len(ladder) - 1))
            last = closes and step >= steps // 2
            if step in (0, steps // 2) or last:
                position = _chord_tone(ladder, bar, step, plan, position)
            start = bar.number * steps + step
            end = (bar.number + 1) * steps - 1 if last else start + length
            strokes.append(_Stroke(start, end, ladder[position], (92 + 3 * (step % 4 == 0)) * bar.section.energy))
            if last:
                break
    return strokes


def _contours(rng: np.random.Generator) -> list[np.ndarray]:
    """Draw two bars of steps along the scale: a statement, and an answer with the same beginning."""
    turns = rng.choice([-1, 1], 9) * rng.choice([1, 1, 2, 3], 9)
    statement = np.concatenate([[0], (np.cumsum(turns) + 4) % 9 - 4])
    answer = statement.copy()
    answer[4:] = -statement[4:]
    return [statement, answer]


def _ladder(part: Part, plan: SongPlan) -> list[int]:
    """List the pitches of the melody, from the lowest to the highest."""
    mode = plan.style.modes[0]
    scale = np.array(MODES[mode])
    if part.pentatonic:
        scale = scale[[0, 1, 2, 4, 5]] if mode in ("major", "mixolydian") else scale[[0, 2, 3, 4, 6]]
    pitch_classes = set((scale + plan.tonic) % 12)
    return [pitch for pitch in range(part.low, part.low + 22) if pitch % 12 in pitch_classes]


def _chord_tone(ladder: list[int], bar: Bar, step: int, plan: SongPlan, near: float) -> int:
    """Find the position on the ladder, closest to `near`, that belongs to the chord."""
    tones = chord(plan, bar.degree(step, plan.style.steps), (0, 2, 4))
    places = [place for place, pitch in enumerate(ladder) if pitch % 12 in tones]
    return min(places, key=lambda place: abs(place - near), default=round(near))


def _drums(bars: list[Bar], plan: SongPlan, rng: np.random.Generator) -> list[_Stroke]:
    """Write the groove; a fill leads to the next section, which begins with a crash."""
    steps = plan.style.steps
    fill = choose(FILLS, rng)
    strokes = []
    for bar in bars:
        if "drums" in bar.section.rests:
            continue
        first = bar.number * steps
        if bar.within_section == 0 and bar.number > 0:
            strokes.append(_Stroke(first, first + 16, CRASH, 96 * bar.section.energy))
        filled = bar.closes_section and bar.number < plan.bars - 1
        start_of_fill = steps // 2 if filled else steps
        for rows, begin, end in ((plan.style.grooves[0], 0, start_of_fill), (fill, start_of_fill, steps)):
            for drum, row in rows.items():
                for step in range(begin, end):
                    symbol = row[step % len(row)]
                    if symbol == "." or (symbol == "g" and rng.random() < 0.15):
                        continue
                    velocity = VELOCITIES[symbol] * bar.section.energy
                    strokes.append(_Stroke(first + step, first + step + RING, drum, velocity))
                    if symbol == "d":
                        strokes.append(_Stroke(first + step + 0.5, first + step + RING, drum, velocity * 0.8))
    return strokes


def _track(
    name: str,
    program: int,
    strokes: list[_Stroke],
    grid: np.ndarray,
    plan: SongPlan,
    rng: np.random.Generator,
    level: int,
) -> symusic.Track:
    track = symusic.Track(name, program, name == "drums", ttype="second")
    track.controls.append(symusic.ControlChange(0.0, VOLUME, level, ttype="second"))
    place = np.arange(len(grid))
    ends = np.interp([stroke.end for stroke in strokes], place, grid)
    starts = np.interp([stroke.start for stroke in strokes], place, grid)
    starts = np.clip(starts + rng.normal(0, plan.style.looseness, len(strokes)), 0, ends - 0.03)
    velocities = np.clip([stroke.velocity for stroke in strokes] + rng.normal(0, 4, len(strokes)), 1, 127)
    for stroke, start, end, velocity in zip(
        strokes, starts.tolist(), ends.tolist(), velocities.astype(int).tolist(), strict=True
    ):
        pitch = stroke.pitch if name == "drums" else into_range(stroke.pitch, program)
        track.notes.append(symusic.Note(start, end - start, pitch, velocity, ttype="second"))
    return track


def into_range(pitch: int, program: int) -> int:
    """Transpose a pitch by octaves into the range of an instrument.

    Parameters
    ----------
    pitch : int
        MIDI pitch.
    program : int
        General MIDI program.

    Returns
    -------
    int
        MIDI pitch in the range.
    """
    low, high = RANGES.get(program, SYNTHESISER_RANGE)
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return pitch
