"""scikit-learn classifiers, tuned by grid search in artist-grouped folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
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
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils._param_validation import InvalidParameterError
from threadpoolctl import threadpool_limits

from songgenre.compute import joblib_backend, parallel_map
from songgenre.errors import UserError, did_you_mean
from songgenre.evaluation.metrics import tabulate_predictions
from songgenre.params import LOCAL, Compute
from songgenre.progress import progress_bar

Grid = Mapping[str, Sequence[Any]]

N_QUANTILES = 10
"""Number of quantiles: enough to spread a skewed descriptor evenly, few enough for a small corpus."""


ROUNDING_VARIANCE = 1e-8
"""Highest variance of a constant embedding dimension, from rounding; standardization would amplify the rounding."""

CALIBRATION_FOLDS = 3
"""Number of folds in which the temperature of the probabilities is fitted."""


def _impute() -> SimpleImputer:
    """Build the imputer of missing values."""
    return SimpleImputer(strategy="median", keep_empty_features=True)


def _scale() -> list[Any]:
    """Build the steps that bring descriptors of any unit and distribution to one scale."""
    return [_impute(), QuantileTransformer(n_quantiles=N_QUANTILES, subsample=None), StandardScaler()]


def _calibrate(model: SVC | LinearDiscriminantAnalysis) -> CalibratedClassifierCV:
    """Calibrate a model by temperature scaling (`guo2017calibration`), which does not change the predicted genres."""
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
"""Functions that build a classifier from a seed, by name; those for descriptors impute missing values."""

SOFT_VOTING = "soft_voting"
"""Name of the model that averages the probabilities of several tuned models."""


class _WatchedGridSearch(GridSearchCV):
    """Grid search with a progress bar."""

    def __init__(self, description: str, estimator: Pipeline, param_grid: Grid, **options: Any) -> None:
        super().__init__(estimator, param_grid, **options)
        self.description = description

    def _run_search(self, evaluate_candidates: Callable[[list[dict[str, Any]]], Any]) -> None:
        candidates = list(ParameterGrid(self.param_grid))
        size = joblib.effective_n_jobs(self.n_jobs)
        for start in progress_bar(range(0, len(candidates), size), self.description, -(-len(candidates) // size)):
            evaluate_candidates(candidates[start : start + size])


def check_grids(grids: Mapping[str, Grid]) -> None:
    """Check the names of the models and of their parameters, and the values of these.

    Parameters
    ----------
    grids : mapping
        ``sklearn.grids`` of ``params.yaml``: from the name of a model to the values of its parameters.

    Raises
    ------
    UserError
        If a model is not one of `PIPELINES`, has no parameter of that name, or does not accept one of the values.
    """
    unknown = set(grids) - set(PIPELINES)
    if unknown:
        raise UserError(
            f"params.yaml: sklearn.grids: no model is called {', '.join(sorted(unknown))}."
            f"{did_you_mean(min(unknown), PIPELINES)} Choose from {', '.join(PIPELINES)}."
        )
    for name, grid in grids.items():
        pipeline = PIPELINES[name](0)
        _prefix_grid(grid, pipeline)
        _check_values(name, grid, _tuned_step(pipeline)[1])


def grid_search(
    grids: Mapping[str, Grid],
    X: pd.DataFrame,
    y: pd.Series,
    artist_groups: pd.Series,
    folds: int,
    seed: int,
    compute: Compute = LOCAL,
) -> Iterator[tuple[str, GridSearchCV]]:
    """Tune each model by grid search, scored by accuracy in artist-grouped stratified folds.

    Parameters
    ----------
    grids : mapping
        From the name of a model (a key of `PIPELINES`) to the values to try for its parameters.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Descriptors or embeddings.
    y : pd.Series [shape=(n_tracks,)]
        Genres.
    artist_groups : pd.Series [shape=(n_tracks,)]
        Artist of each song.
    folds : int
        Number of folds.
    seed : int
        Seed of the models and of the folds.
    compute : Compute
        Section ``compute`` of ``params.yaml``: local processes or a Dask cluster.

    Yields
    ------
    name : str
        Name of the model.
    search : GridSearchCV
        Fitted search; its ``best_estimator_`` is refitted to all songs.

    Raises
    ------
    UserError
        If a model or one of its parameters is unknown, or a genre has too few artists or songs for the folds.
    """
    check_grids(grids)
    cv = _artist_folds(X, y, artist_groups, folds, seed)
    for name, grid in grids.items():
        pipeline = PIPELINES[name](seed)
        search = _WatchedGridSearch(
            f"tuning {name.replace('_', ' ')}",
            pipeline,
            _prefix_grid(grid, pipeline),
            cv=cv,
            n_jobs=-1,
            error_score="raise",
        )
        with joblib_backend(compute), threadpool_limits(1):
            search.fit(X, y.to_numpy(), groups=artist_groups)  # scikit-learn 1.9 indexes y[0], which a Series may lack
        yield name, search


def _artist_folds(
    X: pd.DataFrame, y: pd.Series, artist_groups: pd.Series, folds: int, seed: int
) -> StratifiedGroupKFold:
    """Make artist-grouped stratified folds, and raise if a genre has too few artists or songs for them."""
    fewest = artist_groups.groupby(y).nunique()
    if fewest.min() < folds:
        raise UserError(
            f"Genre {fewest.idxmin()!r} has only {fewest.min()} artists; tuning in {folds} folds needs {folds}. "
            "Lower sklearn.folds (in 07_transfer: transfer.folds) or add music."
        )
    cv = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    _check_songs([y.iloc[learn] for learn, _ in cv.split(X, y, artist_groups)])
    return cv


def _check_songs(learned_from: Sequence[pd.Series]) -> None:
    """Raise if a genre has too few training songs in one of the folds."""
    for y in learned_from:
        songs = y.value_counts()
        if songs.min() < CALIBRATION_FOLDS:
            raise UserError(
                f"Genre {songs.idxmin()!r} has only {songs.min()} training songs in one fold; calibration needs "
                f"{CALIBRATION_FOLDS}. Lower sklearn.folds (in 07_transfer: transfer.folds) or add music."
            )


def refit_best(
    searches: Mapping[str, GridSearchCV], soft_voting_members: Sequence[str], X: pd.DataFrame, y: pd.Series
) -> dict[str, Pipeline | VotingClassifier]:
    """Collect the tuned models, and fit their soft vote.

    Parameters
    ----------
    searches : mapping
        From the name of a model to its fitted search, as `grid_search` yields them.
    soft_voting_members : sequence of str
        Names of the models that vote; no model votes if it is empty.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Descriptors or embeddings, to which each voting model is fitted.
    y : pd.Series [shape=(n_tracks,)]
        Genres.

    Returns
    -------
    dict
        From name to fitted model; `SOFT_VOTING` is the last.

    Raises
    ------
    UserError
        If a voting model was not tuned.
    """
    strangers = sorted(set(soft_voting_members) - set(searches))
    if strangers:
        raise UserError(
            f"params.yaml: sklearn.soft_voting_members: {', '.join(strangers)} not tuned."
            f"{did_you_mean(strangers[0], searches)} Choose from the models of sklearn.grids: {', '.join(searches)}."
        )
    models = {name: search.best_estimator_ for name, search in searches.items()}
    if soft_voting_members:
        members = [(name, FrozenEstimator(models[name])) for name in soft_voting_members]
        models[SOFT_VOTING] = VotingClassifier(members, voting="soft").fit(X, y)
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

    Tuning within each outer fold avoids the optimistic bias that Varma and Simon describe (`varma2006bias`).

    Parameters
    ----------
    grids : mapping
        From the name of a model to the values to try for its parameters.
    soft_voting_members : sequence of str
        Names of the models that vote.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Descriptors or embeddings.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, rows as in `X`.
    folds : int
        Number of outer folds, and of inner folds within each.
    repeats : int
        Number of repetitions with other folds, because results depend on which artists share a fold.
    seed : int
        Seed of the models and of the folds.
    compute : Compute
        Section ``compute`` of ``params.yaml``: local processes or a Dask cluster.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.NESTED` of all models, fold by fold and repeat by repeat.

    Raises
    ------
    UserError
        As `grid_search` and `refit_best`.
    """
    check_grids(grids)
    y, artist_groups = tracks["genre"], tracks["artist_group"]
    splits = [
        (repeat, learn, test)
        for repeat in range(repeats)
        for learn, test in StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repeat).split(
            X, y, artist_groups
        )
    ]
    predict = partial(
        _predict_outer_fold,
        grids=grids,
        soft_voting_members=soft_voting_members,
        X=X,
        tracks=tracks,
        folds=folds,
        seed=seed,
    )
    predictions = parallel_map(predict, splits, "nested cross-validation", compute, remote_ok=True)
    return pd.concat(predictions, ignore_index=True)


def _predict_outer_fold(
    split: tuple[int, np.ndarray, np.ndarray],
    grids: Mapping[str, Grid],
    soft_voting_members: Sequence[str],
    X: pd.DataFrame,
    tracks: pd.DataFrame,
    folds: int,
    seed: int,
) -> pd.DataFrame:
    """Tune and fit every model on the training songs of one outer fold, and predict its test songs.

    The steps before the classifier are fitted once per inner fold; the values of a grid and the models that begin with
    the same steps share them.
    """
    repeat, learn, test = split
    X_learn, y, artist_groups = X.iloc[learn], tracks["genre"].iloc[learn], tracks["artist_group"].iloc[learn]
    cv = _artist_folds(X_learn, y, artist_groups, folds, seed)
    searches = {}
    with TemporaryDirectory() as fitted_steps:
        for name, grid in grids.items():
            pipeline = PIPELINES[name](seed).set_params(memory=fitted_steps)
            search = GridSearchCV(pipeline, _prefix_grid(grid, pipeline), cv=cv, error_score="raise")
            searches[name] = search.fit(X_learn, y.to_numpy(), groups=artist_groups)
        models = refit_best(searches, soft_voting_members, X_learn, y)
    return predict_genres(models, X.iloc[test], tracks.iloc[test]).assign(repeat=repeat)


def predict_genres(
    models: Mapping[str, Pipeline | VotingClassifier], X: pd.DataFrame, tracks: pd.DataFrame
) -> pd.DataFrame:
    """Predict the genres of the same songs by every model.

    Parameters
    ----------
    models : mapping
        From name to fitted model.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Descriptors or embeddings.
    tracks : pd.DataFrame
        `songgenre.tables.tracks.TRACKS`, rows as in `X`.

    Returns
    -------
    pd.DataFrame
        `songgenre.tables.predictions.PREDICTIONS` of all models.
    """
    with threadpool_limits(1):
        predictions = [
            tabulate_predictions(name, tracks, predict_probabilities(model, X)) for name, model in models.items()
        ]
    return pd.concat(predictions, ignore_index=True)


def _prefix_grid(grid: Grid, pipeline: Pipeline) -> dict[str, Sequence[Any]]:
    """Prefix each parameter with the name of its step in the pipeline."""
    prefix, model = _tuned_step(pipeline)
    addressed = {prefix + parameter: values for parameter, values in grid.items()}
    parameters = pipeline.get_params()
    for parameter in addressed:
        if parameter not in parameters:
            raise UserError(
                f"params.yaml: sklearn.grids: {parameter.removeprefix(prefix)!r} is not a parameter of "
                f"{type(model).__name__}. See scikit-learn's documentation of that class."
            )
    return addressed


def _tuned_step(pipeline: Pipeline) -> tuple[str, BaseEstimator]:
    """Return the classifier that a grid addresses, and the prefix of its parameters."""
    step, model = pipeline.steps[-1]
    if isinstance(model, CalibratedClassifierCV):
        return f"{step}__estimator__", model.estimator
    return f"{step}__", model


def _check_values(name: str, grid: Grid, model: BaseEstimator) -> None:
    """Let scikit-learn check each value as it would when the model is fitted."""
    for parameter, values in grid.items():
        for value in values:
            try:
                clone(model).set_params(**{parameter: value})._validate_params()
            except InvalidParameterError as error:
                raise UserError(f"params.yaml: sklearn.grids.{name}: {error} Correct the grid.") from None


def summarize(searches: Mapping[str, GridSearchCV]) -> pd.DataFrame:
    """Tabulate the results of tuning.

    Parameters
    ----------
    searches : mapping
        From the name of a model to its fitted search.

    Returns
    -------
    pd.DataFrame
        A row per model: the ``chosen`` parameters as text, and ``accuracy in tuning folds``.
    """
    return pd.DataFrame(
        {
            "chosen": {name: format_best_parameters(search) for name, search in searches.items()},
            "accuracy in tuning folds": {name: search.best_score_ for name, search in searches.items()},
        }
    ).rename_axis("model")


def format_best_parameters(search: GridSearchCV) -> str:
    """Format the parameters that a grid search chose.

    Parameters
    ----------
    search : GridSearchCV
        Fitted search.

    Returns
    -------
    str
        Such as ``C=1, gamma='scale'``.
    """
    chosen = search.best_params_.items()
    return ", ".join(f"{name.rsplit('__', 1)[-1]}={value!r}" for name, value in chosen)


def predict_probabilities(model: Pipeline | VotingClassifier, X: pd.DataFrame) -> pd.DataFrame:
    """Predict the probability of each genre.

    Parameters
    ----------
    model : Pipeline or VotingClassifier
        Fitted model.
    X : pd.DataFrame [shape=(n_tracks, n_descriptors)]
        Descriptors or embeddings.

    Returns
    -------
    pd.DataFrame [shape=(n_tracks, n_genres)]
        Index as in `X`, a column per genre.
    """
    return pd.DataFrame(np.asarray(model.predict_proba(X)), index=X.index, columns=model.classes_)
