"""Models that predict clips: the bundled one, and those that the last ``dvc repro`` trained."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from songgenre import audio
from songgenre.errors import UserError
from songgenre.models.pretrained.archive import load_archive
from songgenre.models.pretrained.head import BUNDLED, OTHER, Head, load_head
from songgenre.paths import Project, cache_folders, is_exported_model
from songgenre.runtime.native_stderr import suppress_native_stderr

if TYPE_CHECKING:
    from songgenre.features.extract import ClipFeatures
    from songgenre.models.embeddings import Network
    from songgenre.models.pretrained.embedding import Embedded
    from songgenre.params import Features

Name = str
"""Name of a model or path of an exported one, see `load_model`."""

BUNDLED_CLIP_S = 30.0
"""Length of the clips that the bundled model was trained on, in seconds."""


class ClipInputs:
    """Inputs of the models for a clip, each computed once, at its first use.

    Parameters
    ----------
    clip : audio.Clip
        The clip.
    networks : sequence of mapping
        Networks of `songgenre.models.embeddings.load_networks`; empty if no model needs them.
    config : Features or None
        Parameters of descriptors and mel spectrogram; None if no model needs them.
    clip_duration_s : float
        Length of the mel spectrogram in seconds; a shorter clip is repeated to fill it.
    """

    def __init__(
        self, clip: audio.Clip, networks: Sequence[Network], config: Features | None, clip_duration_s: float
    ) -> None:
        self.clip = clip
        self.networks = networks
        self.config = config
        self.clip_duration_s = clip_duration_s

    @cached_property
    def embedding(self) -> np.ndarray:
        """Embedding of the clip, see `songgenre.models.embeddings.Embedded`."""
        from songgenre.models.embeddings import embed

        return embed(self.clip, self.networks).embedding

    @cached_property
    def bundled(self) -> Embedded:
        """Embedding and tags for the bundled model."""
        from songgenre.models import musicnn
        from songgenre.models.pretrained.embedding import embed

        [network] = self.networks
        return embed(audio.load_clip(self.clip, musicnn.SAMPLE_RATE), network)

    @cached_property
    def _extracted(self) -> ClipFeatures:
        from songgenre.features.extract import extract

        assert self.config
        return extract(self.clip, self.config)

    @property
    def descriptors(self) -> pd.DataFrame:
        """A row of `songgenre.tables.descriptors.DESCRIPTORS`, without its ``track_id``."""
        from songgenre.features.descriptors import columns
        from songgenre.features.spectra import MAX_MFCC

        assert self.config
        every = pd.DataFrame([self._extracted.descriptors], columns=columns(self.config.feature_set, MAX_MFCC))
        return every[columns(self.config.feature_set, self.config.n_mfcc)]

    @property
    def mel(self) -> np.ndarray:
        """8-bit log-mel spectrogram [shape=(n_mels, n_frames), dtype=uint8]."""
        assert self.config
        n_frames = 1 + round(self.clip_duration_s * self.config.sample_rate) // self.config.hop_length
        image = self._extracted.mel
        return np.pad(image, ((0, 0), (0, max(0, n_frames - image.shape[1]))), mode="wrap")


class ClipPrediction(NamedTuple):
    """Prediction for a clip.

    Parameters
    ----------
    probabilities : pd.Series [shape=(n_genres,)]
        Probability of each genre, 0 to 1; they sum to 1.
    outside : float or None
        Probability that the clip has none of the genres; None if the model does not tell.
    tags : pd.DataFrame or None [shape=(n_patches, n_tags)]
        Probability of each tag of the network every 3 s, if the model computes them; the index is the start in
        seconds.
    """

    probabilities: pd.Series
    outside: float | None = None
    tags: pd.DataFrame | None = None


Predictor = Callable[[ClipInputs], ClipPrediction]
"""A model: a function from the inputs of a clip to its prediction."""


class Classifier(NamedTuple):
    """A loaded model that predicts clips.

    Parameters
    ----------
    name : str
        Name of the model, for example ``"pretrained"``, or ``"svm"`` if that is the best scikit-learn model.
    clip_duration_s : float
        Length of the clips that the model was trained on, in seconds.
    genres : tuple of str
        Genres that the model predicts.
    members : tuple of callable
        Models whose probabilities are averaged; usually one.
    max_outside : float
        Largest probability of none of the genres with which a song counts as one of the genres.
    networks : tuple of Network
        Networks of the embeddings, see `ClipInputs`.
    config : Features or None
        Parameters of the features, see `ClipInputs`.
    """

    name: str
    clip_duration_s: float
    genres: tuple[str, ...]
    members: tuple[Predictor, ...]
    networks: tuple[Network, ...] = ()
    config: Features | None = None
    max_outside: float = 1.0

    def predict(self, clip: audio.Clip) -> ClipPrediction:
        """Predict the genre of a clip.

        Parameters
        ----------
        clip : audio.Clip
            The clip.

        Returns
        -------
        ClipPrediction
            That of the model, or the mean probabilities of several.

        Raises
        ------
        UserError
            If the clip cannot be decoded.
        """
        inputs = ClipInputs(clip, self.networks, self.config, self.clip_duration_s)
        first, *others = (member(inputs) for member in self.members)
        if not others:
            return first
        return ClipPrediction(sum((other.probabilities for other in others), first.probabilities) / len(self.members))


def load_model(name: Name) -> Classifier:
    """Load a model.

    Parameters
    ----------
    name : str
        ``"pretrained"`` is the bundled model. The others belong to the project around the working folder:
        ``"sklearn"``, its best scikit-learn model on the test songs; ``"cnn"``; ``"transfer"``; ``"ensemble"``, the
        mean of the models that ``evaluation.ensemble`` in ``params.yaml`` names. A name that ends in ``.songgenre`` is
        the path of an exported model.

    Returns
    -------
    Classifier
        The model.

    Raises
    ------
    UserError
        If the model or the weights of its networks are unavailable.
    """
    if is_exported_model(name):
        archive = load_archive(Path(name))
        return _load_head(archive.name, archive.head)
    if name == "pretrained":
        return _load_head(name, load_head())
    return _load_trained(name, Project.find())


def verify_models(name: Name) -> None:
    """Check that the files of a model are those that its stages wrote, byte for byte.

    Parameters
    ----------
    name : str
        Name of the model, see `load_model`.

    Raises
    ------
    UserError
        If a file has changed since; see `songgenre.models.integrity.verify_hash`.
    """
    from songgenre.models.integrity import verify_hash

    if name != "pretrained" and not is_exported_model(name):
        project = Project.find()
        for model in _models(name, project):
            verify_hash(project, _file(model, project))


def model_files(name: Name) -> list[Path]:
    """List the files of a model.

    Parameters
    ----------
    name : str
        Name of the model, see `load_model`.

    Returns
    -------
    list of Path
        The files.
    """
    if is_exported_model(name):
        return [Path(name)]
    if name == "pretrained":
        return [BUNDLED]
    project = Project.find()
    return [_file(model, project) for model in _models(name, project)]


def _models(name: Name, project: Project) -> list[str]:
    """List the models behind a name."""
    from songgenre import params

    if name == "sklearn":
        return [_best_of_sklearn(project)]
    return params.load_params(project.params).evaluation.ensemble if name == "ensemble" else [name]


def _stage(model: str) -> str:
    """Name the stage that trains a model."""
    return model if model in ("cnn", "transfer") else "sklearn"


def _file(model: str, project: Project) -> Path:
    return project.model(_stage(model)) / f"{model}.{'keras' if model == 'cnn' else 'skops'}"


def _genres(model: str, project: Project) -> tuple[str, ...]:
    """Read the genres of a model from its metrics."""
    from songgenre.evaluation.files import read_metrics

    return tuple(read_metrics(project.metrics(_stage(model)))[model].f1)


def _load_head(name: str, head: Head) -> Classifier:
    from songgenre.models import musicnn
    from songgenre.models.musicnn_weights import load_weights
    from songgenre.models.pretrained.embedding import NETWORK

    def predict(inputs: ClipInputs) -> ClipPrediction:
        embedding, tags, starts_s = inputs.bundled
        probabilities, outside = head.predict(embedding)
        return ClipPrediction(probabilities, outside, pd.DataFrame(tags, starts_s, musicnn.TAGS[NETWORK]))

    network = load_weights(pretrained_folder(), NETWORK)
    genres = tuple(sorted(set(head.classes) - {OTHER}))
    return Classifier(name, BUNDLED_CLIP_S, genres, (predict,), (network,), max_outside=float(head.max_outside))


def _load_trained(name: Name, project: Project) -> Classifier:
    from songgenre import params

    settings = params.load_params(project.params)
    models = _models(name, project)
    needs_networks, needs_features = "transfer" in models, any(model != "transfer" for model in models)
    return Classifier(
        models[0] if name == "sklearn" else name,
        settings.wrangling.clip_duration_s,
        _genres(models[0], project),
        tuple(_load_predictor(model, project) for model in models),
        _networks() if needs_networks else (),
        settings.features if needs_features else None,
    )


def _load_predictor(model: str, project: Project) -> Predictor:
    if model == "cnn":
        return _load_cnn(project)
    from songgenre.models.storage import load_sklearn

    fitted = load_sklearn(_file(model, project))

    def predict(inputs: ClipInputs) -> ClipPrediction:
        X = _embedding_row(inputs) if model == "transfer" else inputs.descriptors
        expected = fitted.feature_names_in_
        if list(X.columns) != list(expected):
            raise UserError(
                f"{model}: trained on {len(expected)} descriptors, but params.yaml sets {X.shape[1]} others. "
                "Run `dvc repro`."
            )
        return ClipPrediction(pd.Series(fitted.predict_proba(X)[0], index=fitted.classes_))

    return predict


def _embedding_row(inputs: ClipInputs) -> pd.DataFrame:
    from songgenre.models.embeddings import columns

    return pd.DataFrame([inputs.embedding], columns=columns())


def _load_cnn(project: Project) -> Predictor:
    from songgenre.models import cnn
    from songgenre.models.crops import MelDataset
    from songgenre.models.storage import load_keras

    with suppress_native_stderr():
        model = load_keras(_file("cnn", project))
    genres = list(_genres("cnn", project))

    def predict(inputs: ClipInputs) -> ClipPrediction:
        mel = inputs.mel
        n_mels, crop_frames = model.input_shape[1:3]
        if mel.shape[0] != n_mels or mel.shape[1] < crop_frames:
            raise UserError(
                f"cnn: trained on mel spectrograms of {n_mels} bands and at least {crop_frames} frames, but "
                f"params.yaml sets {mel.shape[0]} and {mel.shape[1]}. Run `dvc repro`."
            )
        song = MelDataset(mel[np.newaxis], rows=np.array([0]), labels=np.array([0]))
        return ClipPrediction(pd.Series(cnn.predict_probabilities(model, song)[0], index=genres))

    return predict


def _best_of_sklearn(project: Project) -> str:
    from songgenre.evaluation.files import read_metrics
    from songgenre.evaluation.metrics import compare_models
    from songgenre.params import load_params

    metric = load_params(project.params).sklearn.metric
    return str(compare_models(read_metrics(project.metrics("sklearn")), metric).index[0])


def _networks() -> tuple[Network, ...]:
    """Load the pretrained networks of the project, or else of the cache."""
    from songgenre.models import embeddings

    return tuple(embeddings.load_networks(pretrained_folder()))


def pretrained_folder() -> Path:
    """Find the folder with the weights of the networks; download them into the cache if they are missing.

    Returns
    -------
    Path
        Folder of the project, or else of the cache.

    Raises
    ------
    UserError
        If the weights are neither there nor can be downloaded.
    """
    from songgenre.models import musicnn_weights

    try:
        of_project = Project.find().pretrained
    except UserError:
        of_project = None
    if of_project and _is_complete(of_project):
        return of_project
    folders = cache_folders()
    for folder in folders:
        if _is_complete(folder / "pretrained"):
            return folder / "pretrained"
    writable = next(filter(_is_writable, folders), folders[0])
    downloaded = (
        folder / "wheels" for folder in folders if (folder / "wheels" / musicnn_weights.MUSICNN.file).is_file()
    )
    musicnn_weights.extract_weights(next(downloaded, writable / "wheels"), writable / "pretrained")
    return writable / "pretrained"


def _is_writable(folder: Path) -> bool:
    """Make a folder, if it is missing, and tell whether files can be written there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _is_complete(folder: Path) -> bool:
    from songgenre.models.musicnn_weights import NETWORKS

    return all((folder / f"{network}.npz").is_file() for network in NETWORKS)
