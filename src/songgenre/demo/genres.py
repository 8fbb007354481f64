"""Genres of the demo music: their styles, and the genres from which each borrows."""

from __future__ import annotations

from songgenre.demo.styles import (
    AMBIENT_PULSE,
    ARCH,
    BACKBEAT,
    BALLAD,
    BOOM_BAP,
    BOOM_CHICK,
    BOUNCE,
    BREAKBEAT,
    BRUSHES,
    CHORUS_FIRST,
    CLUB,
    COUNTRY_WALTZ,
    DRIVING,
    DROP,
    ELECTRO,
    ELECTRONIC_KIT,
    FOUR_ON_THE_FLOOR,
    HALF_TIME,
    JAZZ_KIT,
    JUNGLE,
    LAID_BACK,
    LOOP,
    NINTH,
    POWER,
    POWER_KIT,
    PUNK,
    ROOM,
    SEVENTH,
    SLOW_BACKBEAT,
    SLOW_BREAK,
    SONATA,
    SONG,
    STANDARD,
    TECHNO,
    TR_808,
    TRAIN,
    TRAP,
    TWO_STEP,
    Mix,
    Style,
    arpeggio,
    bass,
    chords,
    in_three,
    lead,
    pad,
)

# fmt: off
ELECTRONIC = (
    Style(
        "house", (118, 128), ("minor", "dorian"), ("1645", "1765", "6451", "1414"),
        (FOUR_ON_THE_FLOOR, TECHNO), (ELECTRONIC_KIT, TR_808, POWER_KIT),
        (
            bass((38, 39, 33), "..r...r...r.r.o.", "r..r..r...r.r.r.", "..rr..rr..oo..rr"),
            chords((4, 5, 16, 90, 0), "c..c..c...c..c..", "..c...c...c...c.", stack=SEVENTH),
            pad((50, 89, 48), stack=NINTH),
            lead((81, 80, 85, 65), "n..n..n.n-..n...", "..n-n...n-.n-.n.", pentatonic=True),
        ),
        CLUB, Mix(-13.5, 0.5, 1.4, 0.55, 3, 1, room=0.7, sweep=True), looseness=0.001,
    ),
    Style(
        "trance", (128, 139), ("minor", "harmonic minor"), ("1645", "1415", "6415"),
        (TECHNO, FOUR_ON_THE_FLOOR), (ELECTRONIC_KIT, POWER_KIT),
        (
            bass((38, 39), "..rr..rr..rr..rr", ".rrr.rrr.rrr.rrr"),
            arpeggio((81, 86, 80), "0120312041203120", "0213021302130214", level=76),
            pad((50, 95, 90)),
            lead((81, 86, 87), "n---n-n-n---n---", "n--n--n-n--n--n-", low=67),
        ),
        DROP, Mix(-13, 0.5, 1.6, 0.6, 2, 3, room=1.4, wet=0.3, sweep=True), looseness=0.0,
    ),
    Style(
        "drum and bass", (150, 170), ("minor", "dorian"), ("1166", "1475", "1646"),
        (BREAKBEAT, JUNGLE), (ELECTRONIC_KIT, ROOM, STANDARD),
        (
            bass((38, 39, 87), "r-----..r-....r.", "r--r--r-....o-r-"),
            chords((4, 5, 11), "c-----....c-....", "....c-....c-....", stack=NINTH),
            pad((95, 89, 97)),
            lead((80, 81, 73, 56), "n-----n-....n-..", "..n-..n-n---....", pentatonic=True),
        ),
        DROP, Mix(-13.5, 0.5, 1.4, 0.25, 4, 2, room=1.0), looseness=0.002,
    ),
    Style(
        "ambient", (70, 98), ("major", "dorian", "minor"), ("1415", "1646", "1451", "6415"),
        (AMBIENT_PULSE, {}), (TR_808, ELECTRONIC_KIT),
        (
            bass((39, 38, 43), "r---------------", "r-------f-------", level=84),
            arpeggio((98, 11, 0, 88, 46), "0...2...1...3...", "0.1.2.3.4.3.2.1.", level=74),
            pad((89, 94, 95, 49, 91), stack=SEVENTH, level=80),
            lead((88, 73, 99, 0), "n-------....n---", "....n---n-------", pentatonic=True),
        ),
        ARCH, Mix(-18, 0.3, 0, 0.15, 1, -3, ceiling=8000, room=2.6, wet=0.55, sweep=True),
    ),
    Style(
        "electro pop", (104, 124), ("major", "minor"), ("1564", "6415", "1465"),
        (ELECTRO, FOUR_ON_THE_FLOOR), (ELECTRONIC_KIT, TR_808, POWER_KIT),
        (
            bass((38, 39), "r.r.r.r.r.r.r.r.", "rr.rrr.rrr.rrr.r"),
            chords((90, 62, 4), "c---..c-..c-c-..", "c.......c......."),
            arpeggio((80, 81, 88), "0.1.2.1.0.1.2.3.", "0213....0213...."),
            lead((80, 81, 85, 27), "n-n-n---..n-n---", "n---n-n-n---..n-"),
        ),
        SONG, Mix(-13.5, 0.5, 1.4, 0.4, 3, 2, sweep=True), looseness=0.002,
    ),
)

HIP_HOP = (
    Style(
        "boom bap", (84, 96), ("minor", "dorian"), ("1414", "1616", "1465", "2525"),
        (BOOM_BAP, LAID_BACK), (ROOM, STANDARD, TR_808),
        (
            bass((32, 33, 35), "r---..r-..r-f---", "r--r..--o-r.f-a-", level=104),
            chords((4, 26, 11, 0), "c-----..c-......", "c---....c---..c-", stack=NINTH),
            arpeggio((45, 11, 46, 26), "3...2.1.0...2...", "0..2..3...2..1..", stack=SEVENTH),
            lead((56, 73, 66, 65), "..n-n-n-....n---", "n-..n-n-........", pentatonic=True),
        ),
        LOOP, Mix(-15, 0.4, 1.1, 0.1, 4, -3, 7500, 0.012, 0.5, 0.15), swing=0.59, looseness=0.012,
    ),
    Style(
        "trap", (75, 84), ("minor", "harmonic minor"), ("1166", "1646", "1415"),
        (TRAP,), (TR_808, ELECTRONIC_KIT),
        (
            bass((38, 39), "r------r--r-----", "r---------o-r---", level=112),
            chords((0, 52, 48, 8), "c---c---c---c---", "c-------c---c---"),
            arpeggio((11, 9, 98, 0), "0.2.1.2.3.2.1.2.", "2...1...0...1.2."),
            pad((52, 49, 89)),
            lead((80, 73, 53, 98), "n-..n-..n---....", "n---..n-n---....", pentatonic=True),
        ),
        LOOP, Mix(-13.5, 0.5, 1.6, 0.25, 6, 1, room=1.2), looseness=0.003,
    ),
    Style(
        "trip hop", (75, 92), ("minor", "dorian"), ("1616", "1415", "1747"),
        (SLOW_BREAK, LAID_BACK), (ROOM, JAZZ_KIT, BRUSHES),
        (
            bass((32, 35, 39), "r-----r---f-----", "r---..r-..--o-a-", level=104),
            chords((4, 5, 26, 17), "c-------..c-----", "....c-......c-..", stack=SEVENTH),
            pad((49, 89, 50, 48), stack=NINTH),
            lead((56, 27, 81, 73), "n-----n-..n-----", "....n-n-n-------", pentatonic=True),
        ),
        LOOP, Mix(-16, 0.4, 0.9, 0.1, 3, -4, 8000, 0.008, 1.5, 0.35), swing=0.56, looseness=0.010,
    ),
    Style(
        "orchestral hip-hop", (82, 96), ("minor", "harmonic minor"), ("1645", "1415", "1654"),
        (BOOM_BAP, LAID_BACK, BOUNCE), (ROOM, POWER_KIT, TR_808),
        (
            bass((33, 38, 43), "r--r..r---r-....", "r-..r-..r-..f-a-", level=104),
            chords((48, 45, 61), "c...c...c...c.c.", "c-..c-..c-..c-c-"),
            arpeggio((0, 45, 46), "0213021302130213", "0.1.2.1.3.1.2.1."),
            pad((52, 49, 48)),
            lead((60, 61, 40, 0), "n-----n-n-----..", "n-n-n---n-......"),
        ),
        LOOP, Mix(-14.5, 0.45, 1.2, 0.1, 4, -1, 9000, 0.006, 1.0), swing=0.56, looseness=0.008,
    ),
    Style(
        "funk", (90, 100), ("dorian", "mixolydian"), ("1414", "1417", "2525"),
        (BOUNCE, LAID_BACK), (TR_808, ROOM, ELECTRONIC_KIT),
        (
            bass((36, 38, 39, 33), "r..r..o.r.r..fa.", "r-.r.oo.r-.r..a.", level=104),
            chords((27, 7, 4), "....c.......c..c", "..c.c..c..c.c...", stack=SEVENTH),
            pad((50, 89, 16)),
            lead((81, 80, 65), "n---..n-n-n-....", "..n-n---n---....", low=69, pentatonic=True),
        ),
        LOOP, Mix(-14.5, 0.45, 1.2, 0.1, 4, -1, 9000, 0.004, 0.6), swing=0.56, looseness=0.006,
    ),
)

CLASSICAL = (
    Style(
        "piano", (66, 112), ("major", "minor", "harmonic minor"), ("1451", "1625", "1465", "1415"),
        ({},), (),
        (
            arpeggio((0, 1, 6), "0.2.1.2.0.2.1.2.", "0121012101210121", "0.1.2.3.2.1.2.1.", low=45),
            bass((0, 1), "r-------f-------", "r---------------", level=78),
            lead((0, 1, 6), "n---n-n-n---n-n-", "n-----nnn---....", "n-n-n-n-n-------", low=69),
        ),
        ARCH, Mix(-22, 0.05, high=-1, room=1.6, wet=0.3), looseness=0.010, rubato=0.16,
    ),
    Style(
        "strings", (60, 120), ("major", "minor", "harmonic minor"), ("1465", "1251", "1645", "1415"),
        ({},), (),
        (
            bass((42, 43, 48), "r---f---r---f---", "r-r-r-r-f-f-f-f-", "r---t---f---a---", level=90),
            chords((48, 49), "c.c.c.c.c.c.c.c.", "c-------c-------", "..c...c...c...c.", low=48),
            arpeggio((41, 48, 45), "0.1.2.1.0.1.2.1.", "0121012101210121", low=52),
            lead((40, 48), "n---n-n-n-n-n---", "n-n-n-n-n---n---", "n-----nnn-n-n-n-", low=67),
        ),
        SONATA, Mix(-21, 0.05, room=2.0, wet=0.35), looseness=0.012, rubato=0.10, chords_per_bar=2,
    ),
    Style(
        "wind serenade", (72, 116), ("major", "minor"), ("1451", "1465", "1625"),
        ({},), (),
        (
            bass((70, 42, 45), "r...f...r...f...", "r...............", level=86),
            chords((45, 71, 48), "....c.......c...", "..c...c...c...c.", low=50),
            pad((49, 60), low=48, level=48),
            lead((73, 68, 71), "n-n-n-n-n---n---", "nnn-n-n-n---....", "n-----n-n-nnn---", low=69),
        ),
        SONATA, Mix(-21, 0.05, room=1.8, wet=0.3), looseness=0.012, rubato=0.10,
    ),
    Style(
        "baroque", (76, 112), ("major", "harmonic minor"), ("1415", "1451", "1625", "1251"),
        ({},), (),
        (
            bass((42, 43, 70), "r.t.f.t.r.t.f.a.", "r.o.t.f.r.f.t.a.", level=88),
            arpeggio((6, 24, 46), "0123210121012321", "0.121.210.121.23", low=55, level=80),
            pad((19, 48)),
            lead((40, 68, 73, 6), "n-nnn-n-n-nnn-n-", "nnnnn-n-nnnnn-n-", low=67, level=84),
        ),
        SONATA, Mix(-20, 0.1, high=1, room=1.4, wet=0.3), looseness=0.008, rubato=0.05, chords_per_bar=2,
    ),
    Style(
        "film score", (66, 100), ("minor", "major", "dorian"), ("1645", "1465", "1747"),
        ({},), (),
        (
            bass((43, 42, 48), "r---------------", "r-r-r-r-r-r-r-r-"),
            arpeggio((46, 0, 48, 11), "0.1.2.3.4.3.2.1.", "0121012101210121"),
            pad((49, 52, 48, 89), level=78),
            lead((60, 48, 40, 0), "n-------n---n---", "n-----n-n-------", low=60),
        ),
        ARCH, Mix(-19, 0.15, low=1, room=2.6, wet=0.45), looseness=0.010, rubato=0.06,
    ),
    Style(
        "waltz", (100, 168), ("major", "minor"), ("1155", "1451", "1625"),
        ({},), (),
        (
            in_three(bass((43, 42, 0), "r...............", "r---............", level=88)),
            in_three(chords((0, 48, 46), "....c...c.......", "....c-..c-......", low=50)),
            in_three(lead((40, 71, 73, 0), "n-------n---....", "n---n-n-n---....", low=67)),
        ),
        SONATA, Mix(-20.5, 0.05, room=1.6, wet=0.3), looseness=0.010, rubato=0.12, steps=12,
    ),
)

COUNTRY = (
    Style(
        "honky tonk", (100, 132), ("major",), ("1451", "1415", "1155", "1425"),
        (BOOM_CHICK, TWO_STEP), (BRUSHES, STANDARD, ROOM),
        (
            bass((32, 33), "r-......f-......", "r---....f---..a."),
            chords((25, 0, 3), "....c-......c-..", "..c...c...c...c.", level=80),
            arpeggio((27, 26, 25), "....3.2...3.4...", "0.2.3.2.0.2.3.4.", level=66),
            lead((110, 22, 27, 40), "n-n-n-n-n---....", "n---n-nnn-n-....", pentatonic=True),
        ),
        SONG, Mix(-17, 0.3, 0.4, low=-1, high=1, room=0.6, wet=0.12), looseness=0.009,
    ),
    Style(
        "train beat", (104, 128), ("major", "mixolydian"), ("1451", "1145", "1541"),
        (TRAIN,), (BRUSHES, STANDARD),
        (
            bass((32, 33), "r...f...r...f...", "r...f...r...f.a."),
            chords((25,), "..c...c...c...c.", "..cc..cc..cc..cc", level=82),
            arpeggio((27, 105), "0.2.3.2.1.2.3.2.", "0231023102310231", level=68),
            lead((22, 27, 110), "n-n-n---n-n-n---", "..n-n-n-n---....", pentatonic=True),
        ),
        SONG, Mix(-17, 0.3, 0.4, low=-1, high=1, room=0.5, wet=0.12), looseness=0.009,
    ),
    Style(
        "bluegrass", (108, 140), ("major", "mixolydian"), ("1451", "1155", "1745"),
        ({},), (BRUSHES,),
        (
            bass((32,), "r.......f.......", "r...f...r...f.a."),
            chords((25, 24), "....c.......c...", "..c...c...c...c.", level=84),
            arpeggio((105, 25), "0123012301230123", "0213021302130213", level=78),
            lead((110, 40, 105, 22), "nnn-n-nnn-n-nnn-", "n-nnn-n-nnn-n---", pentatonic=True),
        ),
        CHORUS_FIRST, Mix(-18, 0.2, low=-2, high=2, room=0.5, wet=0.12), looseness=0.008,
    ),
    Style(
        "country ballad", (66, 88), ("major",), ("1564", "1465", "1415"),
        (SLOW_BACKBEAT, {}), (BRUSHES, ROOM, STANDARD),
        (
            bass((33, 35, 32), "r-----r-f-------", "r-------f-----a-"),
            chords((25, 0), "c---c-c-c---c-c-", "c-----c-c-------"),
            arpeggio((0, 25, 27), "0.1.2.3.2.1.2.1.", "0.2.3.4.3.2.1.2."),
            pad((48, 49, 16), level=56),
            lead((110, 22, 27, 40), "n---n-n-n-------", "n-----n-n---....", pentatonic=True),
        ),
        BALLAD, Mix(-18, 0.3, 0.3, room=1.2, wet=0.25), looseness=0.010,
    ),
    Style(
        "country rock", (108, 138), ("major", "mixolydian"), ("1451", "1745", "1564", "1415"),
        (TWO_STEP, BACKBEAT, TRAIN), (STANDARD, BRUSHES, ROOM),
        (
            bass((33, 34), "r.r.r.r.f.f.r.r.", "r-..r.r-f-..r.a."),
            chords((25, 27), "c-c-..c-c-c-..c-", "c---c-c-..c-c-c-"),
            arpeggio((27, 29, 105), "0.2.3.2.0.2.3.4.", "0...2...3...2..."),
            pad((16, 17), level=52),
            lead((110, 22, 27, 29), "n-n-n---n-nnn---", "n---n-n-n-n-....", pentatonic=True),
        ),
        SONG, Mix(-16, 0.35, 0.6, low=-1, high=1, room=0.6), looseness=0.008,
    ),
    Style(
        "country waltz", (88, 120), ("major",), ("1145", "1415", "1451"),
        (COUNTRY_WALTZ,), (BRUSHES, STANDARD),
        (
            in_three(bass((32, 33), "r...............", "r-......f-......")),
            in_three(chords((25, 0), "....c-..c-......", "....c...c.c.....", level=82)),
            in_three(lead((110, 22, 40), "n---n-n-n---....", "n-------n---....", pentatonic=True)),
        ),
        SONG, Mix(-17.5, 0.3, 0.2, room=0.8, wet=0.15), looseness=0.009, steps=12,
    ),
)

ROCK = (
    Style(
        "hard rock", (108, 142), ("minor", "dorian", "mixolydian"), ("1764", "1716", "1467", "1147"),
        (BACKBEAT, DRIVING), (POWER_KIT, ROOM, STANDARD),
        (
            bass((34, 33), "r.r.r.r.r.r.r.r.", "r-r.r-r.r-r.r.a."),
            chords((30, 29), "c.c.c.c.c.c.c.c.", "c---..c.c-c-..c.", "c-----c-....c-c-", low=43, stack=POWER),
            pad((17, 16), level=50),
            lead((30, 29), "n-n-n---n-nnn---", "n---n-nnn-n-n---", low=62, pentatonic=True),
        ),
        CHORUS_FIRST, Mix(-13, 0.5, 2.2, 0, 1, 2, room=0.6), looseness=0.006,
    ),
    Style(
        "classic rock", (96, 126), ("mixolydian", "major", "dorian"), ("1745", "1415", "1474", "1545"),
        (BACKBEAT, DRIVING), (STANDARD, ROOM),
        (
            bass((33, 34), "r.r.r.o.r.r.f.a.", "r-r.r-r.f-f.r-a."),
            chords((29, 27), "c-..c-c-..c-c-..", "c---c-c-c---c-c-", low=45),
            pad((17, 16, 18), level=60),
            lead((29, 27, 66), "n-nnn---n-n-n---", "..n-n-n-n---....", low=62, pentatonic=True),
        ),
        SONG, Mix(-14, 0.45, 1.5, 0, 1, 1, room=0.7), looseness=0.008,
    ),
    Style(
        "punk", (150, 184), ("major", "minor"), ("1564", "1545", "1465"),
        (PUNK, DRIVING), (POWER_KIT, STANDARD, ROOM),
        (
            bass((34,), "r.r.r.r.r.r.r.r."),
            chords((30, 29), "c.c.c.c.c.c.c.c.", "c-c-c-c-c-c-c-c-", low=43, stack=POWER),
            lead((29, 30), "n-n-n-n-n---....", "n---n---n-n-n---", low=60, pentatonic=True),
        ),
        CHORUS_FIRST, Mix(-12.5, 0.5, 2.4, 0, 0, 3, room=0.5), looseness=0.007,
    ),
    Style(
        "rock ballad", (66, 88), ("minor", "major"), ("1564", "6415", "1465"),
        (HALF_TIME, SLOW_BACKBEAT), (ROOM, POWER_KIT, STANDARD),
        (
            bass((33, 35), "r-----r-r---f---", "r-------r---..a-"),
            chords((29, 30, 27), "c-------c-------", "c---c---c---c-c-", low=45),
            arpeggio((27, 0, 25), "0.1.2.3.2.1.2.1.", "0.2.1.2.3.2.1.2."),
            pad((48, 49, 18), level=58),
            lead((29, 30, 27, 0), "n---n-n-n-------", "n-----n-n-n-n---", low=62, pentatonic=True),
        ),
        BALLAD, Mix(-14.5, 0.4, 1.4, 0, 1, 1, room=1.2, wet=0.25), looseness=0.008,
    ),
    Style(
        "synth rock", (108, 132), ("minor", "dorian"), ("1645", "1765", "1464"),
        (BACKBEAT, DRIVING, ELECTRO), (POWER_KIT, ROOM, STANDARD),
        (
            bass((34, 33, 38), "r.r.r.r.r.r.r.r.", "r.rrr.rrr.rrr.rr"),
            chords((30, 29), "c---..c-..c-c-..", "c-c-c-c-c-c-c-c-", low=45, stack=POWER),
            arpeggio((81, 80, 27), "0.1.2.1.3.1.2.1.", "0213....0213...."),
            pad((50, 90, 89), level=56),
            lead((81, 29, 80), "n-n-n---..n-n---", "n---n-n-n---....", pentatonic=True),
        ),
        SONG, Mix(-13.5, 0.5, 2.0, 0, 1, 2, room=0.7), looseness=0.006,
    ),
    Style(
        "folk rock", (98, 130), ("major", "mixolydian"), ("1564", "1451", "1745"),
        (TWO_STEP, BACKBEAT), (STANDARD, ROOM, BRUSHES),
        (
            bass((33, 32, 34), "r-..r.r-f-..r.r.", "r.r.r.r.r.r.f.a."),
            chords((25, 27), "c-c-..c-c-c-..c-", "c-cccc-cc-cccc-c"),
            arpeggio((27, 0, 25), "0.2.3.2.0.2.3.4.", "0...2...3...2..."),
            pad((16, 48), level=52),
            lead((22, 29, 27, 40), "n-n-n---n-n-....", "n---n-n-n---....", pentatonic=True),
        ),
        SONG, Mix(-15, 0.4, 1.0, room=0.7), looseness=0.009,
    ),
)
# fmt: on

GENRES = {
    "electronic": ELECTRONIC,
    "hip-hop": HIP_HOP,
    "classical": CLASSICAL,
    "country": COUNTRY,
    "rock": ROCK,
}

NEIGHBOURS = {
    "electronic": ("hip-hop", "rock", "classical"),
    "hip-hop": ("electronic", "classical", "rock"),
    "classical": ("electronic", "country", "rock"),
    "country": ("rock", "classical", "hip-hop"),
    "rock": ("country", "electronic", "hip-hop"),
}
"""Genres from which a song of each genre may borrow."""
