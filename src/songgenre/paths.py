"""Paths of the files of a project."""

from __future__ import annotations

import getpass
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from songgenre.errors import UserError

MODEL_SUFFIX = ".songgenre"
"""Ending of the file of an exported model."""


@dataclass(frozen=True)
class Project:
    """Files and folders of one checkout.

    Parameters
    ----------
    root : Path
        The folder that holds ``params.yaml`` and ``dvc.yaml``.
    """

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Self:
        """Find the project around a folder.

        Parameters
        ----------
        start : Path, optional
            Folder to start from; the working folder by default.

        Returns
        -------
        Project
            Project of the nearest folder, upwards, that holds ``params.yaml`` and ``dvc.yaml``.

        Raises
        ------
        UserError
            If there is no such folder, or its ``params.yaml`` is missing.
        """
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
                return cls(folder)
            if (folder / "dvc.yaml").is_file() and (folder / "src" / "songgenre").is_dir():
                raise UserError(f"{folder}: params.yaml is missing. Restore it with `git checkout -- params.yaml`.")
        raise UserError(
            f"{start}: not inside a project; neither this folder nor one above it holds params.yaml and dvc.yaml. "
            "Change into your clone and try again."
        )

    @property
    def origin(self) -> Path:
        """The root; in a copy that DVC made for ``dvc exp run --queue`` or ``--temp``, the root of the original."""
        return next((folder.parents[1] for folder in self.root.parents if folder.match(".dvc/tmp")), self.root)

    @property
    def params(self) -> Path:
        """Parameters of the pipeline."""
        return self.root / "params.yaml"

    @property
    def notebooks(self) -> Path:
        """Folder of the notebooks without results."""
        return self.root / "notebooks"

    @property
    def raw(self) -> Path:
        """Folder of the collected data."""
        return self.root / "data" / "raw"

    @property
    def audio(self) -> Path:
        """Folder of the collected audio."""
        return self.raw / "audio"

    @property
    def downloads(self) -> Path:
        """Folder of interrupted and repeatable downloads of the sources."""
        return self.raw / "downloads"

    @property
    def catalogue(self) -> Path:
        """Table `songgenre.tables.catalogue.CATALOGUE`."""
        return self.raw / "catalogue.parquet"

    @property
    def genres(self) -> Path:
        """Table `songgenre.tables.genres.GENRES`."""
        return self.raw / "genres.parquet"

    @property
    def fingerprint(self) -> Path:
        """Fingerprint of the user's folder of music, see `songgenre.sources.own_music.update_fingerprint`."""
        return self.raw / "folder.json"

    @property
    def tracks(self) -> Path:
        """Table `songgenre.tables.tracks.TRACKS`."""
        return self.root / "data" / "clean" / "tracks.parquet"

    @property
    def excluded(self) -> Path:
        """Exclusion log, table `songgenre.tables.excluded.EXCLUDED`."""
        return self.root / "data" / "clean" / "excluded.parquet"

    @property
    def descriptors(self) -> Path:
        """Table `songgenre.tables.descriptors.DESCRIPTORS`."""
        return self.root / "data" / "features" / "descriptors.parquet"

    @property
    def mel(self) -> Path:
        """Mel spectrograms of all tracks."""
        return self.root / "data" / "features" / "mel.npy"

    @property
    def mel_index(self) -> Path:
        """Table `songgenre.tables.mel_index.MEL_INDEX`."""
        return self.root / "data" / "features" / "mel_index.parquet"

    @property
    def feature_cache(self) -> Path:
        """Cache of the features of each clip."""
        return self.root / "data" / "cache" / "features"

    @property
    def embeddings(self) -> Path:
        """Table `songgenre.tables.embeddings.EMBEDDINGS`."""
        return self.root / "data" / "features" / "embeddings.parquet"

    @property
    def wheels(self) -> Path:
        """Cache of downloaded wheels."""
        return self.root / "data" / "cache" / "wheels"

    @property
    def pretrained(self) -> Path:
        """Folder of the weights of the pretrained networks."""
        return self.root / "data" / "pretrained"

    @property
    def training_cache(self) -> Path:
        """Folder of the checkpoints of the CNN."""
        return self.root / "data" / "cache" / "cnn"

    def model(self, stage: str) -> Path:
        """Return the folder of the models that a stage trains.

        Parameters
        ----------
        stage : str
            Name of the stage.

        Returns
        -------
        Path
            ``models/<stage>``.
        """
        return self.root / "models" / stage

    @property
    def reports(self) -> Path:
        """Folder of metrics, predictions and reports."""
        return self.root / "reports"

    @property
    def headline(self) -> Path:
        """Key figures of the project."""
        return self.reports / "headline.json"

    def metrics(self, stage: str) -> Path:
        """Return the file of the metrics of a stage.

        Parameters
        ----------
        stage : str
            Name of the stage.

        Returns
        -------
        Path
            ``reports/metrics/<stage>.json``.
        """
        return self.reports / "metrics" / f"{stage}.json"

    def predictions(self, stage: str) -> Path:
        """Return the file of the predictions of a stage.

        Parameters
        ----------
        stage : str
            Name of the stage.

        Returns
        -------
        Path
            ``reports/predictions/<stage>.parquet``.
        """
        return self.reports / "predictions" / f"{stage}.parquet"

    def plot(self, name: str) -> Path:
        """Return the file of the data of a DVC plot.

        Parameters
        ----------
        name : str
            Name of the plot.

        Returns
        -------
        Path
            ``reports/plots/<name>.csv``.
        """
        return self.reports / "plots" / f"{name}.csv"

    def executed(self, notebook: str) -> Path:
        """Return the file of an executed notebook.

        Parameters
        ----------
        notebook : str
            Name of the notebook, without its ending.

        Returns
        -------
        Path
            ``reports/notebooks/<notebook>.ipynb``.
        """
        return self.reports / "notebooks" / f"{notebook}.ipynb"

    def failed(self, notebook: str) -> Path:
        """Return the file of a notebook that stopped with an error.

        Parameters
        ----------
        notebook : str
            Name of the notebook, without its ending.

        Returns
        -------
        Path
            ``reports/failed/<notebook>.ipynb``.
        """
        return self.reports / "failed" / f"{notebook}.ipynb"

    def log(self, notebook: str) -> Path:
        """Return the file of the log of a notebook's run.

        Parameters
        ----------
        notebook : str
            Name of the notebook, without its ending.

        Returns
        -------
        Path
            ``reports/logs/<notebook>.json``.
        """
        return self.reports / "logs" / f"{notebook}.json"

    @property
    def scratch(self) -> Path:
        """Folder of the outputs of notebooks that are run by hand."""
        return self.root / "scratch"

    @property
    def html(self) -> Path:
        """Folder of the web pages of the report."""
        return self.reports / "html"


def is_exported_model(name: str) -> bool:
    """Tell whether the name of a model is the path of an exported one.

    Parameters
    ----------
    name : str
        Name or path.

    Returns
    -------
    bool
        True if it ends in `MODEL_SUFFIX`, in upper or lower case.
    """
    return name.lower().endswith(MODEL_SUFFIX)


def cache_folders() -> list[Path]:
    """List the folders for downloads that can be repeated.

    Returns
    -------
    list of Path
        ``data/cache`` of the project around the working folder, or else a folder in the user's cache; and a temporary
        folder of this user, for a cache that is not writable.
    """
    try:
        cache = Project.find().wheels.parent
    except UserError:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "songgenre"
    return [cache, user_temporary_folder("cache")]


def user_temporary_folder(name: str) -> Path:
    """Name a temporary folder that commands of one user share.

    Parameters
    ----------
    name : str
        Its purpose.

    Returns
    -------
    Path
        The folder, which need not exist.
    """
    user = str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
    return Path(tempfile.gettempdir()) / f"songgenre-{name}-{user}"
