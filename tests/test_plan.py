import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from songgenre.models.pipelines import build_pipeline
from songgenre.params import load_params
from songgenre.paths import Project
from songgenre.plan import fits
from songgenre.plan.estimates import StageEstimate, estimate_stages, find_obstacles
from songgenre.plan.fits import Fit
from songgenre.plan.rates import Rates
from songgenre.tables.descriptors import DESCRIPTORS
from songgenre.tables.files import read_table, write_table
from songgenre.tables.tracks import TRACKS

if TYPE_CHECKING:
    from conftest import Clone

ROOT = Path(__file__).parents[1]
LINEAR = [(n, Fit(0, 0.001 * n, 0, 0.0002 * n, 0.0003 * n)) for n in (300, 900)]
THREE_GENRES = pd.DataFrame({"genre": ["blues", "jazz", "rock"]})
RATES = Rates(wrangling_s=0.1, duplicates_s=0.01, features_s=0.2, transfer_s=0.3, audio_bytes=1e6, entry_bytes=2e5)


@pytest.fixture
def without_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fit take 1 ms a song, and a prediction 0.5 ms; the search that 05 shows takes no time."""
    monkeypatch.setattr(fits, "_measure_fits", lambda *_: LINEAR)
    monkeypatch.setattr(fits, "N_SHOWN", 0)


def estimates(project: Project, n_songs: int, n_workers: int) -> dict[str, StageEstimate]:
    params = load_params(ROOT / "params.yaml")
    return {each.stage: each for each in estimate_stages(project, params, RATES, n_songs, n_workers)}


@pytest.mark.usefixtures("without_fits")
def test_work_of_songs_is_shared_by_workers(tmp_path: Path) -> None:
    project = Project(tmp_path)
    alone, four, many = (estimates(project, 36_000, n_workers) for n_workers in (1, 4, 1000))
    assert alone["features"].hours - four["features"].hours == pytest.approx(2 - 0.5)
    assert alone["wrangling"].hours - many["wrangling"].hours == pytest.approx(1 - 0.001)
    assert many["wrangling"].hours > 0.1  # one process finds the duplicates


@pytest.mark.usefixtures("without_fits")
def test_disk_and_tables_in_memory_grow_with_the_songs(tmp_path: Path) -> None:
    few, many = (estimates(Project(tmp_path), n, 2) for n in (1_000, 1_000_000))
    assert many["scraping"].disk_gb == pytest.approx(1000 * few["scraping"].disk_gb)
    assert many["transfer"].memory_gb > 1_000_000 * 5 * 4 * 6824 / 1e9
    assert many["features"].memory_gb < 3
    assert few["transfer"].memory_gb < 2


@pytest.mark.usefixtures("without_fits")
def test_time_of_a_stage_that_has_not_run_is_not_known(tmp_path: Path) -> None:
    assert np.isnan(estimates(Project(tmp_path), 1000, 2)["cnn"].hours)


def test_fits_of_a_model_that_the_size_rules_out_do_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measured = []
    monkeypatch.setattr(fits, "_measure_fits", lambda name, *_: measured.append(name) or LINEAR)
    estimates(Project(tmp_path), 100_000, 2)
    assert "random_forest" not in measured
    assert "nystroem_svm" in measured


def test_fits_of_a_model_that_the_genres_rule_out_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr(fits, "_measure_fits", lambda name, *_: measured.append(name) or LINEAR)
    fits.sklearn_seconds(load_params(ROOT / "params.yaml"), pd.DataFrame({"genre": map(str, range(33))}), 20_000, 2)
    assert "gradient_boosting" not in measured
    assert "nystroem_svm" in measured


@pytest.mark.usefixtures("without_fits")
def test_without_models_there_is_no_time_of_fits() -> None:
    params = load_params(ROOT / "params.yaml")
    none = params.model_copy(update={"sklearn": params.sklearn.model_copy(update={"grids": {}})})
    assert fits.sklearn_seconds(none, THREE_GENRES, 3000, 1) == 0


@pytest.mark.usefixtures("without_fits")
def test_halving_and_a_single_split_take_less_time() -> None:
    params = load_params(ROOT / "params.yaml")
    fewer = {"grids": {"svm": {"C": [1, 2, 3]}}, "max_songs": {}, "nested_max_songs": 0, "folds": 5}
    seconds = {}
    for name, changed in {
        "all": {"halving_min_songs": 10**6},
        "halving": {"halving_min_songs": 0},
        "nested": {"halving_min_songs": 0, "nested_max_songs": 10**6},
    }.items():
        sklearn = params.sklearn.model_copy(update=fewer | changed)
        seconds[name] = fits.sklearn_seconds(params.model_copy(update={"sklearn": sklearn}), THREE_GENRES, 3000, 1)
    n_training = 3000 * (1 - params.wrangling.test_fraction)
    scored = 5 * (0.8 * 0.001 + 0.2 * 0.0005)  # s of a candidate, for each song
    final = n_training * 0.001 + (3000 - n_training) * 0.0005
    assert seconds["all"] == pytest.approx(3 * scored * n_training + final)
    assert seconds["halving"] == pytest.approx((3 / 3 + 1) * scored * n_training + final)
    nested = 5 * sklearn.repeats * (3 * scored * 0.8 * 3000 + 0.8 * 3000 * 0.001 + 0.2 * 3000 * 0.0005)
    curves = 3 * 5 * ((0.2 + 0.4 + 0.6 + 0.8 + 1) * 0.8 * 0.001 + 5 * 0.2 * 0.0005) * 3000
    protocols = 2 * scored * 3000
    assert seconds["nested"] - seconds["halving"] == pytest.approx(nested + curves + protocols)


@pytest.mark.usefixtures("without_fits")
def test_two_combinations_are_tried_on_all_songs() -> None:
    params = load_params(ROOT / "params.yaml")
    grids = {"grids": {"svm": {"C": [1, 2]}}, "max_songs": {}, "nested_max_songs": 0}
    seconds = [
        fits.sklearn_seconds(
            params.model_copy(
                update={"sklearn": params.sklearn.model_copy(update=grids | {"halving_min_songs": least})}
            ),
            THREE_GENRES,
            3000,
            1,
        )
        for least in (0, 10**6)
    ]
    assert seconds[0] == seconds[1]


@pytest.mark.usefixtures("without_fits")
@pytest.mark.parametrize(("n_songs", "n_repeats"), [(5000, 3), (5001, 0)])
def test_fits_of_the_linear_model_on_embeddings_count(n_songs: int, n_repeats: int) -> None:
    params = load_params(ROOT / "params.yaml")
    n_training = n_songs * (1 - params.wrangling.test_fraction)
    searched = 5 * 2 * (0.8 * 0.001 + 0.2 * 0.0005)  # s of all candidates, for each song
    tuned = (searched + 0.001) * n_training + 0.0005 * (n_songs - n_training)
    nested = (searched + 0.001) * 0.8 * n_songs + 0.0005 * 0.2 * n_songs
    expected = tuned + n_repeats * 5 * nested
    assert fits.transfer_seconds(params, n_songs, 1) == pytest.approx(expected)


def test_seconds_of_a_fit_follow_the_power_between_the_measurements() -> None:
    quadratic = [(n, Fit(n * 1e-3, n**2 * 1e-6)) for n in (300, 900)]
    assert fits._predict_fit(quadratic, 9000) == pytest.approx((9, 9000**2 * 1e-6, 0, 0, 0))
    assert fits._predict_fit([(300, Fit(0, 0.5)), (900, Fit(0, 0.5))], 9000) == pytest.approx((0, 5, 0, 0, 0))


def test_nested_search_fits_the_steps_once_for_all_candidates_and_calibrates_the_best() -> None:
    config = load_params(ROOT / "params.yaml").transfer
    steps, classifier, calibration = (
        fits._nested_seconds(config, 4, lambda _, fit=fit: fit, 100) for fit in (Fit(1, 0), Fit(0, 1), Fit(0, 0, 1))
    )
    n_outer = config.repeats * config.folds
    assert steps == n_outer * (config.folds + 1)
    assert classifier == n_outer * (4 * config.folds + 1)
    assert calibration == n_outer


def test_shuffles_of_descriptors_take_time(monkeypatch: pytest.MonkeyPatch) -> None:
    quadratic = [(n, Fit(0, 0, prediction_s=n**2 * 1e-6)) for n in (300, 900)]
    monkeypatch.setattr(fits, "_measure_fits", lambda *_: quadratic)
    monkeypatch.setattr(fits, "N_CURVES", 0)
    params = load_params(ROOT / "params.yaml")
    sample = pd.DataFrame({"genre": ["jazz", "rock"], "mfcc_01_mean": 0.0, "mfcc_02_mean": 0.0, "tempo": 0.0})
    grids = {"baseline": {}, "sgd": {}, "logistic_regression": {}}

    def seconds(repeats: int) -> float:
        only = {"grids": grids, "min_songs": {}, "permutation_repeats": repeats}
        changed = params.model_copy(update={"sklearn": params.sklearn.model_copy(update=only)})
        return fits.sklearn_seconds(changed, sample, 10_000, 1)

    n_training, n_test_songs, n_descriptors = 8_000, 0.2 * params.sklearn.nested_max_songs, 2
    one_model = 7 * n_descriptors * n_training * n_test_songs * 1e-6 / joblib.cpu_count()
    assert seconds(7) - seconds(0) == pytest.approx(one_model)


@pytest.mark.usefixtures("without_fits")
def test_first_search_counts_although_the_size_rules_its_model_out(monkeypatch: pytest.MonkeyPatch) -> None:
    params = load_params(ROOT / "params.yaml")
    without = fits.sklearn_seconds(params, THREE_GENRES, 100_000, 1)
    monkeypatch.setattr(fits, "N_SHOWN", 4)
    n_seen = 0.8 * params.sklearn.nested_max_songs
    seconds = 4 * 5 * (0.8 * 0.001 + 0.2 * 0.0005) * n_seen / joblib.cpu_count()
    assert fits.sklearn_seconds(params, THREE_GENRES, 100_000, 1) - without == pytest.approx(seconds)


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_fits_are_measured_with_the_weights_of_the_project(class_weight: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = []

    def build(name: str, seed: int, weight: str, n_genres: int) -> Pipeline:
        weights.append(weight)
        return build_pipeline(name, seed, weight, n_genres)

    monkeypatch.setattr(fits, "build_pipeline", build)
    sample = pd.DataFrame({"tempo": np.arange(1, 101.0), "genre": ["common"] * 90 + ["rare"] * 10})
    config = load_params(ROOT / "params.yaml").sklearn.model_copy(update={"class_weight": class_weight})
    fits._measure_fits("logistic_regression", sample, config)
    assert set(weights) == {class_weight}


def test_fits_are_measured_on_the_mix_of_genres_and_without_equal_songs() -> None:
    sample = pd.DataFrame({"tempo": np.arange(1, 101.0), "genre": ["common"] * 90 + ["rare"] * 10})
    X, y = fits._draw_songs(sample, 900, seed=0)
    assert np.unique(X).size == len(X) == 900
    assert (y == "rare").mean() == pytest.approx(0.1, abs=0.03)


def test_imbalanced_sample_can_be_fitted() -> None:
    rng = np.random.default_rng(0)
    genres = ["common"] * 400 + ["rare"]
    sample = pd.DataFrame(rng.standard_normal((401, 5))).assign(genre=genres)
    (few, less), (many, more) = fits._measure_fits("svm", sample, load_params(ROOT / "params.yaml").sklearn)
    assert (few, many) == fits.FIT_SONGS
    assert min(*less, *more) > 0


@pytest.mark.parametrize(("first", "is_read"), [(0, True), (100, False)])
def test_descriptors_of_other_songs_are_no_sample(
    first: int, is_read: bool, tmp_path: Path, write_corpus: Callable[[Project], pd.DataFrame]
) -> None:
    project = Project(tmp_path)
    tracks = write_corpus(project)
    ids = [f"demo-{number:012x}" for number in range(first, first + len(tracks))]
    descriptors = pd.DataFrame({"track_id": ids, "tempo": 120.0})
    write_table(descriptors, DESCRIPTORS, project.descriptors)
    sample = fits.sample_descriptors(project, load_params(ROOT / "params.yaml").features)
    assert (set(sample) == {"tempo", "genre"}) == is_read
    assert sample["genre"].nunique() > 1


def test_generated_songs_have_the_descriptors_that_the_parameters_select(tmp_path: Path) -> None:
    features = load_params(ROOT / "params.yaml").features.model_copy(update={"feature_set": "fma"})
    assert len(fits.sample_descriptors(Project(tmp_path), features).columns) == 518 + 1


@pytest.mark.parametrize(
    ("need", "named"),
    [
        (StageEstimate("transfer", 1, 1e6, 0), "transfer.*memory"),
        (StageEstimate("scraping", 1, 1, 1e9), "disk"),
        (StageEstimate("sklearn", 1e5, 1, 1), "sklearn.*days"),
    ],
)
def test_what_cannot_end_is_named(need: StageEstimate, named: str, tmp_path: Path) -> None:
    [obstacle] = find_obstacles([need, StageEstimate("cnn", np.nan, 1, 1)], tmp_path)
    assert re.search(named, obstacle)


@pytest.mark.integration
def test_command_scales_the_last_run_of_a_stage(small: "Clone") -> None:
    log = json.loads((small.root / "reports" / "logs" / "06_cnn.json").read_text())
    n_songs = len(read_table(TRACKS, small.root / "data" / "clean" / "tracks.parquet"))
    told = small.run("songgenre", "plan", "--songs", str(10 * n_songs))
    [cnn] = [line for line in told.splitlines() if line.startswith("cnn")]
    _, time, unit, *_ = cnn.split()
    minutes = float(time) * {"min": 1, "h": 60}[unit]
    assert minutes == pytest.approx(10 * log["seconds"] / 60, rel=0.1)
