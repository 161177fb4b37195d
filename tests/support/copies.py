"""Every way in which Python copies an object without leaving the process."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import joblib


def by_pickle(value: Any, protocol: int) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


def by_joblib(value: Any) -> Any:
    file = io.BytesIO()
    joblib.dump(value, file)
    file.seek(0)
    return joblib.load(file)


PICKLES: tuple[Callable[[Any], Any], ...] = tuple(
    partial(by_pickle, protocol=protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
)
DEEP_WAYS: tuple[Callable[[Any], Any], ...] = (*PICKLES, by_joblib, copy.deepcopy)
"""Pickle by each protocol, joblib, and a deep copy."""
WAYS: tuple[Callable[[Any], Any], ...] = (*DEEP_WAYS, copy.copy)
"""Those, and a shallow copy."""


def raise_(error: Exception) -> NoReturn:
    """For another process: raise what it was given."""
    raise error
