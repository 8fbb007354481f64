import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.datasets import make_classification
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from songgenre.errors import UserError
from songgenre.models.classical import SOFT_VOTING
from songgenre.models.pipelines import PIPELINES
from songgenre.models.storage import load_keras, load_sklearn, save_keras, save_sklearn
from songgenre.params import Network

NAMES = [*PIPELINES, SOFT_VOTING]

FIT_AND_SAVE = """
import sys
from pathlib import Path
from sklearn.datasets import make_classification
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from songgenre.models.pipelines import PIPELINES
from songgenre.params import Network
from songgenre.models.storage import save_sklearn

X, y = make_classification(150, 8, n_informative=5, n_classes=3, random_state=0)
models = {name: make(1) for name, make in PIPELINES.items()}
models["random_forest"][-1].set_params(n_estimators=5)
models["extra_trees"][-1].set_params(n_estimators=5)
models["gradient_boosting"][-1].set_params(max_iter=3)
members = [(name, FrozenEstimator(model.fit(X, y.astype(str)))) for name, model in models.items()]
models["soft_voting"] = VotingClassifier(members, voting="soft").fit(X, y.astype(str))
for name, model in reversed(models.items()):
    save_sklearn(model, Path(sys.argv[1]) / f"{name}.skops")
"""


def songs() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(150, 8, n_informative=5, n_classes=3, random_state=0)
    return X, y.astype(str)


def fit(name: str) -> Pipeline | VotingClassifier:
    models = {each: make(1) for each, make in PIPELINES.items()}
    models["random_forest"][-1].set_params(n_estimators=5)
    models["extra_trees"][-1].set_params(n_estimators=5)
    models["gradient_boosting"][-1].set_params(max_iter=3)
    fitted = {each: model.fit(*songs()) for each, model in models.items() if name in (each, SOFT_VOTING)}
    if name != SOFT_VOTING:
        return fitted[name]
    members = [(each, FrozenEstimator(model)) for each, model in fitted.items()]
    return VotingClassifier(members, voting="soft").fit(*songs())


fitted = cache(fit)


@pytest.fixture(scope="module")
def saved_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what another process fitted and saved."""
    folder = tmp_path_factory.mktemp("models")
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", FIT_AND_SAVE, str(folder)], env=one_thread, check=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_loaded_model_predicts_the_same(tmp_path: Path, name: str) -> None:
    model, (X, _) = fitted(name), songs()
    save_sklearn(model, tmp_path / "new" / "model.skops")
    loaded = load_sklearn(tmp_path / "new" / "model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.classes_.tolist() == ["0", "1", "2"]


@pytest.mark.parametrize("name", NAMES)
def test_equal_models_are_equal_files(tmp_path: Path, name: str) -> None:
    save_sklearn(fitted(name), tmp_path / "one")
    save_sklearn(fit(name), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.integration
@pytest.mark.parametrize("name", NAMES)
def test_equal_models_of_two_processes_are_equal_files(saved_elsewhere: Path, tmp_path: Path, name: str) -> None:
    with threadpool_limits(1):
        save_sklearn(fit(name), tmp_path / "here")
    assert (tmp_path / "here").read_bytes() == (saved_elsewhere / f"{name}.skops").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_saving_what_was_loaded_gives_the_same_file(tmp_path: Path, name: str) -> None:
    """Also where the memory that the model lies in was used before."""
    save_sklearn(fitted(name), tmp_path / "one")
    save_sklearn(load_sklearn(tmp_path / "one"), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_another_model_is_another_file(tmp_path: Path) -> None:
    X, y = songs()
    save_sklearn(PIPELINES["svm"](1).fit(X, y), tmp_path / "one")
    save_sklearn(PIPELINES["svm"](1).fit(X + X**2, y), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() != (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("step", [FunctionTransformer(subprocess.run), FunctionTransformer(kw_args={"a": Fraction(1)})])
def test_type_that_is_not_trusted_is_refused(tmp_path: Path, step: FunctionTransformer) -> None:
    skops.io.dump(make_pipeline(step), tmp_path / "model.skops")
    with pytest.raises(UserError, match=r"(subprocess\.run|fractions\.Fraction)") as error:
        load_sklearn(tmp_path / "model.skops")
    assert "model.skops" in str(error.value)


def garbage(path: Path, kind: str) -> Path:
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "not a model")
    elif kind == "zip of the right names":
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("schema.json", "config.json", "metadata.json"):
                archive.writestr(name, "not a model")
    else:
        path.write_bytes({"empty": b"", "text": b"not a model\n" * 100}[kind])
    return path


KINDS = ["empty", "text", "zip", "zip of the right names"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_skops_archive_is_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match=r"model\.skops"):
        load_sklearn(garbage(tmp_path / "model.skops", kind))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_keras_archive_is_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match=r"model\.keras"):
        load_keras(garbage(tmp_path / "model.keras", kind))


def test_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.skops.*dvc repro"):
        load_sklearn(tmp_path / "model.skops")
    with pytest.raises(UserError, match=r"model\.keras"):
        load_keras(tmp_path / "model.keras")


@pytest.mark.integration
def test_saving_a_loaded_network_gives_one_that_predicts_the_same(tmp_path: Path) -> None:
    from songgenre.models import cnn

    rng = np.random.default_rng(0)
    model = cnn.build_network(32, 32, 3, Network(architecture="residual", filters=[8, 16], dropout=0.1))
    model.set_weights([weights + 0.1 * rng.random(weights.shape) for weights in model.get_weights()])
    save_keras(model, tmp_path / "model.keras")
    model = load_keras(tmp_path / "model.keras")
    save_keras(model, tmp_path / "new" / "again.keras")
    image = np.random.default_rng(0).integers(256, size=(4, 32, 32, 1)).astype(np.float32)
    loaded = load_keras(tmp_path / "new" / "again.keras")
    np.testing.assert_array_equal(loaded.predict(image, verbose=0), model.predict(image, verbose=0))


def test_network_with_code_in_it_is_refused(tmp_path: Path) -> None:
    import keras

    layers = [keras.layers.Input((2,)), keras.layers.Lambda(lambda x: x)]
    save_keras(keras.Sequential(layers), tmp_path / "model.keras")
    with pytest.raises(UserError, match=r"model\.keras.*Lambda"):
        load_keras(tmp_path / "model.keras")


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("load", [load_sklearn, load_keras])
@pytest.mark.parametrize("ending", ["pkl", "skops", "keras", "h5"])
def test_pickle_is_refused_and_not_run(tmp_path: Path, load: Callable[[Path], Any], ending: str) -> None:
    path = tmp_path / f"model.{ending}"
    path.write_bytes(pickle.dumps(Hostile(tmp_path / "ran")))
    with pytest.raises(UserError, match=rf"model\.{ending}"):
        load(path)
    assert not (tmp_path / "ran").exists()
    pickle.loads(path.read_bytes())
    assert (tmp_path / "ran").exists(), "the pickle is hostile"


def test_array_of_a_skops_archive_that_holds_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    save_sklearn(fitted("svm"), tmp_path / "model.skops")
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    array = io.BytesIO()
    np.save(array, np.array([Hostile(tmp_path / "ran")], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, array.getvalue() if name.endswith(".npy") else content)
    with pytest.raises(UserError, match=r"model\.skops"):
        load_sklearn(tmp_path / "model.skops")
    assert not (tmp_path / "ran").exists()


def test_network_that_names_a_function_to_call_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    import keras

    save_keras(keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]), tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    call = {"module": "os", "class_name": "function", "config": "mkdir", "registered_name": "mkdir"}
    config["config"]["layers"][1]["config"]["activation"] = call
    config["config"]["layers"].append(
        {"module": "os", "class_name": "mkdir", "config": {"path": str(tmp_path / "ran")}, "registered_name": None}
    )
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name, content in (members | {"config.json": json.dumps(config).encode()}).items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match=r"model\.keras"):
        load_keras(tmp_path / "model.keras")
    assert not (tmp_path / "ran").exists()
