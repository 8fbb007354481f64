"""The page to listen to: a map of the songs, pictures of some, and those behind each cell of the confusion matrix."""

from __future__ import annotations

import base64
import io
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import matplotlib
import matplotlib.image
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from songgenre.cache import Cache, cached_map
from songgenre.compute import parallel_map
from songgenre.evaluation.metrics import confusion_table
from songgenre.evaluation.similarity import Retrieval, measure_retrieval, nearest_by_other_artists, standardize
from songgenre.params import LOCAL, Compute
from songgenre.paths import Project
from songgenre.plots.excerpts import DURATION_S, Excerpt, encode_excerpt
from songgenre.plots.style import genre_colors
from songgenre.report.notebook_page import report_names
from songgenre.report.rendering import render, write_html
from songgenre.report.scores import Model, read_predictions
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.embeddings import EMBEDDINGS
from songgenre.tables.files import read_table
from songgenre.tables.mel_index import MEL_INDEX
from songgenre.tables.tracks import TRACKS

MAX_SONGS = 600
"""Of a larger corpus, so many are shown, as evenly over the genres as may be."""

PICTURES_PER_GENRE = 3
N_RETRIEVED = 10
N_NEAREST = 3
WIDTH, HEIGHT, MARGIN = 1000, 640, 20
"""Of the map, in the user units of its SVG."""

SHAPES = [
    "M-7,0a7,7 0 1,0 14,0a7,7 0 1,0 -14,0",
    "M-6,-6h12v12h-12z",
    "M0,-8l8,14h-16z",
    "M0,-9l8,9l-8,9l-8,-9z",
    "M-2.5,-8h5v5.5h5.5v5h-5.5v5.5h-5v-5.5h-5.5v-5h5.5z",
]


class MapSong(NamedTuple):
    """A song as the page shows it.

    Parameters
    ----------
    track_id, title, artist, genre : str
    predicted : str or None
        What the best model says, if it is a test song.
    x, y : int
        Where it is on the map.
    alike : tuple of str
        The nearest songs by other artists.
    picture : str or None
        Its mel spectrogram, as a PNG in base64.
    """

    track_id: str
    title: str
    artist: str
    genre: str
    predicted: str | None
    x: int
    y: int
    alike: tuple[str, ...]
    picture: str | None


class MapGenre(NamedTuple):
    """How the songs of a genre look on the map, and which there are."""

    name: str
    color: str
    shape: str
    songs: list[MapSong]


def write_listen_page(project: Project, best: Model | None, folder: Path, compute: Compute = LOCAL) -> None:
    """Write ``map.html`` and the excerpts that it plays.

    Parameters
    ----------
    project : Project
        Its tracks, embeddings, mel images and predictions are shown. Without tracks or embeddings the page says
        that it is to come.
    best : Model or None
        The model whose answers are shown.
    folder : Path
        Of the site.
    compute : Compute
        Where excerpts are encoded.

    Raises
    ------
    UserError
        If a table or an audio file cannot be read.
    """
    content: dict[str, object] = {
        "name": "map",
        "pages": report_names(project),
        "best": best,
        "genres": [],
        "songs": {},
    }
    if project.tracks.is_file() and project.embeddings.is_file():
        tracks = read_table(TRACKS, project.tracks)
        predictions = read_predictions(project, best)
        shown = sample_songs(tracks, predictions, MAX_SONGS)
        genres = _map_genres(project, shown, predictions)
        songs = {song.track_id: song for genre in genres for song in genre.songs}
        content |= {"genres": genres, "songs": songs, "total": len(tracks), "size": (WIDTH, HEIGHT)}
        content["matrix"] = None if predictions is None else confusion_table(predictions)
        content["retrieval"] = _measure_retrieval(project, tracks)
        _write_excerpts(project, shown, folder / "audio", compute)
    write_html(folder / "map.html", render("map.html.j2", **content))


def sample_songs(tracks: pd.DataFrame, predictions: pd.DataFrame | None, most: int) -> pd.DataFrame:
    """The songs to show: all, or as many of each genre, those first of which the model has said something.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    predictions : pd.DataFrame or None
        `songgenre.tables.predictions.PREDICTIONS` of one model.
    most : int
    """
    if len(tracks) <= most:
        return tracks
    asked = tracks["track_id"].isin([] if predictions is None else predictions["track_id"])
    first = tracks.assign(asked=asked).sort_values(["asked", "track_id"], ascending=[False, True])
    chosen = first.groupby("genre").head(most // tracks["genre"].nunique()).index
    return tracks.loc[chosen.sort_values()].reset_index(drop=True)


def layout(embeddings: np.ndarray) -> np.ndarray:
    """Compute places on the map, where songs with similar embeddings are close together.

    The method is t-SNE (van der Maaten and Hinton, `maaten2008visualizing`) of the first principal components, exact
    and in one thread, so that every run gives the same places.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(n_songs, n_dimensions)]
        Embeddings of the songs.

    Returns
    -------
    np.ndarray [shape=(n_songs, 2), dtype=int]
        Horizontal and vertical position, from the top left, in units of the map.
    """
    X = standardize(embeddings, embeddings)
    with threadpool_limits(1):
        components = PCA(min(50, *X.shape), svd_solver="full").fit_transform(X)
        perplexity = min(30.0, (len(X) - 1) / 3)
        plane = TSNE(init="pca", method="exact", perplexity=perplexity, random_state=0).fit_transform(components)
    low, high = plane.min(axis=0), plane.max(axis=0)
    places = MARGIN + (plane - low) / (high - low) * (np.array([WIDTH, HEIGHT]) - 2 * MARGIN)
    return np.asarray(places.round().astype(int))


def encode_picture(mel: np.ndarray) -> str:
    """A mel image as a PNG in base64, low notes below.

    Parameters
    ----------
    mel : np.ndarray [shape=(n_mels, n_frames), dtype=uint8]
    """
    buffer = io.BytesIO()
    colored = matplotlib.colormaps["magma"](mel[::-1] // 16 * 16, bytes=True)
    matplotlib.image.imsave(buffer, colored, format="png", metadata={"Software": ""}, pil_kwargs={"optimize": True})
    return base64.b64encode(buffer.getvalue()).decode()


def _measure_retrieval(project: Project, tracks: pd.DataFrame) -> Retrieval | None:
    if not project.descriptors.is_file():
        return None
    embeddings, descriptors = read_table(EMBEDDINGS, project.embeddings), read_table(DESCRIPTORS, project.descriptors)
    return measure_retrieval(embeddings, descriptors, tracks, N_RETRIEVED)


def _map_genres(project: Project, tracks: pd.DataFrame, predictions: pd.DataFrame | None) -> list[MapGenre]:
    table = read_table(EMBEDDINGS, project.embeddings).set_index("track_id").loc[tracks["track_id"]]
    embeddings = table.to_numpy()
    near = nearest_by_other_artists(embeddings, tracks["artist_group"].tolist(), N_NEAREST)
    ids = tracks["track_id"].to_numpy()
    predicted: dict[str, str] = (
        {} if predictions is None else dict(zip(predictions["track_id"], predictions["predicted"], strict=True))
    )
    pictures = _encode_pictures(project, tracks)
    songs = [
        MapSong(
            track.track_id,
            track.title if isinstance(track.title, str) else track.track_id,
            track.artist if isinstance(track.artist, str) else "unknown artist",
            track.genre,
            predicted.get(track.track_id),
            int(x),
            int(y),
            tuple(ids[nearest[nearest >= 0]]),
            pictures.get(track.track_id),
        )
        for track, (x, y), nearest in zip(tracks.itertuples(), layout(embeddings), near, strict=True)
    ]
    colors = genre_colors(tracks["genre"])
    return [
        MapGenre(name, to_hex(color), shape, [song for song in songs if song.genre == name])
        for (name, color), shape in zip(colors.items(), cycle(SHAPES), strict=False)
    ]


def _encode_pictures(project: Project, tracks: pd.DataFrame) -> dict[str, str]:
    """Of the first songs of each genre, the part that is played."""
    if not (project.mel.is_file() and project.mel_index.is_file()):
        return {}
    index = read_table(MEL_INDEX, project.mel_index).set_index("track_id")
    mel = np.load(project.mel, mmap_mode="r")
    pictures = {}
    for track_id in tracks.groupby("genre").head(PICTURES_PER_GENRE)["track_id"]:
        song = index.loc[track_id]
        frames = round(DURATION_S * song["sample_rate"] / song["hop_length"])
        skipped = max(0, mel.shape[2] - frames) // 2
        pictures[track_id] = encode_picture(mel[int(song["row"]), :, skipped : mel.shape[2] - skipped])
    return pictures


def _write_excerpts(project: Project, tracks: pd.DataFrame, folder: Path, compute: Compute) -> None:
    folder.mkdir()
    cache = Cache(compute.cache_url or str(project.feature_cache), Excerpt, {}, encode_excerpt)
    map_fn = partial(parallel_map, description="excerpts", compute=compute)
    encoded = cached_map(encode_excerpt, tracks, project.audio, cache, map_fn)
    for track_id, excerpt in zip(tracks["track_id"], encoded, strict=True):
        (folder / f"{track_id}.mp3").write_bytes(excerpt.content.tobytes())
