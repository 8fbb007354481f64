"""Training of a model like the bundled one on the songs of a project, its card, and its export as one file."""

from __future__ import annotations

from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre.atomic import check_output_file
from songgenre.errors import UserError
from songgenre.evaluation.folds import Folds, collection_folds
from songgenre.evaluation.metrics import Metrics
from songgenre.models.musicnn_weights import load_weights
from songgenre.models.pretrained import measure, train
from songgenre.models.pretrained.archive import MANIFEST, Archive, is_name, save_archive
from songgenre.models.pretrained.embedding import NETWORK
from songgenre.models.pretrained.head import OTHER
from songgenre.paths import MODEL_SUFFIX, Project
from songgenre.report.bundled_card import accuracy_table, recall_table
from songgenre.report.markdown import escape, table
from songgenre.tables.files import read_table
from songgenre.tables.tracks import TRACKS

MIN_ARTISTS = 3
"""Fewest artists of a genre: one to leave out, and two to tune and calibrate with."""

ONE_GENRE = """## Accuracy

The model has one genre, which it cannot confuse with another one, so it has no accuracy over genres. The next section
says how well it separates this genre from other music."""
"""Section of the card of a model with a single genre."""


class Measurements(NamedTuple):
    """Measurements that the card of an exported model reports.

    Parameters
    ----------
    songs : pd.DataFrame
        Result of `read_corpus`.
    scores : dict of Metrics
        Metrics of the genres by protocol.
    curve : pd.Series
        Result of `songgenre.models.pretrained.measure.learning_curve`.
    outside : Outside
        How well none of the genres is recognised.
    """

    songs: pd.DataFrame
    scores: dict[str, Metrics]
    curve: pd.Series
    outside: measure.Outside


def export_model(project: Project, name: str, path: Path, pretrained: Path, seed: int) -> Path:
    """Train a model like the bundled one on the songs of a project, measure it, and write it with its card.

    Parameters
    ----------
    project : Project
        Project whose songs are used, after the stage ``wrangling``.
    name : str
        Name of the model.
    path : Path
        File to write, which ends in ``.songgenre``.
    pretrained : Path
        Folder with the weights of the networks.
    seed : int
        Seed of folds, signals and bootstrap.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If the name is not a line of text, the file cannot be written, the songs are missing, or there are too few.
    """
    if not is_name(name):
        raise UserError(f"{name!r}: not a name of a model. Use one line of 1 to 100 characters.")
    check_output_file(path, MODEL_SUFFIX, MANIFEST.encode())
    songs = read_corpus(project)
    folds = {
        "songs by unseen artists": train.artist_folds(songs, seed),
        "left-out collections": collection_folds(songs),
    }
    _check_folds(songs, [*chain(*folds.values()), *train.tuning_folds(songs)])
    network = load_weights(pretrained, NETWORK)
    X = train.embed_songs(songs, network)
    signals = train.embed_signals(network, seed)
    score = partial(measure.score_genres, songs=songs, seed=seed)
    measurements = Measurements(
        songs,
        {protocol: score(train.predict_left_out(X, songs, split)) for protocol, split in folds.items() if split},
        measure.learning_curve(X, songs, seed),
        measure.score_outside(X, songs, signals),
    )
    head = train.train_head(X, songs, np.concatenate(list(signals.values())), measurements.outside.maximum)
    save_archive(Archive(name, head, model_card(name, measurements)), path)
    return path


def read_corpus(project: Project) -> pd.DataFrame:
    """Read the songs of a project in the form in which `songgenre.models.pretrained.train` expects them.

    Parameters
    ----------
    project : Project
        Project after the stage ``wrangling``.

    Returns
    -------
    pd.DataFrame
        ``path``, ``genre``, ``artist`` and ``collection`` of each track.

    Raises
    ------
    UserError
        If the table of the tracks is missing, there are fewer than two genres, or a genre has a name of several
        lines or fewer artists than `MIN_ARTISTS`.
    """
    tracks = read_table(TRACKS, project.tracks)
    songs = pd.DataFrame(
        {
            "path": [str(project.audio / name) for name in tracks["audio_path"]],
            "genre": tracks["genre"],
            "artist": tracks["artist_group"],
            "collection": tracks["collection"],
        }
    )
    if songs["genre"].nunique() < 2:
        raise UserError(f"{project.tracks}: fewer than two genres. Add songs of another genre, or of `{OTHER}` genres.")
    if odd := [genre for genre in songs["genre"].unique() if not is_name(genre)]:
        raise UserError(f"Genre {odd[0]!r:.50}: not one line of 1 to 100 characters. Rename it.")
    fewest = songs.groupby("genre")["artist"].nunique()
    if fewest.min() < MIN_ARTISTS:
        raise UserError(
            f"Genre {fewest.idxmin()!r} has only {fewest.min()} artists; a model needs {MIN_ARTISTS} of each genre. "
            "Add songs by others, or name the artists in a tracks.csv."
        )
    return songs


def _check_folds(songs: pd.DataFrame, folds: Folds) -> None:
    """Check before the work of hours that a model can be tuned without the songs of each fold."""
    if not all(train.can_tune(songs.iloc[learn]) for learn, _ in folds):
        raise UserError(
            f"corpus: {len(songs)} songs of {songs['genre'].nunique()} genres are too few to leave some out. Add songs "
            "to the genres that have the fewest."
        )


def model_card(name: str, measurements: Measurements) -> str:
    """Describe an exported model: training data, results and limitations.

    Parameters
    ----------
    name : str
        Name of the model.
    measurements : Measurements
        What was measured.

    Returns
    -------
    str
        Markdown.
    """
    songs, _, _, outside = measurements
    genres = sorted(set(songs["genre"]) - {OTHER})
    return f"""# Model card: {escape(name)}

A linear discriminant analysis of the penultimate layer of musicnn 0.1.0 (Pons & Serra 2019, ISC licence), trained by
`songgenre model export`. The file that `songgenre predict --model FILE` reads contains this card and the weights of the
classifier, and no audio data.

## Training data

- songs: {len(songs)}
- artists: {songs["artist"].nunique()}, if each song without a known artist has its own
- collections: {songs["collection"].nunique()}
- genres: {", ".join(map(escape, genres))}

{_describe_accuracy(measurements) if len(genres) > 1 else ONE_GENRE}

## None of these genres

{_describe_outside(outside)}

## Limitations

The model knows only the genres above. Do not use it to decide what people are paid or shown.
"""


def _describe_accuracy(measurements: Measurements) -> str:
    songs, scores, curve, _ = measurements
    return f"""## Accuracy

{accuracy_table(scores)}

- *Songs by unseen artists*: artist-grouped folds, repeated {train.REPEATS} times. The tested songs come from the same
  collections as the training songs, so **expect a lower accuracy on music from other sources**.
- *Left-out collections*, if there are several: each collection is predicted by a model that was trained without it.

The intervals are 95 % intervals from a bootstrap over artists. The calibration error is the weighted mean distance
between confidence and accuracy. Each song is predicted {train.REPEATS} times by artist-grouped folds.

{recall_table(songs, scores)}

## Learning curve

Accuracy on songs by unseen artists after training on fewer songs of each genre, chosen at random. A genre that has
fewer songs contributes all of them:

{table(["songs per genre", "accuracy"], [(n, f"{accuracy:.3f}") for n, accuracy in curve.items()])}"""


def _describe_outside(outside: measure.Outside) -> str:
    signals = f"{100 * outside.signals:.0f} % of generated signals (tones, noise, clicks) are called outside."
    if np.isnan(outside.auroc):
        return (
            f"The corpus has no genre `{OTHER}`, so the model has not learned what other genres sound like: *outside*\n"
            f"marks sounds that are not music. {signals}\n"
            f"To teach it, add a genre `{OTHER}` with songs of other genres."
        )
    return (
        f"The probability *outside*, that a song has none of these genres or is not music, separates songs of other\n"
        f"genres from songs of these genres with an AUROC of {outside.auroc:.2f} (0.5 is chance). A song counts as\n"
        f"outside above {outside.maximum:.2f}: {100 * outside.genre_songs:.0f} % of the songs of these genres and\n"
        f"{100 * outside.other_songs:.0f} % of the songs of other genres do. {signals}"
    )
