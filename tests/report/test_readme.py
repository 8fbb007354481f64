"""What the README says of the results, against what was measured."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from songgenre.errors import UserError
from songgenre.evaluation.files import read_metrics, write_metrics
from songgenre.evaluation.metrics import Metrics
from songgenre.paths import Project
from songgenre.report import readme
from songgenre.tables.files import write_table
from songgenre.tables.tracks import TRACKS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, measured: "Callable[[float], Metrics]") -> Project:
    """A project that has run on four songs."""
    project = Project(tmp_path)
    tracks = pd.DataFrame({"track_id": list("abcd"), "audio_path": [f"{name}.mp3" for name in "abcd"]})
    tracks = tracks.assign(sha256="0" * 64, genre=["jazz", "jazz", "rock", "rock"], title=None)
    tracks = tracks.assign(artist=["X", "x ", "Y", "Z"], artist_group=["x", "x", "y", "z"], collection="c")
    tracks = tracks.assign(duration_s=30.0, sample_rate=22_050)
    tracks = tracks.assign(channels=1, clip_start_s=0.0, clip_duration_s=30.0, split=["train", "test", "train", "test"])
    write_table(tracks.astype({"title": "str"}), TRACKS, project.tracks)
    write_metrics({"baseline": measured(0.25), "deep_net": measured(0.75)}, project.metrics("evaluation"))
    project.plot("nested").parent.mkdir(parents=True)
    pd.DataFrame({"model": ["baseline"], "accuracy": [0.5], "ci95_low": [0.4], "ci95_high": [0.6]}).to_csv(
        project.plot("nested"), index=False
    )
    pd.DataFrame({"test": ["random CV"], "songs": [4], "accuracy": [0.625]}).to_csv(
        project.plot("protocols"), index=False
    )
    pd.DataFrame({"test": ["leave-one-collection-out: c"], "songs": [4], "accuracy": [0.375]}).to_csv(
        project.plot("protocols_cnn"), index=False
    )
    log = project.log("01_scraping")
    log.parent.mkdir(parents=True)
    log.write_text(json.dumps({"started": "now", "seconds": 12.6, "peak_anonymous_mib": 300, "finished": True}))
    text = f"# Title\n\n{readme.START}\nold\n{readme.END}\n\nThe rest.\n"
    (tmp_path / "README.md").write_text(text)
    return project


def test_what_was_measured_is_kept_and_shown(project: Project) -> None:
    readme.save_results(project, "my_music")
    kept = readme.load_results(project)["my_music"]
    assert kept.songs == {"test": 2, "train": 2}
    assert (kept.artists, kept.genres) == (3, {"jazz": 2, "rock": 2})
    text = (project.root / "README.md").read_text()
    assert text.startswith("# Title\n")
    assert text.endswith("\nThe rest.\n")
    assert "\nold\n" not in text
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    _, test, nested = rows[0]
    assert re.search(r"my music.*\b2\b", test)
    assert re.search(r"my music.*\b4\b", nested)
    assert rows[2] == ["deep net", "0.75 (0.65 to 0.85)", ""]
    assert rows[3] == ["baseline", "0.25 (0.15 to 0.35)", "0.50 (0.40 to 0.60)"]
    assert [heading.split(", ")[-1] for heading in rows[4][1:]] == ["my music", "my music"]
    assert rows[6:8] == [["random CV", "0.62", ""], ["leave-one-collection-out: c", "", "0.38"]]
    assert rows[10] == ["01_scraping", "13, 300"]


def test_another_corpus_stands_beside_it_and_the_same_one_is_replaced(project: Project) -> None:
    readme.save_results(project, "first")
    readme.save_results(project, "second")
    once = (project.root / "README.md").read_text()
    readme.save_results(project, "second")
    assert (project.root / "README.md").read_text() == once
    assert list(readme.load_results(project)) == ["first", "second"]
    assert re.search(r"\| first.* \| first.* \| second.* \| second", once)


def test_clone_without_logs_keeps_what_the_stages_took(project: Project) -> None:
    readme.save_results(project, "first")
    before = readme.load_results(project)["first"]
    shutil.rmtree(project.log("any").parent)
    readme.save_results(project, "first")
    readme.save_results(project, "second")
    kept = readme.load_results(project)
    assert kept["first"].stages == before.stages != {}
    assert kept["second"].stages == {}


@pytest.mark.parametrize("name", ["", "../up", "Über", "a b", "9lives"])
def test_name_that_is_none_is_refused(project: Project, name: str) -> None:
    with pytest.raises(UserError, match=re.escape(repr(name))):
        readme.save_results(project, name)


def test_readme_without_a_place_for_results_is_named(project: Project) -> None:
    (project.root / "README.md").write_text("# Title\n")
    with pytest.raises(UserError, match="<!-- results -->"):
        readme.save_results(project, "demo")


def test_run_that_is_missing_says_what_to_do(project: Project) -> None:
    project.plot("nested").unlink()
    with pytest.raises(UserError, match="dvc repro"):
        readme.save_results(project, "demo")


def test_damaged_results_are_named(project: Project) -> None:
    readme.save_results(project, "demo").write_text("{}")
    with pytest.raises(UserError, match=r"demo\.json.*songgenre dev results"):
        readme.load_results(project)


def test_tables_of_the_readme_are_those_of_the_results() -> None:
    text = (ROOT / "README.md").read_text()
    assert readme.insert_results(text, readme.load_results(Project(ROOT))) == text


def test_results_of_the_demonstration_are_those_of_the_committed_metrics() -> None:
    kept = readme.load_results(Project(ROOT))["demo"].test
    metrics = read_metrics(Project(ROOT).metrics("evaluation"))
    assert {name: score.accuracy for name, score in kept.items()} == {
        name: score.accuracy for name, score in metrics.items()
    }


def test_results_hold_nothing_of_the_machine() -> None:
    for path in (ROOT / "docs" / "results").glob("*.json"):
        assert not re.search(r"\"/|\d{4}-\d\d-\d\dT", path.read_text())
