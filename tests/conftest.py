"""What all tests share: the option that rewrites golden files."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from tempfile import gettempdir

import pytest
from hypothesis import settings

from archonnx.runtime.device import session
from tests.support.golden import Case, Golden

settings.register_profile("same each time", derandomize=True, deadline=None)
settings.register_profile("new each time", deadline=None)
settings.load_profile("new each time" if os.environ.get("ARCHONNX_RANDOM") else "same each time")

session.THREADS = 1  # workers share the cores: more threads would wait, spinning, on those of other workers
os.environ["XDG_STATE_HOME"] = str(Path(gettempdir()) / "archonnx-tests")  # not among what a user has
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the same for NumPy, in processes that tests start as well

for _number in (signal.SIGHUP, signal.SIGQUIT):  # may be ignored, as in the background of a shell, and then stay so
    signal.signal(_number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What was collected stays until the end: looking through it for garbage again and again takes a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the expected texts of golden files")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with what a golden case expects, or writes it there under ``--update``."""
    update: bool = request.config.getoption("--update")

    def check(case: Case, actual: str) -> None:
        if update:
            case.rewrite(actual)
        else:
            assert actual.rstrip("\n") == case.expected, f"{case.path.name}: {case.title} (see --update)"

    return check
