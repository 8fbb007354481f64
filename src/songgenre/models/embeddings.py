"""Embeddings of a corpus by the pretrained networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.atomic import replacing
from songgenre.cache import Cache, cached_map
from songgenre.compute import parallel_map
from songgenre.models import musicnn, musicnn_weights
from songgenre.params import LOCAL, Compute
from songgenre.partitions import compute_partitions, move_parts
from songgenre.paths import Project
from songgenre.tables.embeddings import EMBEDDINGS
from songgenre.tables.files import read_table, write_table

Network = Mapping[str, np.ndarray]
"""The variables of a network, by name."""


class Embedded(NamedTuple):
    """Embedding and tags of a clip.

    Parameters
    ----------
    embedding, tags : np.ndarray [shape=(n,), dtype=float32]
        Results of all networks, see `songgenre.models.musicnn.MusicnnFeatures`, in the order of
        `songgenre.models.musicnn_weights.NETWORKS`.
    """

    embedding: np.ndarray
    tags: np.ndarray


def load_networks(pretrained: Path) -> list[Network]:
    """Load the pretrained networks.

    Parameters
    ----------
    pretrained : Path
        Folder of the weights.

    Returns
    -------
    list of mapping
        Variables of each network, by name.

    Raises
    ------
    UserError
        If the weights are missing or damaged.
    """
    return [musicnn_weights.load_weights(pretrained, name) for name in musicnn_weights.NETWORKS]


def embed(clip: audio.Clip, networks: Sequence[Network]) -> Embedded:
    """Compute the embedding and the tags of a clip.

    Parameters
    ----------
    clip : Clip
        Part of an audio file.
    networks : sequence of mapping
        Networks, as `load_networks` returns them.

    Returns
    -------
    Embedded
        Results of all networks.

    Raises
    ------
    UserError
        If the clip cannot be decoded.
    """
    spectrogram = musicnn.log_mel(audio.load_clip(clip, musicnn.SAMPLE_RATE))
    features = [musicnn.forward(network, spectrogram) for network in networks]
    return Embedded(*map(np.concatenate, zip(*features, strict=True)))


def embed_corpus(
    tracks: pd.DataFrame,
    project: Project,
    networks: Sequence[Network],
    compute: Compute = LOCAL,
    file: Path | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the embeddings of all tracks in parallel, or read them from the cache, and write them.

    Workers write the embeddings of more than ``compute.partition_songs`` tracks in partitions.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    project : Project
        Folders of audio and cache.
    networks : sequence of mapping
        Networks, as `load_networks` returns them.
    compute : Compute
        Section ``compute`` of ``params.yaml``: local processes or a Dask cluster, and remote folders.
    file : Path, optional
        Parquet file for the embeddings; that of the project by default. With partitions, it is a folder, which
        `songgenre.tables.files.read_table` reads too.

    Returns
    -------
    embeddings : pd.DataFrame
        `songgenre.tables.embeddings.EMBEDDINGS`, rows in the order of `tracks`.
    tags : pd.DataFrame [shape=(n_tracks, n_tags)]
        Probability of each tag; index of `tracks`, columns by network and tag.

    Raises
    ------
    UserError
        If a clip cannot be decoded.
    """
    cache = Cache(
        compute.cache_url or str(project.feature_cache), Embedded, {"weights": musicnn_weights.MUSICNN.sha256}, embed
    )
    folder, file = compute.audio_url or project.audio, file or project.embeddings
    if len(tracks) > compute.partition_songs:
        place = project.feature_cache.parent
        function = partial(embed, networks=networks)
        partitions = compute_partitions(
            function, tracks, folder, cache, "embeddings of partitions", compute, place, _write_partition
        )
        with replacing(file) as partial_path:
            parts = move_parts(partitions, {"embeddings.parquet": partial_path})
            tags = np.concatenate([np.load(files["tags.npy"]) for files in parts])
        embeddings = read_table(EMBEDDINGS, file)
    else:
        everywhere = partial(parallel_map, description="embeddings", compute=compute, remote_ok=True)
        songs = list(cached_map(partial(embed, networks=networks), tracks, folder, cache, everywhere))
        values, tags = map(np.stack, zip(*songs, strict=True))
        embeddings = _tabulate(tracks["track_id"], values)
        write_table(embeddings, EMBEDDINGS, file)
    names = [(name, tag) for name in musicnn_weights.NETWORKS for tag in musicnn.TAGS[name]]
    tag_names = pd.MultiIndex.from_tuples(names, names=["network", "tag"])
    return embeddings, pd.DataFrame(tags, index=tracks.index, columns=tag_names)


def _tabulate(track_ids: Sequence[str] | pd.Series, values: np.ndarray) -> pd.DataFrame:
    embeddings = pd.DataFrame(values, columns=columns())
    embeddings.insert(0, "track_id", np.asarray(track_ids))
    return embeddings


def _write_partition(track_ids: Sequence[str], entries: Sequence[Embedded], folder: Path) -> None:
    values, tags = map(np.stack, zip(*entries, strict=True))
    write_table(_tabulate(track_ids, values), EMBEDDINGS, folder / "embeddings.parquet")
    np.save(folder / "tags.npy", tags)


def top_tags(tags: pd.DataFrame, n: int) -> pd.DataFrame:
    """List the most probable tags of each song.

    Parameters
    ----------
    tags : pd.DataFrame [shape=(n_tracks, n_tags)]
        Probabilities, as `embed_corpus` returns them.
    n : int
        Number of tags per network.

    Returns
    -------
    pd.DataFrame
        A row per song and a column per network; each cell is text, the most probable tag first.
    """
    names = {
        network: given.droplevel("network").apply(lambda song: ", ".join(song.nlargest(n).index))
        for network, given in tags.T.groupby(level="network")
    }
    return pd.DataFrame(names)


def project_pca(X: pd.DataFrame) -> np.ndarray:
    """Project standardized embeddings onto their first two principal components.

    With more songs than dimensions, PCA decomposes the covariance, which takes less memory than the embeddings.

    Parameters
    ----------
    X : pd.DataFrame [shape=(n_tracks, n_dimensions)]
        Embeddings.

    Returns
    -------
    np.ndarray [shape=(n_tracks, 2)]
        The projections.
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    n_songs, n_dimensions = X.shape
    solver = "covariance_eigh" if n_songs > n_dimensions else "full"
    return np.asarray(PCA(2, svd_solver=solver).fit_transform(StandardScaler().fit_transform(X)))


def columns() -> list[str]:
    """List the names of the dimensions of an embedding.

    Returns
    -------
    list of str
        Such as ``MSD_musicnn_max_0012_std``.
    """
    parts = {"penultimate": musicnn.PENULTIMATE, "mean": musicnn.POOLED, "max": musicnn.POOLED}
    return [
        f"{name}_{part}_{number:04d}_{statistic}"
        for name in musicnn_weights.NETWORKS
        for statistic in ("mean", "std")
        for part, n in parts.items()
        for number in range(n)
    ]
