"""Storage of models: loading runs no code, and the same model gives the same bytes.

Three things differ between two saves of a model: skops archives contain memory addresses, and uninitialised memory
between the fields of trees; Keras archives contain the date; both contain the time of each member. Archives are
rewritten without them.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import skops.io
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from songgenre.atomic import replacing
from songgenre.errors import UserError

if TYPE_CHECKING:
    import keras

TRUSTED = [
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
]


def save_sklearn(model: Pipeline | VotingClassifier, path: Path) -> None:
    """Save a fitted classifier as a skops archive.

    Parameters
    ----------
    model : Pipeline or VotingClassifier
        Fitted classifier.
    path : Path
        File to write, ending in ``.skops``.
    """
    members = _members(skops.io.dumps(model))
    schema = json.loads(members.pop("schema.json"))
    names: dict[Any, str] = {}
    schema = _rename_members(schema, names)
    arrays = {names[name]: _zero_gaps(content) for name, content in members.items()}
    _write_archive({"schema.json": _json(schema)} | arrays, path)


def save_all(models: Mapping[str, Pipeline | VotingClassifier], folder: Path) -> dict[str, Path]:
    """Save fitted classifiers in a folder.

    Parameters
    ----------
    models : mapping
        From name to fitted classifier.
    folder : Path
        Folder to write to.

    Returns
    -------
    dict of Path
        From name to file, ``NAME.skops``.
    """
    files = {name: folder / f"{name}.skops" for name in models}
    for name, file in files.items():
        save_sklearn(models[name], file)
    return files


def load_sklearn(path: Path) -> Pipeline | VotingClassifier:
    """Load a classifier that `save_sklearn` wrote.

    Parameters
    ----------
    path : Path
        The skops archive.

    Returns
    -------
    Pipeline or VotingClassifier
        The fitted classifier.

    Raises
    ------
    UserError
        If the file is missing, is no such archive, or contains a type that is not trusted.
    """
    try:
        return skops.io.load(path, trusted=TRUSTED)
    except FileNotFoundError:
        raise _not_found(path) from None
    except (skops.io.exceptions.UntrustedTypesFoundException, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UserError(f"{path}: not a model that this project saved: {error}") from None


def save_keras(model: keras.Model, path: Path) -> None:
    """Save a Keras model in the ``.keras`` format.

    Parameters
    ----------
    model : keras.Model
        Model to save.
    path : Path
        File to write, ending in ``.keras``.
    """
    with TemporaryDirectory() as folder:
        saved = Path(folder) / "model.keras"
        model.save(saved)
        members = _members(saved.read_bytes())
    metadata = json.loads(members["metadata.json"])
    del metadata["date_saved"]
    config = _rename_members(json.loads(members["config.json"]), {})
    _write_archive(members | {"metadata.json": _json(metadata), "config.json": _json(config)}, path)


def load_keras(path: Path) -> keras.Model:
    """Load a model that `save_keras` wrote, in the safe mode of Keras.

    Parameters
    ----------
    path : Path
        The ``.keras`` archive.

    Returns
    -------
    keras.Model
        The model.

    Raises
    ------
    UserError
        If the file is missing, is no such archive, or contains code or objects of other packages.
    """
    import keras

    if not path.exists():
        raise _not_found(path)
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a Keras model that this project saved: {error}") from None


def _not_found(path: Path) -> UserError:
    return UserError(f"{path}: not found. Run `dvc repro` first.")


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1).encode()


def _rename_members(node: Any, names: dict[Any, str]) -> Any:
    """Replace memory addresses, and the files named after them, by numbers in the order of appearance."""
    if isinstance(node, list):
        return [_rename_members(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    renamed: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("__id__", "shared_object_id"):
            renamed[key] = int(names.setdefault(value, str(len(names))))
        elif key == "file":
            renamed[key] = names.setdefault(value, f"{len(names)}{Path(value).suffix}")
        else:
            renamed[key] = _rename_members(value, names)
    return renamed


def _zero_gaps(content: bytes) -> bytes:
    """Set the unused bytes between the fields of an npy array to zero."""
    if not content.startswith(b"\x93NUMPY"):
        return content
    records = np.load(io.BytesIO(content), allow_pickle=False)
    if records.dtype.names is None:
        return content
    clean = np.zeros(records.shape, records.dtype)
    for field in records.dtype.names:
        clean[field] = records[field]
    buffer = io.BytesIO()
    np.save(buffer, clean)
    return buffer.getvalue()


def _members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def _write_archive(members: Mapping[str, bytes], path: Path) -> None:
    with replacing(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
