"""The page Listen: a map of the songs, mel spectrograms, and the songs of each cell of the confusion matrix."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import partial
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
from songgenre.plots.style import genre_colors, genre_markers
from songgenre.report.notebook_page import Navigation
from songgenre.report.rendering import render, write_html
from songgenre.report.scores import Confusion, Model, read_predictions
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.embeddings import EMBEDDINGS
from songgenre.tables.files import read_table
from songgenre.tables.mel_images import load_mel
from songgenre.tables.mel_index import MEL_INDEX
from songgenre.tables.tracks import TRACKS

MAX_SONGS = 600
"""Maximum number of songs on the page; a larger corpus is sampled, with the same number per genre."""

PICTURES_PER_GENRE = 3
N_RETRIEVED = 10
N_NEAREST = 3
WIDTH, HEIGHT, MARGIN = 1000, 640, 20
"""Size and margin of the map, in user units of its SVG."""

SHAPES = {
    "o": "M-7,0a7,7 0 1,0 14,0a7,7 0 1,0 -14,0",
    "s": "M-6,-6h12v12h-12z",
    "^": "M0,-8l8,14h-16z",
    "D": "M0,-9l8,9l-8,9l-8,-9z",
    "P": "M-2.5,-8h5v5.5h5.5v5h-5.5v5.5h-5v-5.5h-5.5v-5h5.5z",
    "v": "M0,8l8,-14h-16z",
    "X": "M-4,-8l4,4l4,-4l4,4l-4,4l4,4l-4,4l-4,-4l-4,4l-4,-4l4,-4l-4,-4z",
    "*": "M0,-9l2.6,5.4l5.9,.9l-4.3,4.1l1,5.9l-5.2,-2.8l-5.2,2.8l1,-5.9l-4.3,-4.1l5.9,-.9z",
}
"""Paths of the markers of genres, see `songgenre.plots.style.genre_markers`."""


class MapSong(NamedTuple):
    """A song as the page shows it.

    Parameters
    ----------
    track_id, title, artist, genre : str
        Columns of `songgenre.tables.tracks.TRACKS`.
    predicted : str or None
        Prediction of the best model; None if the song is not a test song.
    x, y : int
        Place on the map.
    alike : tuple of str
        Track ids of the nearest songs by other artists.
    picture : str or None
        Mel spectrogram, as a PNG in base64; None for most songs.
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

    @property
    def is_correct(self) -> bool:
        """Whether the best model predicts the genre of the song."""
        return self.predicted == self.genre


class MapGenre(NamedTuple):
    """A genre on the map.

    Parameters
    ----------
    name : str
        Name of the genre.
    color : str
        Colour of its songs, in hexadecimal digits.
    shape : str
        Symbol of its songs, as the data of an SVG path.
    songs : list of MapSong
        Songs of the genre.
    """

    name: str
    color: str
    shape: str
    songs: list[MapSong]


def write_listen_page(
    project: Project, best: Model | None, folder: Path, navigation: Navigation, compute: Compute = LOCAL
) -> list[MapGenre]:
    """Write ``map.html`` and the excerpts that it plays.

    Parameters
    ----------
    project : Project
        Project whose tracks, embeddings, mel spectrograms and predictions are shown. Without tracks or embeddings the
        page has no content.
    best : Model or None
        Model whose predictions are shown.
    folder : Path
        Folder of the site.
    navigation : Navigation
        What the navigation bar lists.
    compute : Compute
        Machines that encode the excerpts, see `songgenre.compute`.

    Returns
    -------
    list of MapGenre
        Genres and songs on the map; empty if the page has no content.

    Raises
    ------
    UserError
        If a table or an audio file cannot be read.
    """
    genres: list[MapGenre] = []
    content: dict[str, object] = {"name": "map", "best": best, "genres": genres, "songs": {}, **navigation._asdict()}
    if project.tracks.is_file() and project.embeddings.exists():
        tracks = read_table(TRACKS, project.tracks)
        predictions = read_predictions(project, best)
        sample = sample_songs(tracks, predictions, MAX_SONGS)
        genres = _map_genres(project, sample, predictions)
        songs = {song.track_id: song for genre in genres for song in genre.songs}
        content |= {"genres": genres, "songs": songs, "total": len(tracks), "size": (WIDTH, HEIGHT)}
        content["matrix"] = None if predictions is None else confusion_table(predictions)
        content["retrieval"] = _measure_retrieval(project, tracks)
        _write_excerpts(project, sample, folder / "audio", compute)
    write_html(folder / "map.html", render("map.html.j2", **content))
    return genres


def choose_sample(genres: Sequence[MapGenre], mistakes: Sequence[Confusion]) -> MapSong | None:
    """Choose the song that the front page plays: one of the most frequent confusion, or else the first.

    Parameters
    ----------
    genres : sequence of MapGenre
        Genres and songs on the map.
    mistakes : sequence of Confusion
        Confusions of the best model, the most frequent first.

    Returns
    -------
    MapSong or None
        The song; None without songs.
    """
    songs = [song for genre in genres for song in genre.songs]
    confused = (song for pair in mistakes for song in songs if (song.genre, song.predicted) == pair[:2])
    return next(confused, songs[0] if songs else None)


def sample_songs(tracks: pd.DataFrame, predictions: pd.DataFrame | None, most: int) -> pd.DataFrame:
    """Select the songs to show: all, or the same number of each genre, songs with a prediction first.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    predictions : pd.DataFrame or None
        `songgenre.tables.predictions.PREDICTIONS` of one model.
    most : int
        Maximum number of songs.

    Returns
    -------
    pd.DataFrame
        Rows of `tracks`, in their order.
    """
    if len(tracks) <= most:
        return tracks
    in_test = tracks["track_id"].isin([] if predictions is None else predictions["track_id"])
    ranking = tracks.assign(in_test=in_test).sort_values(["in_test", "track_id"], ascending=[False, True])
    sample = ranking.groupby("genre").head(most // tracks["genre"].nunique()).index
    return tracks.loc[sample.sort_values()].reset_index(drop=True)


def layout(embeddings: np.ndarray) -> np.ndarray:
    """Compute places on the map, where songs with similar embeddings are close together.

    The method is t-SNE (van der Maaten & Hinton, `maaten2008visualizing`) of the first principal components, exact
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
    """Encode a mel spectrogram as a PNG in base64, low frequencies at the bottom.

    Parameters
    ----------
    mel : np.ndarray [shape=(n_mels, n_frames), dtype=uint8]
        Mel spectrogram, 0 to 255.

    Returns
    -------
    str
        PNG in base64, of 16 colours.
    """
    buffer = io.BytesIO()
    pixels = matplotlib.colormaps["magma"](mel[::-1] // 16 * 16, bytes=True)
    matplotlib.image.imsave(buffer, pixels, format="png", metadata={"Software": ""}, pil_kwargs={"optimize": True})
    return base64.b64encode(buffer.getvalue()).decode()


def _measure_retrieval(project: Project, tracks: pd.DataFrame) -> Retrieval | None:
    if not project.descriptors.exists():
        return None
    embeddings, descriptors = read_table(EMBEDDINGS, project.embeddings), read_table(DESCRIPTORS, project.descriptors)
    return measure_retrieval(embeddings, descriptors, tracks, N_RETRIEVED)


def _map_genres(project: Project, tracks: pd.DataFrame, predictions: pd.DataFrame | None) -> list[MapGenre]:
    ids = tracks["track_id"].to_numpy()
    table = read_table(EMBEDDINGS, project.embeddings, ids).set_index("track_id").loc[ids]
    embeddings = table.to_numpy()
    near = nearest_by_other_artists(embeddings, tracks["artist_group"].tolist(), N_NEAREST)
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
    markers = genre_markers(tracks["genre"])
    return [
        MapGenre(name, to_hex(color), SHAPES[markers[name]], [song for song in songs if song.genre == name])
        for name, color in genre_colors(tracks["genre"]).items()
    ]


def _encode_pictures(project: Project, tracks: pd.DataFrame) -> dict[str, str]:
    """Encode mel spectrograms of the excerpts of the first songs of each genre."""
    if not (project.mel.exists() and project.mel_index.is_file()):
        return {}
    index = read_table(MEL_INDEX, project.mel_index).set_index("track_id")
    mel = load_mel(project.mel)
    pictures = {}
    for track_id in tracks.groupby("genre").head(PICTURES_PER_GENRE)["track_id"]:
        song = index.loc[track_id]
        frames = round(DURATION_S * song["sample_rate"] / song["hop_length"])
        margin = max(0, mel.shape[2] - frames) // 2
        pictures[track_id] = encode_picture(mel[int(song["row"]), :, margin : mel.shape[2] - margin])
    return pictures


def _write_excerpts(project: Project, tracks: pd.DataFrame, folder: Path, compute: Compute) -> None:
    folder.mkdir()
    cache = Cache(compute.cache_url or str(project.feature_cache), Excerpt, {}, encode_excerpt)
    map_fn = partial(parallel_map, description="excerpts", compute=compute)
    excerpts = cached_map(encode_excerpt, tracks, project.audio, cache, map_fn)
    for track_id, excerpt in zip(tracks["track_id"], excerpts, strict=True):
        (folder / f"{track_id}.mp3").write_bytes(excerpt.content.tobytes())
