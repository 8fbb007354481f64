"""scikit-learn classifiers on descriptors, tuned by grid search in folds that keep artists together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectPercentile, VarianceThreshold, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from songgenre.compute import joblib_backend
from songgenre.errors import UserError
from songgenre.evaluation.metrics import tabulate_predictions
from songgenre.params import LOCAL, Compute
from songgenre.progress import progress_bar

Grid = Mapping[str, Sequence[Any]]

N_QUANTILES = 10
"""Enough to spread a skewed descriptor evenly, few enough for a small corpus."""


ROUNDING_VARIANCE = 1e-8
"""Of a number of an embedding that is the same for all music, but for rounding; it must not be brought to one scale."""

CALIBRATION_FOLDS = 3
"""In which the temperature of the probabilities is learned."""


def _impute() -> SimpleImputer:
    """What replaces missing values."""
    return SimpleImputer(strategy="median", keep_empty_features=True)


def _scale() -> list[Any]:
    """What brings descriptors of any unit and shape to one scale."""
    return [_impute(), QuantileTransformer(n_quantiles=N_QUANTILES, subsample=None), StandardScaler()]


def _calibrate(model: SVC | LinearDiscriminantAnalysis) -> CalibratedClassifierCV:
    """Probabilities for the decisions of a model, by one temperature (Guo et al. 2017), which changes no decision."""
    return CalibratedClassifierCV(model, method="temperature", ensemble=False, cv=CALIBRATION_FOLDS)


PIPELINES: dict[str, Callable[[int], Pipeline]] = {
    "baseline": lambda seed: make_pipeline(DummyClassifier(strategy="prior")),
    "logistic_regression": lambda seed: make_pipeline(
        *_scale(), PCA(0.95, svd_solver="full"), LogisticRegression(max_iter=5000)
    ),
    "lda": lambda seed: make_pipeline(
        VarianceThreshold(ROUNDING_VARIANCE),
        StandardScaler(),
        PCA(svd_solver="full"),
        _calibrate(LinearDiscriminantAnalysis(solver="lsqr")),
    ),
    "k_nearest_neighbours": lambda seed: make_pipeline(*_scale(), KNeighborsClassifier(metric="cosine")),
    "svm": lambda seed: make_pipeline(*_scale(), _calibrate(SVC())),
    "random_forest": lambda seed: make_pipeline(_impute(), RandomForestClassifier(random_state=seed)),
    "extra_trees": lambda seed: make_pipeline(_impute(), ExtraTreesClassifier(random_state=seed)),
    "gradient_boosting": lambda seed: make_pipeline(
        _impute(),
        VarianceThreshold(),
        SelectPercentile(f_classif, percentile=50),
        HistGradientBoostingClassifier(max_bins=32, random_state=seed),
    ),
}
"""From what is known of a song to its genre. Missing values are filled in; trees need no scale."""

SOFT_VOTING = "soft_voting"
"""The mean of the probabilities of several tuned models."""


class _WatchedGridSearch(GridSearchCV):
    """Grid search that shows how far it is."""

    def __init__(self, description: str, estimator: Pipeline, param_grid: Grid, **options: Any) -> None:
        super().__init__(estimator, param_grid, **options)
        self.description = description

    def _run_search(self, evaluate_candidates: Callable[[list[dict[str, Any]]], Any]) -> None:
        candidates = list(ParameterGrid(self.param_grid))
        size = joblib.effective_n_jobs(self.n_jobs)
        for start in progress_bar(range(0, len(candidates), size), self.description, -(-len(candidates) // size)):
            evaluate_candidates(candidates[start : start + size])


def check_grids(grids: Mapping[str, Grid]) -> None:
    """Check the names of models and of their parameters.

    Parameters
    ----------
    grids : mapping
        ``sklearn.grids`` of ``params.yaml``.

    Raises
    ------
    UserError
        If a model is not one of `PIPELINES`, or does not have a parameter.
    """
    unknown = set(grids) - set(PIPELINES)
    if unknown:
        raise UserError(
            f"params.yaml: sklearn.grids names {', '.join(sorted(unknown))}, which is no model. "
            f"Choose from {', '.join(PIPELINES)}."
        )
    for name, grid in grids.items():
        _prefix_grid(grid, PIPELINES[name](0))


def grid_search(
    grids: Mapping[str, Grid],
    X: pd.DataFrame,
    y: pd.Series,
    artist_groups: pd.Series,
    folds: int,
    seed: int,
    compute: Compute = LOCAL,
    within: str = "",
) -> Iterator[tuple[str, GridSearchCV]]:
    """Tune each model by grid search, scored by accuracy in stratified folds that keep artists together.

    Parameters
    ----------
    grids : mapping
        The models to tune (keys of `PIPELINES`), each with the values to try for its parameters.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
    y : pd.Series [shape=(n_tracks,)]
        Genres.
    artist_groups : pd.Series [shape=(n_tracks,)]
    folds : int
    seed : int
    compute : Compute
        Where the work is done.
    within : str
        Which part of a longer computation this is, for the progress display.

    Yields
    ------
    name : str
    search : GridSearchCV
        Fitted; its ``best_estimator_`` is refitted on all of `X`.

    Raises
    ------
    UserError
        If a model or one of its parameters is unknown, or there are too few artists or songs for the folds.
    """
    check_grids(grids)
    fewest = artist_groups.groupby(y).nunique()
    if fewest.min() < folds:
        raise UserError(
            f"Expected at least {folds} artists of each genre to tune in {folds} folds, but {fewest.idxmin()} has "
            f"{fewest.min()}. Lower sklearn.folds or add music."
        )
    cv = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    _check_songs([y.iloc[learn] for learn, _ in cv.split(X, y, artist_groups)])
    searches = {}
    for name, grid in grids.items():
        pipeline = PIPELINES[name](seed)
        searches[name] = _WatchedGridSearch(
            f"tuning {name.replace('_', ' ')}{within}",
            pipeline,
            _prefix_grid(grid, pipeline),
            cv=cv,
            n_jobs=-1,
            error_score="raise",
        )
    for name, search in searches.items():
        with joblib_backend(compute), threadpool_limits(1):
            search.fit(X, y.to_numpy(), groups=artist_groups)  # as an array: scikit-learn 1.9 asks for y[0]
        yield name, search


def _check_songs(learned_from: Sequence[pd.Series]) -> None:
    """Raise if a genre has too few songs in one of the folds that are learned from."""
    for y in learned_from:
        songs = y.value_counts()
        if songs.min() < CALIBRATION_FOLDS:
            raise UserError(
                f"Expected at least {CALIBRATION_FOLDS} songs of each genre to learn from in every fold, but one has "
                f"{songs.min()} of {songs.idxmin()}. Lower sklearn.folds or add music."
            )


def refit_best(
    searches: Mapping[str, GridSearchCV], soft_voting_members: Sequence[str], X: pd.DataFrame, y: pd.Series
) -> dict[str, Pipeline | VotingClassifier]:
    """The tuned models, and the one that they vote for with their probabilities.

    Parameters
    ----------
    searches : mapping
        What `grid_search` yields.
    soft_voting_members : sequence of str
        Which of them vote; none for no voting.
    X, y
        As for `grid_search`; each member is fitted to them.

    Returns
    -------
    dict
        From name to fitted model; `SOFT_VOTING` is the last.

    Raises
    ------
    UserError
        If a member was not tuned.
    """
    strangers = sorted(set(soft_voting_members) - set(searches))
    if strangers:
        raise UserError(
            f"Expected sklearn.soft_voting_members to be among the models of sklearn.grids, {', '.join(searches)}; "
            f"got {', '.join(strangers)}."
        )
    models = {name: search.best_estimator_ for name, search in searches.items()}
    if soft_voting_members:
        voting = VotingClassifier([(name, models[name]) for name in soft_voting_members], voting="soft")
        with threadpool_limits(1):
            models[SOFT_VOTING] = voting.fit(X, y)
    return models


def nested_cross_validate(
    grids: Mapping[str, Grid],
    soft_voting_members: Sequence[str],
    X: pd.DataFrame,
    tracks: pd.DataFrame,
    folds: int,
    repeats: int,
    seed: int,
    compute: Compute = LOCAL,
) -> pd.DataFrame:
    """Predict every song by models that were tuned and fitted without its artist (nested cross-validation).

    Parameters
    ----------
    grids, soft_voting_members, X, folds, seed, compute
        As for `grid_search` and `refit_best`; there are as many outer folds as inner ones.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, rows as in `X`.
    repeats : int
        How often, each time with other folds: which artists are in a fold together is luck.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.NESTED` of all models, fold by fold, repeat by repeat.
    """
    y, artist_groups = tracks["genre"], tracks["artist_group"]
    predictions = []
    for repeat in range(repeats):
        outer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repeat)
        for fold, (learn, test) in enumerate(outer.split(X, y, artist_groups), start=repeat * folds + 1):
            inner = X.iloc[learn], y.iloc[learn]
            within = f", nested fold {fold} of {folds * repeats}"
            searches = dict(grid_search(grids, *inner, artist_groups.iloc[learn], folds, seed, compute, within))
            models = refit_best(searches, soft_voting_members, *inner)
            predictions.append(predict_genres(models, X.iloc[test], tracks.iloc[test]).assign(repeat=repeat))
    return pd.concat(predictions, ignore_index=True)


def predict_genres(
    models: Mapping[str, Pipeline | VotingClassifier], X: pd.DataFrame, tracks: pd.DataFrame
) -> pd.DataFrame:
    """Ask every model about the same songs.

    Parameters
    ----------
    models : mapping
        Fitted.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, rows as in `X`.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS`.
    """
    predictions = [
        tabulate_predictions(name, tracks, predict_probabilities(model, X)) for name, model in models.items()
    ]
    return pd.concat(predictions, ignore_index=True)


def _prefix_grid(grid: Grid, pipeline: Pipeline) -> dict[str, Sequence[Any]]:
    """The grid with each parameter's full name within the pipeline."""
    step, model = pipeline.steps[-1]
    prefix = f"{step}__estimator__" if isinstance(model, CalibratedClassifierCV) else f"{step}__"
    addressed = {prefix + parameter: values for parameter, values in grid.items()}
    parameters = pipeline.get_params()
    for parameter in addressed:
        if parameter not in parameters:
            raise UserError(
                f"params.yaml: sklearn.grids has {parameter.removeprefix(prefix)!r}, which is no parameter of "
                f"{type(model).__name__}. See scikit-learn's documentation of that class."
            )
    return addressed


def summarize(searches: Mapping[str, GridSearchCV]) -> pd.DataFrame:
    """What was ``chosen`` for each model, to read, and its ``accuracy in tuning folds``."""
    return pd.DataFrame(
        {
            "chosen": {name: format_best_parameters(search) for name, search in searches.items()},
            "accuracy in tuning folds": {name: search.best_score_ for name, search in searches.items()},
        }
    ).rename_axis("model")


def format_best_parameters(search: GridSearchCV) -> str:
    """What the search chose, to read: ``C=1, gamma='scale'``."""
    chosen = search.best_params_.items()
    return ", ".join(f"{name.rsplit('__', 1)[-1]}={value!r}" for name, value in chosen)


def predict_probabilities(model: Pipeline | VotingClassifier, X: pd.DataFrame) -> pd.DataFrame:
    """Probability of each genre [shape=(n_tracks, n_genres)]."""
    return pd.DataFrame(np.asarray(model.predict_proba(X)), index=X.index, columns=model.classes_)
