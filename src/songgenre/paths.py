"""Paths of the files of a project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from songgenre.errors import UserError


@dataclass(frozen=True)
class Project:
    """Files and folders of one checkout; the README describes them.

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
            If there is none.
        """
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
                return cls(folder)
        raise UserError(
            f"{start}: not inside a project; neither this folder nor one above it holds params.yaml and dvc.yaml. "
            "Change into your clone and try again."
        )

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def raw(self) -> Path:
        return self.root / "data" / "raw"

    @property
    def audio(self) -> Path:
        return self.raw / "audio"

    @property
    def downloads(self) -> Path:
        return self.raw / "downloads"

    @property
    def catalogue(self) -> Path:
        return self.raw / "catalogue.parquet"

    @property
    def tracks(self) -> Path:
        return self.root / "data" / "clean" / "tracks.parquet"

    @property
    def excluded(self) -> Path:
        return self.root / "data" / "clean" / "excluded.parquet"

    @property
    def descriptors(self) -> Path:
        return self.root / "data" / "features" / "descriptors.parquet"

    @property
    def mel(self) -> Path:
        return self.root / "data" / "features" / "mel.npy"

    @property
    def mel_index(self) -> Path:
        return self.root / "data" / "features" / "mel_index.parquet"

    @property
    def feature_cache(self) -> Path:
        return self.root / "data" / "cache" / "features"

    @property
    def embeddings(self) -> Path:
        return self.root / "data" / "features" / "embeddings.parquet"

    @property
    def wheels(self) -> Path:
        return self.root / "data" / "cache" / "wheels"

    @property
    def pretrained(self) -> Path:
        return self.root / "data" / "pretrained"

    @property
    def training_cache(self) -> Path:
        return self.root / "data" / "cache" / "cnn"

    def model(self, stage: str) -> Path:
        """Folder of the models that a stage trains."""
        return self.root / "models" / stage

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def headline(self) -> Path:
        return self.reports / "headline.json"

    def metrics(self, stage: str) -> Path:
        return self.reports / "metrics" / f"{stage}.json"

    def predictions(self, stage: str) -> Path:
        return self.reports / "predictions" / f"{stage}.parquet"

    def plot(self, name: str) -> Path:
        return self.reports / "plots" / f"{name}.csv"

    def executed(self, notebook: str) -> Path:
        return self.reports / "notebooks" / f"{notebook}.ipynb"

    def failed(self, notebook: str) -> Path:
        return self.reports / "failed" / f"{notebook}.ipynb"

    def log(self, notebook: str) -> Path:
        return self.reports / "logs" / f"{notebook}.json"

    @property
    def html(self) -> Path:
        return self.reports / "html"


def cache_folder() -> Path:
    """Find the folder for downloads that can be repeated.

    Returns
    -------
    Path
        ``data/cache`` of the project around the working folder, or else a folder in the user's cache.
    """
    try:
        return Project.find().wheels.parent
    except UserError:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "songgenre"
