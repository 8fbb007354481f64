"""Names of the artists and titles of the demo music; no word begins the names of two genres."""

from __future__ import annotations

import numpy as np

ARTISTS = {
    "electronic": (
        "Vektor Lumen Nachtzug Oktave Prisma Solenoid Tessera Ultraviolet Wattage Zenit Halogen Kaskade",
        "{} Assembly|{} Drift|{} Engine|{} Garden|{} Method|{} Network|{} Pilots|{} Theory|Club {}|DJ {}",
    ),
    "hip-hop": (
        "Brasko Cornerstone Dimelow Fennick Grizzle Jukka Kobold Marlowe Oskar Quillon Ruckus Velour",
        "{} & Sons|{} Cypher|{} the Baker|Big {}|Doctor {}|Lil' {}|MC {}|Old Man {}|Uncle {}|Young {}",
    ),
    "classical": (
        "Aldermoor Bellwether Castellane Dornfeld Elmsworth Fairhaven Gallardin Hohenstein Ivarsen Jorvik Kestrel Lind",
        "{} Chamber Players|{} Consort|{} Ensemble|{} Philharmonia|{} Quartet|{} Sinfonietta|"
        "{} Soloists|{} Trio|Academy of {}|Camerata {}",
    ),
    "country": (
        "Amarillo Buckthorn Cedar Dusty Elkhorn Foxglove Gravel Hickory Juniper Laredo Mesquite Prairie",
        "{} Boone|{} Creek Boys|{} Hollis|{} Junction|{} Mae Carter-Pike|{} Ramblers|{} Sisters|"
        "The {} Riders|The {} String Band|{} Wade",
    ),
    "rock": (
        "Anvil Basalt Cinder Dynamo Ember Furnace Granite Howler Ironside Jackal Kerosene Magpie",
        "{} Avenue|{} Parade|{} Republic|{} Sunday|Blind {}|Kid {}|The {} Kings|The {}s|The Last {}|{} & the Strays",
    ),
}
"""For each genre: words, and the patterns of names."""

MAX_ARTISTS = min(len(words.split()) * len(patterns.split("|")) for words, patterns in ARTISTS.values())

TITLES = {
    "electronic": (
        "Binary Chrome Distant Electric Frozen Glass Hidden Infinite Liquid Neon Orbital Parallel Signal Twilight",
        "Afterglow Carrier Circuit Cities Currents Fields Horizon Lights Machine Memory Motion Pulse Satellite Tides",
    ),
    "hip-hop": (
        "Backyard Basement Borrowed Broke Concrete Corner Dusty Golden Late Lucky Midnight Payday Rooftop Sunday",
        "Arithmetic Blessings Blueprint Chapters Chess Dollars Fables Hustle Logic Receipts Sermon Stories Tapes Talk",
    ),
    "classical": (
        "Adagio Allegretto Aria Bagatelle Ballade Capriccio Elegy Impromptu Intermezzo Nocturne "
        "Prelude Romance Rondo Serenade",
        "in-A in-B-flat in-C in-D-minor in-E-flat in-F in-G in-G-minor at-Dusk in-Spring No.-1 No.-2 No.-3 No.-4",
    ),
    "country": (
        "Back-Porch Blue Borrowed County Faded Gravel Hometown Last-Chance Lonesome Old Rusty "
        "Saturday Tennessee Whiskey",
        "Boots Dance Fence-Line Goodbye Highway Letter Moon Mornings Radio Rain River Road Tailgate Waltz",
    ),
    "rock": (
        "Black Broken Burning Crooked Dead-End Empty Heavy Hollow Loud Paper Runaway Second-Hand Velvet Wild",
        "Alibi Angels Boulevard Crown Fever Guitars Heart Mirrors Motel Saints Thunder Trains Weekend Wheels",
    ),
}
"""First and second halves; a hyphen stands for a space."""


def artist_names(genre: str, seed: tuple[int, ...]) -> list[str]:
    """List all the names for artists of a genre, in random order.

    Parameters
    ----------
    genre : str
        A key of `ARTISTS`.
    seed : tuple of int
        Seed of the order.

    Returns
    -------
    list of str
        Names.
    """
    words, patterns = ARTISTS[genre]
    names = [pattern.format(word) for word in words.split() for pattern in patterns.split("|")]
    return [names[place] for place in np.random.default_rng(seed).permutation(len(names))]


def song_titles(genre: str, seed: tuple[int, ...]) -> list[str]:
    """List all the titles for songs of a genre, in random order.

    Parameters
    ----------
    genre : str
        A key of `TITLES`.
    seed : tuple of int
        Seed of the order.

    Returns
    -------
    list of str
        Titles.
    """
    first, second = (words.split() for words in TITLES[genre])
    titles = [f"{start} {end}".replace("-", " ") for start in first for end in second]
    return [titles[place] for place in np.random.default_rng(seed).permutation(len(titles))]
