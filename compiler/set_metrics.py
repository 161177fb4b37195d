"""The functions of ``metric NAME over set = FUNCTION(prediction, target)``: what they are called, and what they take.

They are computed once, over all examples of a part. Nothing here computes: that is the runtime's, with scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ARGUMENTS = ("prediction", "target")
"""What each function takes, in this order."""


@dataclass(frozen=True, slots=True)
class SetFunction:
    """A function of two arrays of the same shape; greater is better.

    Attributes:
        computed_by: its name in ``sklearn.metrics``.
        prediction: numbers (scores, values), or integers that name classes.
        target: numbers, classes, or 0 and 1 in any dtype.
        options: what scikit-learn is told besides.
    """

    computed_by: str
    prediction: Literal["numbers", "classes"]
    target: Literal["numbers", "classes", "binary"]
    options: Mapping[str, str] = field(default_factory=dict)


SET_FUNCTIONS = {
    "roc_auc": SetFunction("roc_auc_score", "numbers", "binary"),
    "average_precision": SetFunction("average_precision_score", "numbers", "binary"),
    "r2_score": SetFunction("r2_score", "numbers", "numbers"),
    "precision": SetFunction("precision_score", "classes", "binary"),
    "recall": SetFunction("recall_score", "classes", "binary"),
    "f1_score": SetFunction("f1_score", "classes", "binary"),
    "macro_f1": SetFunction("f1_score", "classes", "classes", {"average": "macro"}),
    "balanced_accuracy": SetFunction("balanced_accuracy_score", "classes", "classes"),
    "matthews_corrcoef": SetFunction("matthews_corrcoef", "classes", "classes"),
    "cohen_kappa": SetFunction("cohen_kappa_score", "classes", "classes"),
}
