"""scikit-learn pipelines of the classifiers, their grids, and the sizes of corpora for which they are meant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectFromModel, SelectPercentile, VarianceThreshold, f_classif
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils._param_validation import InvalidParameterError

from songgenre.errors import UserError, did_you_mean
from songgenre.params import LIMITS, ClassWeight, Sklearn

Grid = Mapping[str, Sequence[Any]]

N_QUANTILES = 10
"""Number of quantiles: enough to spread a skewed descriptor evenly, few enough for a small corpus."""


ROUNDING_VARIANCE = 1e-8
"""Highest variance of a constant embedding dimension, from rounding; standardization would amplify the rounding."""

CALIBRATION_FOLDS = 3
"""Number of folds in which the temperature of the probabilities is fitted."""

N_NYSTROEM = 1000
"""Number of songs on which the approximation of the kernel is based (`williams2000nystroem`)."""


def _impute() -> SimpleImputer:
    """Build the imputer of missing values."""
    return SimpleImputer(strategy="median", keep_empty_features=True)


def _scale() -> list[Any]:
    """Build the steps that bring descriptors of any unit and distribution to one scale."""
    return [_impute(), QuantileTransformer(n_quantiles=N_QUANTILES, subsample=None), StandardScaler()]


def _calibrate(model: SVC | SGDClassifier | LinearDiscriminantAnalysis) -> CalibratedClassifierCV:
    """Calibrate a model by temperature scaling (`guo2017calibration`), which does not change the predicted genres.

    A calibrated model predicts the genre with the highest decision value. `SVC` does so only if it breaks ties.
    """
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
    "lda_without_pca": lambda seed: make_pipeline(
        SelectFromModel(StandardScaler(), threshold=ROUNDING_VARIANCE, importance_getter="var_"),
        StandardScaler(copy=False),
        _calibrate(LinearDiscriminantAnalysis(solver="lsqr")),
    ),
    "k_nearest_neighbours": lambda seed: make_pipeline(*_scale(), KNeighborsClassifier(metric="cosine")),
    "svm": lambda seed: make_pipeline(*_scale(), _calibrate(SVC(break_ties=True))),
    "nystroem_svm": lambda seed: make_pipeline(
        *_scale(),
        Nystroem(n_components=N_NYSTROEM, random_state=seed),
        _calibrate(SGDClassifier(loss="hinge", average=True, random_state=seed)),
    ),
    "sgd": lambda seed: make_pipeline(*_scale(), SGDClassifier(loss="log_loss", average=True, random_state=seed)),
    "random_forest": lambda seed: make_pipeline(_impute(), RandomForestClassifier(random_state=seed)),
    "extra_trees": lambda seed: make_pipeline(_impute(), ExtraTreesClassifier(random_state=seed)),
    "gradient_boosting": lambda seed: make_pipeline(
        _impute(),
        VarianceThreshold(),
        SelectPercentile(f_classif, percentile=50),
        HistGradientBoostingClassifier(max_bins=32, early_stopping=False, random_state=seed),
    ),
}
"""Functions that build a classifier from a seed, by name; those for descriptors impute missing values.

``lda_without_pca`` is ``lda`` for more songs than dimensions, in less memory: PCA is then a rotation, which changes no
probability, and `VarianceThreshold` would convert the table to double precision.
"""


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
    _check_names("grids", grids)
    for name, grid in grids.items():
        pipeline = PIPELINES[name](0)
        prefix_grid(grid, pipeline)
        _check_values(name, grid, tuned_step(pipeline)[1])


def check_models(config: Sklearn) -> None:
    """Check the grids and limits of models.

    Parameters
    ----------
    config : Sklearn
        Section ``sklearn`` of ``params.yaml``.

    Raises
    ------
    UserError
        As `check_grids`, or if a limit names no model of `PIPELINES`.
    """
    check_grids(config.grids)
    for limit in LIMITS:
        _check_names(limit, getattr(config, limit))


def _check_names(parameter: str, names: Collection[str]) -> None:
    unknown = set(names) - set(PIPELINES)
    if unknown:
        raise UserError(
            f"params.yaml: sklearn.{parameter}: no model is called {', '.join(sorted(unknown))}."
            f"{did_you_mean(min(unknown), PIPELINES)} Choose from {', '.join(PIPELINES)}."
        )


def build_pipeline(name: str, seed: int, class_weight: ClassWeight, n_genres: int) -> Pipeline:
    """Build a classifier, with equal weights of the songs or of the genres.

    Parameters
    ----------
    name : str
        A key of `PIPELINES`.
    seed : int
        Seed of the classifier.
    class_weight : {"none", "balanced"}
        Whether every song has the same weight, or every genre. The baseline and nearest neighbors have no weights.
    n_genres : int
        Number of genres.

    Returns
    -------
    Pipeline
        Classifier that is not fitted.
    """
    pipeline = PIPELINES[name](seed)
    prefix, model = tuned_step(pipeline)
    if class_weight == "none":
        return pipeline
    if isinstance(model, LinearDiscriminantAnalysis):
        return pipeline.set_params(**{f"{prefix}priors": [1 / n_genres] * n_genres})
    if "class_weight" in model.get_params():
        return pipeline.set_params(**{f"{prefix}class_weight": "balanced"})
    return pipeline


def without_calibration(pipeline: Pipeline) -> Pipeline:
    """Copy a pipeline without its calibration, which takes most of the time of a fit and changes no predicted genre.

    Parameters
    ----------
    pipeline : Pipeline
        One of `PIPELINES`.

    Returns
    -------
    Pipeline
        Copy that is not fitted, for everything that needs the predicted genres only. Calibration of another kind than
        temperature scaling of one model stays, as it may change predicted genres. Decision values that are equal, or
        differ by rounding, may be resolved otherwise; this occurs where a model has learned nothing.
    """
    copied = clone(pipeline)
    step, model = copied.steps[-1]
    if isinstance(model, CalibratedClassifierCV) and model.method == "temperature" and model.ensemble is False:
        copied.steps[-1] = step, model.estimator
    return copied


def prefix_grid(grid: Grid, pipeline: Pipeline) -> dict[str, Sequence[Any]]:
    """Prefix each parameter with the name of its step in the pipeline.

    Parameters
    ----------
    grid : mapping
        From the name of a parameter of the classifier to the values to try.
    pipeline : Pipeline
        One of `PIPELINES`.

    Returns
    -------
    dict
        The grid, as scikit-learn expects it.

    Raises
    ------
    UserError
        If the classifier has no parameter of that name.
    """
    prefix, model = tuned_step(pipeline)
    addressed = {prefix + parameter: values for parameter, values in grid.items()}
    parameters = pipeline.get_params()
    for parameter in addressed:
        if parameter not in parameters:
            raise UserError(
                f"params.yaml: sklearn.grids: {parameter.removeprefix(prefix)!r} is not a parameter of "
                f"{type(model).__name__}. See scikit-learn's documentation of that class."
            )
    return addressed


def tuned_step(pipeline: Pipeline) -> tuple[str, BaseEstimator]:
    """Return the classifier that a grid addresses.

    Parameters
    ----------
    pipeline : Pipeline
        One of `PIPELINES`.

    Returns
    -------
    prefix : str
        Prefix of its parameters.
    model : BaseEstimator
        The classifier; of a calibrated one, the classifier inside.
    """
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
