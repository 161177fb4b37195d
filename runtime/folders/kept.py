"""The spec of a training as it was begun: its folder holds it from the first state on, with what it imports.

What this module does not do: say what was asked for besides (``resume`` does).
"""

from __future__ import annotations

from pathlib import Path

from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source
from archonnx.runtime.reserving import mend_if_free

from .models import ModelRuns, holds_models
from .origins import folder_of
from .record import is_inside, read_record
from .resume import Request, SavedState
from .several import Plan, Runs, holds_several


def kept_spec(folder: Path) -> Spec:
    """The spec of a training that was left in a folder, without its arguments, at its place if that is known here.

    Args:
        folder: a run, what is left of one, or a folder of several.

    Raises:
        SpecError: there is none (AX0618), what is there is damaged (AX0611, AX0618), or another process writes there
            (AX0640).
    """
    request = _request(folder)
    (file, text), *imports = request.specs.items() or [("", "")]
    if not text:
        fail("AX0618", f"{folder} holds no spec", None, help=f"give it: `archonnx train SPEC --resume {folder}`")
    if not all(is_inside(name) for name in (file, *dict(imports))):
        fail("AX0618", f"{folder} is damaged: it names a file outside itself", None)
    known = {"id": request.id, "name": Path(file).stem, "path": None, "beside": _beside(folder)}
    path = (folder_of(folder, known, text) or folder) / file
    return replace(parse_spec(Source(str(path), text), path=path), imports=dict(imports))


def kept_plan(folder: Path) -> Plan | None:
    """Which runs there are to be in a folder of folds or seeds; None if it is another one."""
    return Runs(folder).plan if holds_several(folder) else None


def _request(folder: Path) -> Request:
    if holds_models(folder):
        return ModelRuns(folder).request
    if holds_several(folder):
        return Runs(folder).request
    if folder.is_dir():
        mend_if_free(folder)
    return SavedState(folder).request


def _beside(folder: Path) -> str | None:
    """Where a run that has ended says that its spec is."""
    try:
        beside: str | None = read_record(folder)["beside"]
    except SpecError:
        return None
    return beside
