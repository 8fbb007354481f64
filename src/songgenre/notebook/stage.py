"""Outputs of a notebook: those of the pipeline where it runs as a stage, a scratch folder where it is run by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from IPython.display import Markdown, display

from songgenre.paths import Project

STAGE_VARIABLE = "SONGGENRE_STAGE"
"""Environment variable of a kernel: the name of the notebook that it executes as a stage."""


@dataclass(frozen=True)
class Stage:
    """A running notebook. By hand, it reads what the pipeline wrote, and replaces nothing of it.

    Parameters
    ----------
    name : str
        Name of the notebook, for example ``"05_sklearn"``.
    project : Project
        Project whose files the notebook reads.
    is_official : bool
        Whether the notebook is executed as a stage of the pipeline.
    """

    name: str
    project: Project
    is_official: bool

    @classmethod
    def start(cls, name: str) -> Self:
        """Start a notebook in the project around the working folder; display where it writes, if it is run by hand.

        Parameters
        ----------
        name : str
            Name of the notebook, for example ``"05_sklearn"``.

        Returns
        -------
        Stage
            The running notebook.
        """
        stage = cls(name, Project.find(), os.environ.get(STAGE_VARIABLE) == name)
        if not stage.is_official:
            text = f"Run by hand: inputs are those of the pipeline; outputs are written to `scratch/{name}/`."
            display(Markdown(text))
        return stage

    def output(self, path: Path) -> Path:
        """Return the place to which the notebook writes a file or a folder, and from which it reads it again.

        Parameters
        ----------
        path : Path
            File or folder of the project.

        Returns
        -------
        Path
            `path` in a stage of the pipeline; by hand, the same relative path in ``scratch/<name>``.
        """
        if self.is_official:
            return path
        return self.project.scratch / self.name / path.relative_to(self.project.root)

    def save(self, *outputs: tuple[Any, ...]) -> None:
        """Write the outputs of the notebook.

        Parameters
        ----------
        *outputs : tuple
            Function that writes a file, its arguments but the last, and its last argument, a path of the project:
            ``(write_table, tracks, TRACKS, project.tracks)``.
        """
        for write, *content, path in outputs:
            write(*content, self.output(path))
