"""Similarity search: the songs of the corpus whose embeddings are nearest to those of a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table

from songgenre import audio
from songgenre.errors import UserError
from songgenre.evaluation.similarity import cosine_similarities
from songgenre.paths import Project
from songgenre.predict.inference import MIN_DURATION_S, SILENCE_DB
from songgenre.tables.embeddings import EMBEDDINGS
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS
from songgenre.wrangling.validation import validate_audio

N_NEAREST = 10


def render_matches(matches: pd.DataFrame) -> Table:
    """Render similar songs as a table for the terminal.

    Parameters
    ----------
    matches : pd.DataFrame
        Result of `find_similar`.

    Returns
    -------
    rich.table.Table
        A row for each song.
    """
    table = Table("similarity", "genre", "artist", "title", box=None, header_style="bold")
    for song in matches.fillna("unknown").itertuples():
        table.add_row(f"{song.similarity:.2f}", *map(escape, (song.genre, song.artist, song.title)))
    return table


def find_similar(project: Project, path: Path, n: int = N_NEAREST) -> pd.DataFrame:
    """Find the songs of the corpus that sound most like a file.

    Parameters
    ----------
    project : Project
        Project in which the stage ``transfer`` has run.
    path : Path
        Audio file; its central clip is compared. If the file is in the corpus, it is not listed.
    n : int
        Largest number of songs.

    Returns
    -------
    pd.DataFrame
        ``track_id``, ``title``, ``artist``, ``genre``, ``similarity`` (cosine of standardised embeddings, 1 for the
        same sound), the most similar first.

    Raises
    ------
    UserError
        If the file cannot be decoded, is silent or shorter than `MIN_DURATION_S`, or the corpus or the weights of the
        networks are missing.
    """
    from songgenre import params
    from songgenre.models import embeddings
    from songgenre.predict.loading import pretrained_folder

    tracks = read_table(TRACKS, project.tracks)
    corpus = read_table(EMBEDDINGS, project.embeddings).set_index("track_id").loc[tracks["track_id"]]
    clip_duration_s = params.load_params(project.params).wrangling.clip_duration_s
    decoded = validate_audio(path, MIN_DURATION_S, SILENCE_DB, lambda s: [audio.center_clip(s, clip_duration_s)])
    if decoded.reason:
        raise UserError(f"{path}: {decoded.detail}. Name another song.")
    clip = audio.Clip(path, *decoded.clips[0])
    embedding = embeddings.embed(clip, embeddings.load_networks(pretrained_folder())).embedding
    matches = tracks[["track_id", "title", "artist", "genre"]].assign(
        similarity=cosine_similarities(corpus.to_numpy(), embedding)
    )
    with path.open("rb") as file:
        itself = tracks["sha256"] == hashlib.file_digest(file, "sha256").hexdigest()
    return matches[~itself].nlargest(n, "similarity").reset_index(drop=True)
