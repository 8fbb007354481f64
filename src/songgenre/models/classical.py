"""scikit-learn classifiers, tuned by grid search in artist-grouped folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import psutil
from sklearn.ensemble import VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, ParameterGrid, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from songgenre.compute import joblib_backend, parallel_map
from songgenre.errors import UserError, did_you_mean
from songgenre.evaluation.metrics import tabulate_predictions
from songgenre.models.pipelines import (
    CALIBRATION_FOLDS,
    Grid,
    build_pipeline,
    check_grids,
    prefix_grid,
    tuned_step,
    without_calibration,
)
from songgenre.params import LOCAL, ClassWeight, Compute, Metric
from songgenre.progress import progress_bar
from songgenre.runtime.temporary import temporary_folder

Folds = list[tuple[np.ndarray, np.ndarray]]

HALVING_FACTOR = 3
"""Factor by which the songs grow from one round of a successive halving to the next."""

FIT_TABLES = 4
"""Tables of the size of all training songs that the process of a fit holds at the same time, as measured."""

SOFT_VOTING = "soft_voting"
"""Name of the model that averages the probabilities of several tuned models."""


class Tuning(NamedTuple):
    """How models are tuned.

    Parameters
    ----------
    metric : {"accuracy", "balanced_accuracy", "f1_macro"}
        Metric that the parameters maximize, as scikit-learn names it.
    class_weight : {"none", "balanced"}
        See `songgenre.models.pipelines.build_pipeline`.
    halving_min_songs : float
        Number of training songs from which the grid search is a successive halving, in which only the better
        parameters are tried on all songs (`jamieson2016halving` in docs/references.bib).
    """

    metric: Metric = "accuracy"
    class_weight: ClassWeight = "none"
    halving_min_songs: float = np.inf


DEFAULT_TUNING = Tuning()
"""Every song counts the same, and every combination of parameters is tried on all songs."""


class Tuned(NamedTuple):
    """A tuned model.

    Parameters
    ----------
    search : GridSearchCV or HalvingGridSearchCV
        Fitted search of the model without calibration.
    model : Pipeline
        Calibrated model with the best parameters, fitted to all songs.
    """

    search: GridSearchCV | HalvingGridSearchCV
    model: Pipeline


class _Watched:
    """Mixin of a search: a progress bar that advances by as many candidates at a time as there are processes."""

    description = "tuning"
    n_jobs: int

    def _run_search(self, evaluate_candidates: Callable[..., Any], *, callback_ctx: Any) -> None:
        def evaluate_in_steps(
            candidates: Iterable[dict[str, Any]],
            cv: Any = None,
            more_results: Mapping[str, Sequence[Any]] | None = None,
            callback_ctx: Any = None,  # counts the fits for scikit-learn's callbacks, of which there are none
        ) -> Any:
            candidates, more_results = list(candidates), more_results or {}
            size = joblib.effective_n_jobs(self.n_jobs)
            steps = [slice(start, start + size) for start in range(0, len(candidates), size)]
            evaluated = (
                evaluate_candidates(candidates[step], cv, {name: each[step] for name, each in more_results.items()})
                for step in steps
            )
            halving_round = f", round {more_results['iter'][0] + 1}" if "iter" in more_results else ""
            *_, results = progress_bar(evaluated, self.description + halving_round, len(steps))
            return results

        super()._run_search(evaluate_in_steps, callback_ctx=callback_ctx)  # type: ignore[misc]


class _WatchedGridSearch(_Watched, GridSearchCV): ...


class _WatchedHalving(_Watched, HalvingGridSearchCV): ...


def grid_search(
    grids: Mapping[str, Grid],
    X: pd.DataFrame,
    y: pd.Series,
    artist_groups: pd.Series,
    folds: int,
    seed: int,
    compute: Compute = LOCAL,
    tuning: Tuning = DEFAULT_TUNING,
) -> Iterator[tuple[str, Tuned]]:
    """Tune each model by grid search, scored in artist-grouped stratified folds.

    Only the model with the best parameters is calibrated, because calibration changes no score.

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
    tuning : Tuning
        Metric, weights and kind of search.

    Yields
    ------
    name : str
        Name of the model.
    tuned : Tuned
        Its search, and the model with the best parameters.

    Raises
    ------
    UserError
        If a model or one of its parameters is unknown, or a genre has too few artists or songs for the folds.
    """
    check_grids(grids)
    cv = _artist_folds(X, y, artist_groups, folds, seed)
    for name, grid in grids.items():
        pipeline = build_pipeline(name, seed, tuning.class_weight, y.nunique())
        search = _make_search(name, grid, pipeline, y, seed, tuning, cv, _n_jobs(X, compute))
        with joblib_backend(compute), threadpool_limits(1):
            tuned = _tune(search, pipeline, X, y, artist_groups)
        yield name, tuned


def _tune(
    search: GridSearchCV | HalvingGridSearchCV, pipeline: Pipeline, X: pd.DataFrame, y: pd.Series, groups: pd.Series
) -> Tuned:
    """Fit a search, then the pipeline with the best parameters."""
    genres = y.to_numpy()  # scikit-learn 1.9 indexes y[0], which a Series may lack
    search.fit(X, genres, groups=groups)
    (prefix, _), (searched, _) = tuned_step(pipeline), tuned_step(search.estimator)
    best = {prefix + name.removeprefix(searched): value for name, value in search.best_params_.items()}
    return Tuned(search, pipeline.set_params(**best).fit(X, genres))


def _n_jobs(X: pd.DataFrame, compute: Compute) -> int:
    """Return the number of processes: all of a cluster, or those of this machine that have room for their tables."""
    if compute.scheduler:
        return -1
    table = int(X.memory_usage().sum())
    room = psutil.virtual_memory().available - table  # which joblib shares with the processes
    return min(joblib.cpu_count(), max(1, room // (FIT_TABLES * table)))


def _make_search(
    name: str, grid: Grid, pipeline: Pipeline, y: pd.Series, seed: int, tuning: Tuning, cv: Folds, n_jobs: int
) -> GridSearchCV | HalvingGridSearchCV:
    """Make the search for the parameters of a model: successive halving for many songs, otherwise all combinations."""
    searched = without_calibration(pipeline)
    values = prefix_grid(grid, searched)
    options = {"cv": cv, "n_jobs": n_jobs, "scoring": tuning.metric, "refit": False, "error_score": "raise"}
    has_priors = getattr(tuned_step(searched)[1], "priors", None) is not None  # for which every round needs every genre
    search: GridSearchCV | HalvingGridSearchCV
    if not has_priors and is_halved(len(ParameterGrid(values)), len(y), y.nunique(), len(cv), tuning.halving_min_songs):
        search = _WatchedHalving(
            searched,
            values,
            factor=HALVING_FACTOR,
            min_resources=len(y) // HALVING_FACTOR,
            random_state=seed,
            return_train_score=False,  # unlike a grid search, a halving computes it by default
            **options,
        )
    else:
        search = _WatchedGridSearch(searched, values, **options)
    search.description = f"tuning {name.replace('_', ' ')}"
    return search


def is_halved(n_candidates: int, n_songs: int, n_genres: int, folds: int, min_songs: float) -> bool:
    """Tell whether a grid search is a successive halving of two rounds.

    Parameters
    ----------
    n_candidates : int
        Number of combinations of parameters, of which the best third is tried on all songs.
    n_songs, n_genres : int
        Number of training songs and of their genres.
    folds : int
        Number of folds.
    min_songs : float
        Number of training songs from which a search is a halving.

    Returns
    -------
    bool
        False too if there are fewer than three combinations, or if scikit-learn would call the songs of the first
        round too few: two for each genre and fold.
    """
    enough = 2 * folds * n_genres
    return n_songs >= min_songs and n_candidates >= HALVING_FACTOR and n_songs // HALVING_FACTOR >= enough


def _artist_folds(X: pd.DataFrame, y: pd.Series, artist_groups: pd.Series, folds: int, seed: int) -> Folds:
    """Make artist-grouped stratified folds, and raise if a genre has too few artists or songs for them."""
    fewest = artist_groups.groupby(y).nunique()
    if fewest.min() < folds:
        raise UserError(
            f"Genre {fewest.idxmin()!r} has only {fewest.min()} artists; tuning in {folds} folds needs {folds}. "
            "Lower sklearn.folds (in 07_transfer: transfer.folds) or add music."
        )
    cv = list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(X, y, artist_groups))
    _check_songs([y.iloc[learn] for learn, _ in cv])
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
    searches: Mapping[str, Tuned], soft_voting_members: Sequence[str], X: pd.DataFrame, y: pd.Series
) -> dict[str, Pipeline | VotingClassifier]:
    """Collect the tuned models, and fit their soft vote.

    Parameters
    ----------
    searches : mapping
        From the name of a model to the result of `grid_search`.
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
    models: dict[str, Pipeline | VotingClassifier] = {name: tuned.model for name, tuned in searches.items()}
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
    tuning: Tuning = DEFAULT_TUNING,
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
    tuning : Tuning
        Metric and weights; every combination of parameters is tried.

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
        tuning=tuning,
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
    tuning: Tuning,
) -> pd.DataFrame:
    """Tune and fit every model on the training songs of one outer fold, and predict its test songs.

    The steps before the classifier are fitted once per inner fold; the values of a grid and the models that begin with
    the same steps share them.
    """
    repeat, learn, test = split
    X_learn, y, artist_groups = X.iloc[learn], tracks["genre"].iloc[learn], tracks["artist_group"].iloc[learn]
    cv = _artist_folds(X_learn, y, artist_groups, folds, seed)
    searches = {}
    with temporary_folder() as fitted_steps:
        for name, grid in grids.items():
            pipeline = build_pipeline(name, seed, tuning.class_weight, y.nunique()).set_params(memory=str(fitted_steps))
            searched = without_calibration(pipeline)
            values = prefix_grid(grid, searched)
            search = GridSearchCV(searched, values, scoring=tuning.metric, cv=cv, refit=False, error_score="raise")
            searches[name] = _tune(search, pipeline, X_learn, y, artist_groups)
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


def summarize(searches: Mapping[str, Tuned]) -> pd.DataFrame:
    """Tabulate the results of tuning.

    Parameters
    ----------
    searches : mapping
        From the name of a model to the result of `grid_search`.

    Returns
    -------
    pd.DataFrame
        A row per model: the ``chosen`` parameters as text, and their ``score in tuning folds``.
    """
    return pd.DataFrame(
        {
            "chosen": {name: format_best_parameters(tuned.search) for name, tuned in searches.items()},
            "score in tuning folds": {name: tuned.search.best_score_ for name, tuned in searches.items()},
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
