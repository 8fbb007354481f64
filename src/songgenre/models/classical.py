"""scikit-learn classifiers on descriptors, tuned by grid search in folds that keep artists together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from songgenre.compute import joblib_backend
from songgenre.errors import UserError
from songgenre.progress import track

Grid = Mapping[str, Sequence[Any]]

ESTIMATORS: dict[str, Callable[[int], Any]] = {
    "baseline": lambda seed: DummyClassifier(strategy="prior"),
    "logistic_regression": lambda seed: LogisticRegression(max_iter=5000),
    "k_nearest_neighbours": lambda seed: KNeighborsClassifier(),
    "svm": lambda seed: CalibratedClassifierCV(SVC(), ensemble=False, cv=3),
    "random_forest": lambda seed: RandomForestClassifier(random_state=seed),
    "gradient_boosting": lambda seed: HistGradientBoostingClassifier(random_state=seed),
}


class _WatchedGridSearch(GridSearchCV):
    """Grid search that shows how far it is."""

    def __init__(self, description: str, estimator: Pipeline, param_grid: Grid, **options: Any) -> None:
        super().__init__(estimator, param_grid, **options)
        self.description = description

    def _run_search(self, evaluate_candidates: Callable[[list[dict[str, Any]]], Any]) -> None:
        candidates = list(ParameterGrid(self.param_grid))
        size = joblib.effective_n_jobs(self.n_jobs)
        for start in track(range(0, len(candidates), size), self.description, -(-len(candidates) // size)):
            evaluate_candidates(candidates[start : start + size])


def tune(
    grids: Mapping[str, Grid], X: pd.DataFrame, y: pd.Series, artist_groups: pd.Series, folds: int, seed: int
) -> Iterator[tuple[str, GridSearchCV]]:
    """Tune each model by grid search, scored by accuracy in stratified folds that keep artists together.

    Parameters
    ----------
    grids : mapping
        The models to tune (keys of `ESTIMATORS`), each with the values to try for its parameters.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
    y : pd.Series [shape=(n_tracks,)]
        Genres.
    artist_groups : pd.Series [shape=(n_tracks,)]
    folds : int
    seed : int

    Yields
    ------
    name : str
    search : GridSearchCV
        Fitted; its ``best_estimator_`` is refitted on all of `X`.

    Raises
    ------
    UserError
        If a model or one of its parameters is unknown, or there are too few artists for the folds.
    """
    unknown = set(grids) - set(ESTIMATORS)
    if unknown:
        raise UserError(
            f"Expected the models in sklearn.grids to be among {', '.join(ESTIMATORS)}; "
            f"got {', '.join(sorted(unknown))}."
        )
    fewest = artist_groups.groupby(y).nunique()
    if fewest.min() < folds:
        raise UserError(
            f"Expected at least {folds} artists of each genre to tune in {folds} folds, but {fewest.idxmin()} has "
            f"{fewest.min()}. Lower sklearn.folds or add music."
        )
    cv = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    searches = {}
    for name, grid in grids.items():
        pipeline = make_pipeline(StandardScaler(), ESTIMATORS[name](seed))
        searches[name] = _WatchedGridSearch(
            f"tuning {name.replace('_', ' ')}",
            pipeline,
            _addressed(grid, pipeline),
            cv=cv,
            n_jobs=-1,
            error_score="raise",
        )
    for name, search in searches.items():
        with joblib_backend():
            search.fit(X, y, groups=artist_groups)
        yield name, search


def cross_validated(
    name: str, grid: Grid, X: pd.DataFrame, y: pd.Series, artist_groups: pd.Series, folds: int, seed: int
) -> pd.Series:
    """Predict every song by a model that was tuned and fitted without its artist (nested cross-validation).

    Parameters
    ----------
    name : str
        Of the model, a key of `ESTIMATORS`.
    grid, X, y, artist_groups, folds, seed
        As for `tune`; there are as many outer folds as inner ones.

    Returns
    -------
    pd.Series [shape=(n_tracks,)]
        The predicted genres, with the index of `y`.
    """
    predicted = []
    outer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for learn, test in outer.split(X, y, artist_groups):
        inner = X.iloc[learn], y.iloc[learn], artist_groups.iloc[learn]
        [(_, search)] = tune({name: grid}, *inner, folds, seed)
        predicted.append(pd.Series(search.predict(X.iloc[test]), index=y.index[test]))
    return pd.concat(predicted).loc[y.index]


def _addressed(grid: Grid, pipeline: Pipeline) -> dict[str, Sequence[Any]]:
    """The grid with each parameter's full name within the pipeline."""
    step, model = pipeline.steps[-1]
    prefix = f"{step}__estimator__" if isinstance(model, CalibratedClassifierCV) else f"{step}__"
    addressed = {prefix + parameter: values for parameter, values in grid.items()}
    known = pipeline.get_params()
    for parameter in addressed:
        if parameter not in known:
            raise UserError(
                f"Expected a parameter of {type(model).__name__} in sklearn.grids, "
                f"got {parameter.removeprefix(prefix)!r}."
            )
    return addressed


def best_parameters(search: GridSearchCV) -> str:
    """What the search chose, to read: ``C=1, gamma='scale'``."""
    chosen = search.best_params_.items()
    return ", ".join(f"{name.rsplit('__', 1)[-1]}={value!r}" for name, value in chosen)


def probabilities(model: Pipeline, X: pd.DataFrame) -> pd.DataFrame:
    """Probability of each genre [shape=(n_tracks, n_genres)]."""
    return pd.DataFrame(np.asarray(model.predict_proba(X)), index=X.index, columns=model.classes_)
