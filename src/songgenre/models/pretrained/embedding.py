"""Embedding of the bundled model: the penultimate layer of one network, computed at a standard level.

The penultimate layer of the Million Song Dataset network, averaged over the patches of a clip, predicts left-out
collections better than larger embeddings of both networks; `songgenre dev describe-bundled` compares them. The
spectrogram of musicnn depends on the level of a recording, so every clip is first brought to the same level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from songgenre.models import musicnn

if TYPE_CHECKING:
    from songgenre.models.embeddings import Network

NETWORK = "MSD_musicnn"
LEVEL_DB = -14.0
"""Root mean square of a clip in dB of full scale, a common level of published recordings."""


class Embedded(NamedTuple):
    """Embedding and tags of a clip.

    Parameters
    ----------
    embedding : np.ndarray [shape=(PENULTIMATE,), dtype=float32]
        Mean of the penultimate layer over the patches.
    tags : np.ndarray [shape=(n_patches, n_tags), dtype=float32]
        Probability of each tag of `NETWORK` in each patch of 3 s, see `songgenre.models.musicnn.TAGS`.
    starts_s : np.ndarray [shape=(n_patches,)]
        Start of each patch in seconds.
    """

    embedding: np.ndarray
    tags: np.ndarray
    starts_s: np.ndarray


def embed(y: np.ndarray, network: Network) -> Embedded:
    """Compute the embedding of a clip.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Mono signal at `songgenre.models.musicnn.SAMPLE_RATE`, at any level.
    network : mapping
        Variables of `NETWORK`, as `songgenre.models.musicnn_weights.load_weights` returns them.

    Returns
    -------
    Embedded
        Embedding and tags.
    """
    spectrogram = musicnn.log_mel(normalize_level(y))
    activations, tags = musicnn.activate_patches(network, spectrogram)
    starts_s = musicnn.place_patches(len(spectrogram)) * musicnn.HOP_LENGTH / musicnn.SAMPLE_RATE
    embedding = musicnn.pool_patches(activations, tags).embedding[: musicnn.PENULTIMATE]
    return Embedded(embedding, tags, starts_s)


def normalize_level(y: np.ndarray) -> np.ndarray:
    """Scale a signal to `LEVEL_DB`; digital silence stays as it is.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
        Signal.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        The same signal with another gain.

    Examples
    --------
    >>> y = normalize_level(np.array([0.5, -0.5], dtype=np.float32))
    >>> round(20 * float(np.log10(y[0])), 3)
    -14.0
    """
    rms = np.sqrt(np.mean(np.square(y, dtype=np.float64)))
    return y if rms == 0 else (y * (10 ** (LEVEL_DB / 20) / rms)).astype(np.float32)
