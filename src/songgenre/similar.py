"""What sounds like a song: the nearest of the corpus, by what the pretrained networks hear."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from rich.markup import escape
from rich.table import Table

from songgenre import audio, tables
from songgenre.errors import UserError
from songgenre.likeness import similarities
from songgenre.paths import Project

N_NEAREST = 10


def shown(found: pd.DataFrame) -> Table:
    """What `nearest` found, to read."""
    table = Table("similarity", "genre", "artist", "title", box=None, header_style="bold")
    for song in found.fillna("unknown").itertuples():
        table.add_row(f"{song.similarity:.2f}", *map(escape, (song.genre, song.artist, song.title)))
    return table


def nearest(project: Project, path: Path, n: int = N_NEAREST) -> pd.DataFrame:
    """The songs of the corpus that sound most like a file.

    Parameters
    ----------
    project : Project
        Whose stage ``transfer`` has run.
    path : Path
        An audio file, of which the clip from the middle is heard. If it is in the corpus, it is left out.
    n : int
        How many at most.

    Returns
    -------
    pd.DataFrame
        ``track_id``, ``title``, ``artist``, ``genre``, ``similarity`` (cosine of standardised embeddings, 1 for the
        same sound), the most similar first.

    Raises
    ------
    UserError
        If the file cannot be decoded, or the corpus or the weights of the networks are missing.
    """
    from songgenre import params
    from songgenre.models import embeddings
    from songgenre.predict.classifiers import pretrained_folder
    from songgenre.wrangling.ledger import middle

    tracks = tables.read(tables.TRACKS, project.tracks)
    corpus = tables.read(tables.EMBEDDINGS, project.embeddings).set_index("track_id").loc[tracks["track_id"]]
    clip_duration_s = params.load(project.params).wrangling.clip_duration_s
    clip = audio.Clip(path, *middle(audio.duration_s(path), clip_duration_s))
    heard = embeddings.embed(clip, embeddings.networks(pretrained_folder())).embedding
    found = tracks[["track_id", "title", "artist", "genre"]].assign(similarity=similarities(corpus.to_numpy(), heard))
    with path.open("rb") as file:
        itself = tracks["sha256"] == hashlib.file_digest(file, "sha256").hexdigest()
    return found[~itself].nlargest(n, "similarity").reset_index(drop=True)


def precision_at(n: int, features: pd.DataFrame, tracks: pd.DataFrame) -> float:
    """How many of the nearest songs by other artists are of the same genre, on average over all songs.

    Parameters
    ----------
    n : int
        How many nearest songs are looked at.
    features : pd.DataFrame
        `songgenre.tables.EMBEDDINGS` or `songgenre.tables.DESCRIPTORS`; nearness is that of `similarities`.
    tracks : pd.DataFrame
        `songgenre.tables.TRACKS`; each song's ``artist_group`` is left out of what it is compared with.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    UserError
        If a song has fewer than `n` songs by other artists to be compared with.
    """
    X = features.set_index("track_id").loc[tracks["track_id"]].to_numpy(float)
    likeness = np.where(_by_others(tracks, n), similarities(X, X), -np.inf)
    order = np.argsort(-likeness, axis=1, kind="stable")[:, :n]
    genres = tracks["genre"].to_numpy()
    return float((genres[order] == genres[:, np.newaxis]).mean())


def precision_by_chance(tracks: pd.DataFrame) -> float:
    """What `precision_at` would be, on average, if the songs by other artists came in random order."""
    others = _by_others(tracks, 1)
    genres = tracks["genre"].to_numpy()
    same = (genres[:, np.newaxis] == genres) & others
    return float((same.sum(axis=1) / others.sum(axis=1)).mean())


def _by_others(tracks: pd.DataFrame, n: int) -> np.ndarray:
    """Which songs are by another artist [shape=(n_tracks, n_tracks)]."""
    artists = tracks["artist_group"].to_numpy()
    others = artists[:, np.newaxis] != artists
    fewest = others.sum(axis=1).min()
    if fewest < n:
        raise UserError(f"Expected at least {n} songs by other artists for every song, got {fewest}. Add music.")
    return others
