"""Estimators for scikit-learn: ``ArchClassifier`` and ``ArchRegressor`` train a spec on ``X`` and ``y``.

    from archonnx.sklearn import ArchClassifier

    search = GridSearchCV(ArchClassifier("mlp.arch"), {"arguments__width": [16, 64]})
    search.fit(X, y)

What this module does not do: train (``in_memory`` does). It is the only module of the interface that imports
scikit-learn, and it is not imported by the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d, validate_data

from archonnx.compiler.feeding import DATA, TARGET
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import float_type, parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.record import replace as changed
from archonnx.grammar.source import Source
from archonnx.runtime.data.arrays import from_arrays, from_frame, is_frame, raise_all
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.device.devices import DeviceName
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.observing import Epoch

from .in_memory import Learned, columns_read, learn
from .loading import as_spec

NESTED = ("arguments", "settings")
"""Parameters that are dicts: a grid names what is in them as ``arguments__width``."""
WHERE = "X"
"""What messages call the data."""
TOLERANCE = 1e-3
"""How far the probabilities of a row may be from 1 in all."""


class _ArchEstimator(BaseEstimator):
    """What both estimators share. Parameters are documented there."""

    _default: str
    """The spec of the zoo that is trained unless another one is given."""

    def __init__(
        self,
        spec: str | Path | Spec | None = None,
        *,
        arguments: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        random_state: Any = None,
        output: str | None = None,
        dtype: str = "f32",
        device: DeviceName = "auto",
        threads: int | None = None,
    ) -> None:
        self.spec = spec
        self.arguments = arguments
        self.settings = settings
        self.epochs = epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.output = output
        self.dtype = dtype
        self.device = device
        self.threads = threads

    # ------------------------------------------------------------ parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters; if ``deep``, what is in ``arguments`` and ``settings`` as well, as ``arguments__width``."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for of in NESTED:
                given = params[of]
                params |= {f"{of}__{name}": value for name, value in given.items()} if isinstance(given, dict) else {}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change parameters; ``arguments__width=64`` changes one argument of the model."""
        inner = {name: value for name, value in params.items() if name.partition("__")[0] in NESTED and "__" in name}
        super().set_params(**{name: value for name, value in params.items() if name not in inner})
        for name, value in inner.items():
            of, _, key = name.partition("__")
            setattr(self, of, {**self._mapping(of), key: value})
        return self

    def _mapping(self, name: str) -> dict[str, Any]:
        """A parameter that is a dict, with numbers as Python has them."""
        given = getattr(self, name)
        if given is not None and not isinstance(given, Mapping):
            fail("AX0702", f"`{name}` is a dict by name, not {given!r:.40}", None)
        return {key: value.item() if isinstance(value, np.generic) else value for key, value in (given or {}).items()}

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:  # noqa: N803
        shown = self
        if isinstance(self.spec, str) and len(lines := self.spec.strip().splitlines()) > 1:
            shown = copy(self)
            shown.spec = f"{lines[0]} ..."
        text: str = BaseEstimator.__repr__(shown, N_CHAR_MAX)
        return text

    # ------------------------------------------------------------ training

    def _spec(self) -> Spec:
        """The spec, with the arguments of its model."""
        given = self.spec
        if given is None:
            spec = as_spec(self._default)
        elif isinstance(given, str) and "\n" in given:
            spec = parse_spec(Source("spec.arch", given))
        else:
            spec = as_spec(given)
        dtype = spec.float_type if isinstance(given, Spec) else float_type(self.dtype)
        return changed(spec, arguments={**spec.arguments, **self._mapping("arguments")}, float_type=dtype)

    def _changes(self) -> dict[str, Any]:
        """The settings that are not those of the spec."""
        own = {"epochs": self.epochs, "batch_size": self.batch_size}
        said = self._mapping("settings") | {name: value for name, value in own.items() if value is not None}
        said = {name: value.item() if isinstance(value, np.generic) else value for name, value in said.items()}
        if isinstance(self.random_state, int | np.integer):
            said["seed"] = int(self.random_state)
        elif self.random_state is not None:
            said["seed"] = int(check_random_state(self.random_state).randint(2**31 - 1))
        return said

    def _learn(
        self,
        X: Any,  # noqa: N803
        y: Array,
        known: Mapping[str, Any],
        columns: Mapping[str, Any],
        names: tuple[str, ...] = (),
    ) -> None:
        """Train on what was checked. ``known`` are arguments of the model, ``names`` those of the classes."""
        spec = self._spec()
        for name in sorted(columns.keys() - (columns_read(spec) - {DATA, TARGET})):
            why = (
                f"`data.{name}` is X or y" if name in (DATA, TARGET) else f"nothing in {spec.name} reads `data.{name}`"
            )
            raise TypeError(f"{type(self).__name__}.fit() got an unexpected keyword argument {name!r}: {why}")
        loaded, beside = _loaded(X), {TARGET: y, **columns}
        for name in beside.keys() & {*loaded.fields, *loaded.problems}:
            fail(
                "AX0603",
                f"`{name}` is a column of `X`, and is given beside it",
                None,
                help="give the column another name",
            )
        check_consistent_length(y, *columns.values())
        own = from_arrays(beside, where="what is given beside X")
        raise_all(own.problems)
        fields = {**loaded.fields, **{name: own.fields[name] for name in beside}}
        loaded = replace(loaded, fields=fields, classes={TARGET: names} if names else {})
        known = {"features": self.n_features_in_, **known}
        options = SessionOptions(self.device, self.threads)
        self.learned_: Learned = learn(spec, loaded, known, self._changes(), options)

    def _checked(self, X: Any, *, reset: bool) -> Any:  # noqa: N803
        """A frame as it is, whose missing values and texts are the spec's matter; anything else as a matrix of numbers.

        What was trained on the columns of a frame takes those of a matrix in their order, of which scikit-learn warns.
        """
        named = is_frame(X) and all(isinstance(name, str) for name in X.columns)
        if named and (reset or hasattr(self, "feature_names_in_")):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        matrix = validate_data(self, X, reset=reset, dtype=np.float64)
        if reset or not hasattr(self, "feature_names_in_"):
            return {DATA: matrix}
        return {name: matrix[:, position] for position, name in enumerate(self.feature_names_in_)}

    def _checked_target(self, y: Any, dtype: str | None = None) -> Array:
        """Targets as an array without missing values."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        array: Array = check_array(y, ensure_2d=False, dtype=dtype, input_name="y", estimator=self)
        return array

    # ------------------------------------------------------------ predicting

    def _outputs(self, X: Any) -> dict[str, Array]:  # noqa: N803
        check_is_fitted(self, "learned_")
        return self.learned_.predict(_loaded(self._checked(X, reset=False), self.learned_.memory.kinds))

    def _chosen(self, fitting: list[str], what: str) -> str:
        """The output that is asked for, or the only one that fits."""
        outputs = self.learned_.outputs
        if self.output is not None:
            if self.output not in outputs:
                known = did_you_mean(self.output, outputs) or f"it has {', '.join(outputs) or 'none'}"
                fail("AX0607", f"the model has no output `{self.output}`", None, help=known)
            return self.output
        if len(fitting) != 1:
            shown = ", ".join(f"`{name}: {type_}`" for name, type_ in outputs.items()) or "none"
            several = "several outputs are" if fitting else "no output is"
            fail("AX0607", f"{several} {what}: {shown}", None, help='say which one: `output="NAME"`')
        return fitting[0]

    @property
    def history_(self) -> list[Epoch]:
        """What is known of each epoch of the training."""
        check_is_fitted(self, "learned_")
        return self.learned_.history

    def export(self, path: str | Path) -> Path:
        """Write the trained model, its outputs by its fields, as ONNX."""
        check_is_fitted(self, "learned_")
        self.learned_.export(Path(path))
        return Path(path)


class ArchClassifier(ClassifierMixin, _ArchEstimator):
    """A classifier whose network is a spec.

    The columns of ``X`` are the data of the spec: ``data.NAME`` for a frame, ``data.data`` for an array (and for the
    numeric columns of a frame); ``y`` is ``data.target``, numbered from 0 in the order of ``classes_``. Feeds and fits
    are those of the spec. The only input that nothing feeds takes ``data.data``, the only such target ``data.target``.
    Arguments of the model called ``features`` and ``classes`` are given their numbers.

    Args:
        spec: a path, a name from the zoo, the text of a spec, or what ``archonnx.load`` gave; a multilayer perceptron,
            ``tabular_classifier`` of the zoo, unless given.
        arguments: arguments of the model by name. Of a grid, ``arguments__width`` is one of them.
        settings: settings of training by name, in place of the spec's (``{"early_stopping.patience": 3}``).
        epochs: likewise.
        batch_size: likewise.
        random_state: the seed of parameters, orders and draws; that of the spec if None.
        output: the output that holds the probabilities; the only one that fits unless given.
        dtype: the float type of the model, ``"f32"`` or ``"f64"``.
        device: ``auto`` takes a GPU if there is one.
        threads: CPU threads.

    Attributes:
        classes_: the labels, sorted.
        n_features_in_: the number of columns of ``X``.
        feature_names_in_: their names, if ``X`` was a frame.
        learned_: the trained model.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> ArchClassifier(epochs=20, random_state=0).fit(X, y).score(X, y) > 0.9
        True
    """

    _default = "tabular_classifier"

    def fit(self, X: Any, y: Any, **columns: Any) -> Self:  # noqa: N803
        """Train on rows with their labels; ``columns`` are further columns of the data by name, as weights."""
        given, y = self._checked(X, reset=True), column_or_1d(self._checked_target(y), warn=True)
        check_consistent_length(X, y)
        check_classification_targets(y)
        encoder = LabelEncoder()
        numbers = encoder.fit_transform(y)
        self.classes_ = encoder.classes_
        names = tuple(str(label) for label in self.classes_)
        if len(names) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 classes, and y has one class: {names[0]}")
        self._learn(given, numbers.astype(np.int64), {"classes": len(names)}, columns, names)
        return self

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each class, in the order of ``classes_``."""
        array = self._scores(X)
        if array.size and (array.min() < 0 or abs(array.sum(axis=1) - 1).max() > TOLERANCE):
            fail("AX0608", "the output of the model is not probabilities: those of a row do not sum to 1", None)
        return array

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The most probable class of each row."""
        scores = self._scores(X)
        labels: Array = self.classes_[scores.argmax(axis=1)]
        return labels

    def _scores(self, X: Any) -> Array:  # noqa: N803
        """A column for each class; a single number is that of the second of two."""
        outputs = self._outputs(X)
        count = len(self.classes_)
        fitting = {name: array for name, array in outputs.items() if array.dtype.kind == "f" and _wide(array, count)}
        array = outputs[self._chosen(list(fitting), f"floats for {count} classes")]
        if not _wide(array, count):
            fail("AX0608", f"`{self.output}` has {list(array.shape[1:])} in a row, and there are {count} classes", None)
        if array.shape[1:] == (count,):
            return array
        positive = array.reshape(-1)
        return np.stack([1 - positive, positive], axis=1)


class ArchRegressor(RegressorMixin, _ArchEstimator):
    """A regressor whose network is a spec.

    It takes what ``ArchClassifier`` takes, and gives the data of ``X`` and ``y`` to the spec likewise; ``y`` may have
    several columns. Of arguments of the model, ``features`` and ``targets`` are given the numbers of columns, and
    ``target_mean`` and ``target_deviation``, lists of floats, what they are in ``y``: a model that has them can be
    trained on targets of one size, and foretell them as they are. ``output`` is the output that holds the estimates.

    Attributes:
        n_features_in_: the number of columns of ``X``.
        feature_names_in_: their names, if ``X`` was a frame.
        learned_: the trained model.

    Examples:
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> ArchRegressor(epochs=20, random_state=0).fit(X, y).score(X, y) > 0.4
        True
    """

    _default = "tabular_regressor"

    def fit(self, X: Any, y: Any, **columns: Any) -> Self:  # noqa: N803
        """Train on rows with their targets; ``columns`` are further columns of the data by name, as weights."""
        given, y = self._checked(X, reset=True), self._checked_target(y, "numeric").astype(np.float64)
        check_consistent_length(X, y)
        self._columns = y.shape[1:]
        matrix = y.reshape(len(y), -1)
        deviation = matrix.std(axis=0)
        known = {
            "targets": matrix.shape[1],
            "target_mean": matrix.mean(axis=0).tolist(),
            "target_deviation": np.where(deviation > 0, deviation, 1.0).tolist(),
        }
        self._learn(given, y, known, columns)
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The estimate for each row, in the shape of ``y``."""
        outputs = self._outputs(X)
        fitting = [name for name, array in outputs.items() if array.dtype.kind == "f" and self._fits(array)]
        array = outputs[self._chosen(fitting, f"floats of {list(self._columns)} in a row")]
        if not self._fits(array):
            shown = f"{list(array.shape[1:])} in a row, and `y` had {list(self._columns)}"
            fail("AX0608", f"`{self.output}` has {shown}", None)
        return array.reshape(len(array), *self._columns).astype(np.float64)

    def _fits(self, array: Array) -> bool:
        return array.ndim > 0 and array.shape[1:] in (self._columns, (*self._columns, 1))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags


def _wide(array: Array, count: int) -> bool:
    """Whether an output has a number for each class in a row, or one number for two classes."""
    return array.ndim > 0 and (array.shape[1:] == (count,) or (count == 2 and array.shape[1:] in ((), (1,))))


def _loaded(X: Any, kinds: Mapping[str, str] | None = None) -> Loaded:  # noqa: N803
    """The columns of a frame, or arrays by name."""
    return from_frame(X, kinds=kinds, where=WHERE) if is_frame(X) else from_arrays(X, kinds, WHERE)
