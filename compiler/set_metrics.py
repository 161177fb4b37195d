"""Metrics over a set, declared: what the functions of ``metric NAME over set = FUNCTION(...)`` are called, and take.

They are computed once, over all examples of a part. What this module does not do: read a spec
(``elaborate.model.set_metrics`` does), or compute (``runtime.measures.set_metrics`` does, with scikit-learn).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from archonnx.grammar.record import Record

from .directions import Direction

ARGUMENTS = ("prediction", "target")
"""What each function takes, in this order."""


class Option(Record):
    """A keyword of a function: one of some words, or a number above 0.

    Attributes:
        default: the word or number, unless given.
        keyword: what scikit-learn calls it.
        words: what scikit-learn calls each word; None where a number is taken.
    """

    default: str | float
    keyword: str
    words: Mapping[str, Any] | None = None


class SetFunction(Record):
    """A function of two arrays.

    Attributes:
        computed_by: its name in ``sklearn.metrics``.
        prediction: numbers (scores, values), probabilities, or integers that name classes.
        target: numbers, classes, or 0 and 1 in any dtype.
        columns: whether the prediction has a last axis more than the target, a column for each class: never, always,
            or where there are more than two classes (the target then names classes).
        options: what may be given besides, by keyword.
        better: which values are good, unless the metric says otherwise.
        exponential: whether e is raised to what scikit-learn gives.
        table: whether the result is a table (counts of classes), not a number.
    """

    computed_by: str
    prediction: Literal["numbers", "probabilities", "classes"]
    target: Literal["numbers", "classes", "binary"]
    columns: Literal["never", "maybe", "always"] = "never"
    options: Mapping[str, Option] = {}
    better: Direction = "larger"
    exponential: bool = False
    table: bool = False

    def is_binary(self, options: Mapping[str, Any], columns: bool) -> bool:
        """Whether the target is 0 or 1, with these options and with or without columns."""
        average = self.options.get("average")
        asked = average is None or "binary" not in (average.words or ()) or options.get("average", "binary") == "binary"
        return self.target == "binary" and not columns and asked

    def keywords(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options as scikit-learn takes them."""
        values = {name: options.get(name, option.default) for name, option in self.options.items()}
        return {
            self.options[name].keyword: value if (words := self.options[name].words) is None else words[value]
            for name, value in values.items()
        }


def _words(*words: str) -> dict[str, str]:
    return {word: word for word in words}


_AVERAGE = Option("binary", "average", _words("binary", "macro", "micro", "weighted"))
_OVER_CLASSES = Option("macro", "average", _words("macro", "micro", "weighted"))
_SHARES = Option("none", "normalize", {"none": None, "rows": "true", "columns": "pred", "all": "all"})


SET_FUNCTIONS = {
    "roc_auc": SetFunction(
        "roc_auc_score",
        "numbers",
        "binary",
        "maybe",
        {
            "average": Option("macro", "average", _words("macro", "weighted")),
            "against": Option("rest", "multi_class", {"rest": "ovr", "each": "ovo"}),
        },
    ),
    "average_precision": SetFunction(
        "average_precision_score", "numbers", "binary", "maybe", {"average": _OVER_CLASSES}
    ),
    "precision": SetFunction("precision_score", "classes", "binary", options={"average": _AVERAGE}),
    "recall": SetFunction("recall_score", "classes", "binary", options={"average": _AVERAGE}),
    "f1_score": SetFunction("f1_score", "classes", "binary", options={"average": _AVERAGE}),
    "f_beta": SetFunction(
        "fbeta_score", "classes", "binary", options={"average": _AVERAGE, "beta": Option(1.0, "beta")}
    ),
    "jaccard": SetFunction("jaccard_score", "classes", "binary", options={"average": _AVERAGE}),
    "balanced_accuracy": SetFunction("balanced_accuracy_score", "classes", "classes"),
    "matthews_corrcoef": SetFunction("matthews_corrcoef", "classes", "classes"),
    "cohen_kappa": SetFunction("cohen_kappa_score", "classes", "classes"),
    "confusion_matrix": SetFunction("confusion_matrix", "classes", "classes", options={"shares": _SHARES}, table=True),
    "log_loss": SetFunction("log_loss", "probabilities", "binary", "maybe", better="smaller"),
    "brier_score": SetFunction("brier_score_loss", "probabilities", "binary", better="smaller"),
    "perplexity": SetFunction("log_loss", "probabilities", "classes", "always", better="smaller", exponential=True),
    "r2_score": SetFunction("r2_score", "numbers", "numbers"),
    "explained_variance": SetFunction("explained_variance_score", "numbers", "numbers"),
    "rmse": SetFunction("root_mean_squared_error", "numbers", "numbers", better="smaller"),
    "median_absolute_error": SetFunction("median_absolute_error", "numbers", "numbers", better="smaller"),
}
