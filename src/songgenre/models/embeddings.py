"""The songs of a corpus as the pretrained networks hear them, one clip after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.cache import Cache, cached_map
from songgenre.compute import parallel_map
from songgenre.models import musicnn, musicnn_weights
from songgenre.params import LOCAL, Compute
from songgenre.paths import Project

Network = Mapping[str, np.ndarray]
"""The variables of a network, by name."""


class Embedded(NamedTuple):
    """What all networks make of a clip.

    Parameters
    ----------
    embedding, tags : np.ndarray [shape=(n,), dtype=float32]
        Of the networks in the order of `songgenre.models.musicnn_weights.NETWORKS`, see
        `songgenre.models.musicnn.MusicnnFeatures`.
    """

    embedding: np.ndarray
    tags: np.ndarray


def load_networks(pretrained: Path) -> list[Network]:
    """The pretrained networks.

    Parameters
    ----------
    pretrained : Path
        Folder of their weights.

    Raises
    ------
    UserError
        If their weights are missing.
    """
    return [musicnn_weights.load_weights(pretrained, name) for name in musicnn_weights.NETWORKS]


def embed(clip: audio.Clip, networks: Sequence[Network]) -> Embedded:
    """Decode a clip and have the networks hear it.

    Raises
    ------
    UserError
        If the clip cannot be decoded.
    """
    spectrogram = musicnn.log_mel(audio.load_clip(clip, musicnn.SAMPLE_RATE))
    features = [musicnn.forward(network, spectrogram) for network in networks]
    return Embedded(*map(np.concatenate, zip(*features, strict=True)))


def embed_corpus(
    tracks: pd.DataFrame, project: Project, networks: Sequence[Network], compute: Compute = LOCAL
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Embed every track that is not in the cache, in parallel.

    Parameters
    ----------
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`.
    project : Project
    networks : sequence of mapping
        Of `load_networks`.
    compute : Compute
        Where the work is done.

    Returns
    -------
    embeddings : pd.DataFrame
        `songgenre.tables.embeddings.EMBEDDINGS`, rows in the order of `tracks`.
    tags : pd.DataFrame [shape=(n_tracks, n_tags)]
        Probability of each tag, the columns by network and tag, with the index of `tracks`.
    """
    cache = Cache(
        compute.cache_url or str(project.feature_cache), Embedded, {"weights": musicnn_weights.MUSICNN.sha256}, embed
    )
    everywhere = partial(parallel_map, description="embeddings", compute=compute, remote_ok=True)
    folder = compute.audio_url or project.audio
    songs = list(cached_map(partial(embed, networks=networks), tracks, folder, cache, everywhere))
    embeddings = pd.DataFrame(np.stack([song.embedding for song in songs]), columns=columns())
    embeddings.insert(0, "track_id", tracks["track_id"].to_numpy())
    names = [(name, tag) for name in musicnn_weights.NETWORKS for tag in musicnn.TAGS[name]]
    tags = pd.DataFrame(
        np.stack([song.tags for song in songs]),
        index=tracks.index,
        columns=pd.MultiIndex.from_tuples(names, names=["network", "tag"]),
    )
    return embeddings, tags


def top_tags(tags: pd.DataFrame, n: int) -> pd.DataFrame:
    """The likeliest tags of each song, to read: a column per network.

    Parameters
    ----------
    tags : pd.DataFrame [shape=(n_tracks, n_tags)]
        Of `embed_corpus`.
    n : int
        How many of each network.
    """
    names = {
        network: given.droplevel("network").apply(lambda song: ", ".join(song.nlargest(n).index))
        for network, given in tags.T.groupby(level="network")
    }
    return pd.DataFrame(names)


def project_pca(X: pd.DataFrame) -> np.ndarray:
    """The first two principal components of standardised embeddings [shape=(n_tracks, 2)]."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    return np.asarray(PCA(2, svd_solver="full").fit_transform(StandardScaler().fit_transform(X)))


def columns() -> list[str]:
    """Names of the numbers of an embedding, such as ``MSD_musicnn_max_0012_std``."""
    parts = {"penultimate": musicnn.PENULTIMATE, "mean": musicnn.POOLED, "max": musicnn.POOLED}
    return [
        f"{name}_{part}_{number:04d}_{statistic}"
        for name in musicnn_weights.NETWORKS
        for statistic in ("mean", "std")
        for part, n in parts.items()
        for number in range(n)
    ]
