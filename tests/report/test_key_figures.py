"""The key figure of each notebook."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from songgenre.evaluation.metrics import Metrics
from songgenre.paths import Project
from songgenre.report.key_figures import key_figure
from songgenre.report.scores import Model
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import write_table


def counted(project: Project, name: str, *models: Model) -> list[str]:
    """The numbers in a figure."""
    return re.findall(r"\d+", " ".join(key_figure(project, name, models)))


@pytest.fixture
def project(tmp_path: Path, write_corpus: Callable[[Project], pd.DataFrame]) -> Project:
    project = Project(tmp_path)
    write_corpus(project)
    descriptors = pd.DataFrame({"track_id": ["demo-000000000000"], "rms_mean": [0.1], "tempo": [120.0]})
    write_table(descriptors, DESCRIPTORS, project.descriptors)
    return project


def test_songs_artists_and_numbers_are_counted(project: Project) -> None:
    assert counted(project, "02_wrangling") == ["12", "13"]
    assert counted(project, "03_eda") == ["3", "2"]
    assert counted(project, "04_features") == ["2"]


def test_a_notebook_of_models_shows_its_best_and_the_last_the_best_of_all(
    project: Project, measured: Callable[[float], Metrics]
) -> None:
    models = [
        Model("cnn", "cnn", "06_cnn", measured(0.8)),
        Model("soft_voting", "sklearn", "05_sklearn", measured(0.7)),
        Model("svm", "sklearn", "05_sklearn", measured(0.6)),
        Model("baseline", "transfer", "07_transfer", measured(0.2)),
    ]
    for name, number, model in (("05_sklearn", "70 %", "soft voting"), ("08_evaluation", "80 %", "CNN")):
        shown = key_figure(project, name, models)
        assert shown.number == number
        assert model in shown.words
    assert key_figure(project, "07_transfer", models) is None


def test_what_is_not_there_is_not_counted(tmp_path: Path) -> None:
    names = ["01_scraping", "02_wrangling", "03_eda", "04_features", "05_sklearn", "08_evaluation"]
    assert [key_figure(Project(tmp_path), name, []) for name in names] == [None] * len(names)
