"""Elements of the demo music: notation, instruments, grooves and forms that the styles of `genres` share.

A **figure** is what an instrument plays in one bar, a character per sixteenth note (16 in 4/4, 12 in 3/4):

========= ====================================================================
``.``     rest
``-``     hold what sounds
``c``     the whole chord
``0``-``9``  one note of the chord, counted upwards from its lowest
``r f t o`` root, fifth, third or octave of the chord, in the bass
``a``     a step that leads to the root of the next bar
``n``     a note of the melody
========= ====================================================================

A **groove** is the same for drums: a row per drum, ``x`` a stroke, ``X`` an accent, ``g`` a soft stroke,
``d`` two quick ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

Groove = Mapping[int, str]

KICK, RIM, SNARE, CLAP = 36, 37, 38, 39
LOW_TOM, CLOSED_HAT, MIDDLE_TOM, OPEN_HAT = 41, 42, 45, 46
HIGH_TOM, CRASH, RIDE, TAMBOURINE, SHAKER = 48, 49, 51, 54, 70

STANDARD, ROOM, POWER_KIT, ELECTRONIC_KIT, TR_808, JAZZ_KIT, BRUSHES = (
    0,
    8,
    16,
    24,
    25,
    32,
    40,
)

TRIAD = (0, 2, 4)
SEVENTH = (0, 2, 4, 6)
NINTH = (0, 4, 6, 8)
POWER = (0, 4, 7)

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
}

RANGES = {
    **dict.fromkeys((0, 1, 2, 3, 4, 5, 6, 7), (28, 100)),
    **dict.fromkeys((8, 9, 10, 11, 12, 14), (55, 103)),
    **dict.fromkeys((24, 25, 26, 27, 28, 29, 30), (40, 86)),
    **dict.fromkeys((32, 33, 34, 35, 36, 37, 43), (28, 60)),
    22: (60, 96),
    40: (55, 100),
    41: (48, 88),
    42: (36, 76),
    45: (36, 88),
    46: (31, 100),
    48: (36, 96),
    49: (36, 96),
    52: (43, 81),
    56: (55, 84),
    57: (40, 72),
    60: (41, 77),
    61: (40, 82),
    65: (49, 80),
    66: (44, 76),
    68: (58, 91),
    69: (52, 81),
    70: (34, 74),
    71: (50, 90),
    73: (60, 96),
    105: (48, 86),
    110: (55, 98),
}
"""Lowest and highest MIDI pitch of a General MIDI program; synthesisers have `SYNTHESISER_RANGE`."""

SYNTHESISER_RANGE = (24, 100)


@dataclass(frozen=True)
class Section:
    """A section of a song's form.

    Parameters
    ----------
    name : str
        Name, such as ``"chorus"``.
    share : int
        Length in proportion to that of the other sections.
    rests : tuple of str
        Roles that are silent.
    energy : float
        Factor of the velocities, at most 1.
    """

    name: str
    share: int
    rests: tuple[str, ...] = ()
    energy: float = 1.0


@dataclass(frozen=True)
class Part:
    """Part of one instrument.

    Parameters
    ----------
    role : str
        ``"bass"``, ``"chords"``, ``"arpeggio"``, ``"pad"`` or ``"lead"``.
    programs : tuple of int
        General MIDI programs to choose from, counted from 0.
    figures : tuple of str
        Figures to choose from.
    low : int
        MIDI pitch at which the register starts.
    level : int
        MIDI volume, 0 to 127.
    stack : tuple of int
        Notes of a chord, in steps of the scale above its root.
    pentatonic : bool
        Whether melodies leave out the fourth and seventh (in minor modes the second and sixth) of the scale.
    """

    role: str
    programs: tuple[int, ...]
    figures: tuple[str, ...]
    low: int
    level: int
    stack: tuple[int, ...] = TRIAD
    pentatonic: bool = False


@dataclass(frozen=True)
class Mix:
    """Settings of the mix.

    Parameters
    ----------
    loudness : float
        Root mean square of the recording, in dB below full scale.
    compression : float
        Share by which changes in level are reduced, 0 to 1.
    drive : float
        Gain into the saturation, as a factor; 0 for none.
    pump : float
        How far each kick drum lowers the level of the other parts, 0 to 1.
    low, high : float
        Gain below 200 Hz and above 3 kHz, in dB.
    ceiling : float
        Cut-off frequency in Hz.
    crackle : float
        Level of the noise of a worn record, as an amplitude.
    room : float
        Time in which the reverberation falls by 60 dB, in s.
    wet : float
        Level of the reverberation, as a factor.
    sweep : bool
        Whether a low-pass filter opens during the first section.
    """

    loudness: float
    compression: float = 0.3
    drive: float = 0.0
    pump: float = 0.0
    low: float = 0.0
    high: float = 0.0
    ceiling: float = 11_000.0
    crackle: float = 0.0
    room: float = 0.8
    wet: float = 0.2
    sweep: bool = False


@dataclass(frozen=True)
class Style:
    """A musical style; artists and songs choose from its tuples.

    Parameters
    ----------
    name : str
        Name of the style.
    tempo : tuple of float
        Slowest and fastest tempo in beats per minute.
    modes, progressions : tuple of str
        Keys of `MODES`; chords as degrees of the scale, a digit per bar.
    grooves : tuple of Groove
        Empty for music without drums.
    kits : tuple of int
        Programs of the drum kit.
    parts : tuple of Part
        Parts other than drums.
    form : tuple of Section
        Sections in their order.
    mix : Mix
        Settings of the mix.
    swing : float
        Start of the second of two sixteenths, as a share of both; 0.5 is even.
    looseness : float
        Standard deviation of the onsets in s.
    rubato : float
        Share by which the end of a phrase is slower than its beginning.
    steps : int
        Number of sixteenths in a bar.
    chords_per_bar : int
        Number of chords in a bar.
    """

    name: str
    tempo: tuple[float, float]
    modes: tuple[str, ...]
    progressions: tuple[str, ...]
    grooves: tuple[Groove, ...]
    kits: tuple[int, ...]
    parts: tuple[Part, ...]
    form: tuple[Section, ...]
    mix: Mix
    swing: float = 0.5
    looseness: float = 0.006
    rubato: float = 0.0
    steps: int = 16
    chords_per_bar: int = 1


def bass(programs: tuple[int, ...], *figures: str, level: int = 96) -> Part:
    """Make a bass part.

    Parameters
    ----------
    programs : tuple of int
        General MIDI programs to choose from.
    *figures : str
        Figures to choose from, in the notation of this module.
    level : int
        MIDI volume.

    Returns
    -------
    Part
        The part.
    """
    return Part("bass", programs, figures, low=28, level=level)


def chords(
    programs: tuple[int, ...], *figures: str, low: int = 52, level: int = 76, stack: tuple[int, ...] = TRIAD
) -> Part:
    """Make a part that accompanies with chords.

    Parameters
    ----------
    programs : tuple of int
        General MIDI programs to choose from.
    *figures : str
        Figures to choose from, in the notation of this module.
    low : int
        Lowest MIDI pitch.
    level : int
        MIDI volume.
    stack : tuple of int
        Notes of a chord, in steps of the scale above its root.

    Returns
    -------
    Part
        The part.
    """
    return Part("chords", programs, figures, low=low, level=level, stack=stack)


def arpeggio(
    programs: tuple[int, ...], *figures: str, low: int = 57, level: int = 70, stack: tuple[int, ...] = TRIAD
) -> Part:
    """Make a part that plays arpeggios.

    Parameters
    ----------
    programs : tuple of int
        General MIDI programs to choose from.
    *figures : str
        Figures to choose from, in the notation of this module.
    low : int
        Lowest MIDI pitch.
    level : int
        MIDI volume.
    stack : tuple of int
        Notes of a chord, in steps of the scale above its root.

    Returns
    -------
    Part
        The part.
    """
    return Part("arpeggio", programs, figures, low=low, level=level, stack=stack)


def pad(programs: tuple[int, ...], *, low: int = 52, level: int = 62, stack: tuple[int, ...] = TRIAD) -> Part:
    """Make a part that holds the chords.

    Parameters
    ----------
    programs : tuple of int
        General MIDI programs to choose from.
    low : int
        Lowest MIDI pitch.
    level : int
        MIDI volume.
    stack : tuple of int
        Notes of a chord, in steps of the scale above its root.

    Returns
    -------
    Part
        The part.
    """
    return Part("pad", programs, ("c---------------",), low=low, level=level, stack=stack)


def lead(programs: tuple[int, ...], *figures: str, low: int = 64, level: int = 88, pentatonic: bool = False) -> Part:
    """Make a melody part.

    Parameters
    ----------
    programs : tuple of int
        General MIDI programs to choose from.
    *figures : str
        Figures to choose from, in the notation of this module.
    low : int
        Lowest MIDI pitch.
    level : int
        MIDI volume.
    pentatonic : bool
        Whether the melody uses five notes of the scale.

    Returns
    -------
    Part
        The part.
    """
    return Part("lead", programs, figures, low=low, level=level, pentatonic=pentatonic)


def in_three(part: Part) -> Part:
    """Shorten the figures of a part from 4/4 to 3/4.

    Parameters
    ----------
    part : Part
        Part in 4/4.

    Returns
    -------
    Part
        Part in 3/4.
    """
    return replace(part, figures=tuple(figure[:12] for figure in part.figures))


SONG = (
    Section("intro", 2, ("lead", "pad"), 0.8),
    Section("verse", 4, ("pad",), 0.88),
    Section("chorus", 4),
    Section("verse", 2, ("pad", "arpeggio"), 0.88),
)
CHORUS_FIRST = (
    Section("chorus", 4),
    Section("verse", 4, ("pad", "lead"), 0.85),
    Section("chorus", 4),
)
BALLAD = (
    Section("intro", 2, ("drums", "bass", "lead"), 0.6),
    Section("verse", 4, ("pad",), 0.75),
    Section("chorus", 4, (), 0.95),
)
CLUB = (
    Section("intro", 3, ("lead", "bass", "chords"), 0.85),
    Section("verse", 4, ("lead",), 0.95),
    Section("break", 3, ("drums", "bass"), 0.8),
    Section("chorus", 6),
)
DROP = (
    Section("break", 4, ("drums", "bass"), 0.8),
    Section("chorus", 8),
    Section("verse", 4, ("lead",), 0.95),
)
LOOP = (
    Section("intro", 1, ("drums", "bass", "lead"), 0.85),
    Section("verse", 4, ("lead",), 0.95),
    Section("chorus", 4),
    Section("break", 1, ("drums", "lead"), 0.9),
    Section("verse", 2, ("arpeggio",), 0.95),
)
SONATA = (
    Section("theme", 4, ("pad",), 0.7),
    Section("theme", 4, (), 0.85),
    Section("middle", 4, ("chords",), 1.0),
    Section("theme", 4, (), 0.6),
)
ARCH = (
    Section("theme", 3, ("lead", "bass"), 0.55),
    Section("theme", 4, (), 0.75),
    Section("middle", 4, (), 1.0),
    Section("theme", 3, ("arpeggio",), 0.6),
)

# fmt: off
FOUR_ON_THE_FLOOR = {KICK: "X...X...X...X...", CLAP: "....x.......x...",
    OPEN_HAT: "..x...x...x...x.", SHAKER: "gggxgggxgggxgggx"}
TECHNO = {KICK: "X...X...X...X...", CLOSED_HAT: "x.x.x.x.x.x.x.xx",
    OPEN_HAT: "..x...x...x...x.", RIM: "...x..x....x..x."}
BREAKBEAT = {KICK: "X.x.......x.....", SNARE: "....X..g.g..X..g", CLOSED_HAT: "x.x.x.x.x.x.x.x."}
JUNGLE = {KICK: "X.x.......xx....", SNARE: "....X..g.g..X.g.", RIDE: "x.x.x.x.x.x.x.x."}
AMBIENT_PULSE = {KICK: "x.........x.....", SHAKER: "..g...g...g...g.", RIM: "......g......g.."}
ELECTRO = {KICK: "X.....x.X.......", SNARE: "....X.......X...", CLOSED_HAT: "xgxgxgxgxgxgxgxg"}

BOOM_BAP = {KICK: "X.....x..xx.....", SNARE: "....X..g....X..g", CLOSED_HAT: "x.x.x.x.x.x.x.x."}
LAID_BACK = {KICK: "X..x......x..x..", SNARE: "....X.......X...", CLOSED_HAT: "xgx.xgx.xgx.x.xg"}
TRAP = {KICK: "X......x..x.....", CLAP: "....X.......X...", CLOSED_HAT: "xxxxxxdxxxxdxxdd"}
SLOW_BREAK = {KICK: "X..x..x...x.....", SNARE: "....X..g.g..X...", RIDE: "x...x...x...x.x."}
BOUNCE = {KICK: "X.x...x.x.....x.", CLAP: "....X.......X...", CLOSED_HAT: "x.xxx.x.x.xxx.x.",
    TAMBOURINE: "..x...x...x...x."}

BOOM_CHICK = {KICK: "x.......x.......", RIM: "....x.......x...", CLOSED_HAT: "x.g.x.g.x.g.x.g."}
TRAIN = {KICK: "x...x...x...x...", SNARE: "ggXgggXgggXgggXg"}
TWO_STEP = {KICK: "x.....x.x.......", SNARE: "....X.......X...", CLOSED_HAT: "x.x.x.x.x.x.x.x."}
COUNTRY_WALTZ = {KICK: "x...........", RIM: "....x...x...", CLOSED_HAT: "x...g...g..."}

BACKBEAT = {KICK: "X.......X.x.....", SNARE: "....X.......X...", CLOSED_HAT: "X.x.X.x.X.x.X.x."}
DRIVING = {KICK: "X..x..x.X..x..x.", SNARE: "....X.......X...", OPEN_HAT: "x...x...x...x..."}
PUNK = {KICK: "X...x...X...x...", SNARE: "..X...X...X...X.",
    CRASH: "x...............", CLOSED_HAT: "x.x.x.x.x.x.x.x."}
HALF_TIME = {KICK: "X.....x...x.....", SNARE: "........X.......", RIDE: "x...x...x...x..."}
SLOW_BACKBEAT = {KICK: "x.......x.x.....", SNARE: "....x.......x...", CLOSED_HAT: "x.x.x.x.x.x.x.x."}

FILLS: tuple[Groove, ...] = (
    {SNARE: "........x.xxX.X.", KICK: "X...x..........."},
    {HIGH_TOM: "........xx......", MIDDLE_TOM: "..........xx....", LOW_TOM: "............xxX."},
    {SNARE: "....X...gxgxxXxX", KICK: "X.......x......."},
)
# fmt: on
