"""Weights of another run or program, as a training starts with them: what is taken, left there, and fresh here.

What this module does not do: draw the fresh ones (the trainer does), or say where in a spec this may be asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.settings import Transfer
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span
from archonnx.runtime.checksums import checked, fail_without_run
from archonnx.runtime.files import load_parameters

WEIGHTS = "weights.safetensors"
NAMES_SHOWN = 8
MISFITS_SHOWN = 5
Weights = Mapping[str, Array]
"""Parameters by path."""


def transfer_of(text: str | Path) -> Transfer:
    """``RUN``, ``RUN:encoder`` or ``RUN:encoder=trunk``, as on the command line: the path of the run is the user's."""
    whole = str(text)
    run, _, paths = ("", "", "") if Path(whole).exists() else whole.rpartition(":")
    if not run:
        return Transfer(run=str(Path(whole).absolute()))
    path, equals, into = paths.partition("=")
    return Transfer(run=str(Path(run).absolute()), path=path, into=into if equals else None)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one transfer gave.

    Attributes:
        source: the transfer, as it was asked for.
        taken: the path there for each path here.
        converted: the float type there, for the paths here whose values had another one.
        left: why, for each path there that was not taken.
    """

    source: Transfer
    taken: Mapping[str, str]
    converted: Mapping[str, str]
    left: Mapping[str, str]

    def lines(self) -> Iterator[str]:
        """What people are told."""
        yield f"weights of {self.source}: {len(self.taken)} of {len(self.taken) + len(self.left)} taken"
        renamed = [here if here == there else f"{there} as {here}" for here, there in self.taken.items()]
        yield f"  taken: {_listed(renamed)}"
        for dtype in dict.fromkeys(self.converted.values()):
            names = [here for here, other in self.converted.items() if other == dtype]
            yield f"  converted from {dtype}: {_listed(names)}"
        if self.left:
            yield f"  left: {_listed([f'{there} ({why})' for there, why in self.left.items()])}"


@dataclass(frozen=True, slots=True)
class Start:
    """Parameters to start with, by path; those that it lacks are fresh."""

    parameters: Mapping[str, Array] = field(default_factory=dict)
    sources: Sequence[Taken] = ()
    fresh: Sequence[str] = ()

    def lines(self) -> Iterator[str]:
        """What people are told."""
        for source in self.sources:
            yield from source.lines()
        if self.sources:
            yield f"fresh: {_listed(self.fresh) if self.fresh else 'nothing'}"

    def as_json(self) -> dict[str, Any] | None:
        """What ``run.json`` says of it."""
        if not self.sources:
            return None
        sources = [
            {
                **one.source.shared.model_dump(),
                "taken": dict(one.taken),
                "converted": dict(one.converted),
                "left": dict(one.left),
            }
            for one in self.sources
        ]
        return {"sources": sources, "fresh": list(self.fresh)}


def start_from(
    transfers: Iterable[Transfer],
    base: Path,
    model: ModelProgram,
    span: Span | None,
    trained: Callable[[str], Weights] | None = None,
) -> Start:
    """The weights that transfers give; of two that give the same parameter, the later one counts.

    Args:
        transfers: what to take.
        base: the folder from which their paths lead.
        model: what is to be trained.
        span: the place in the spec, for what does not fit.
        trained: the parameters of an earlier program, for transfers of these.
    """
    parameters: dict[str, Array] = {}
    sources: list[Taken] = []
    for transfer in transfers:
        if transfer.program is not None and trained is not None:
            weights = trained(transfer.program)
        else:
            weights = read_weights(base / transfer.run, span)
        matching = _Matching(transfer, weights, model, span)
        taken = matching.whole() if transfer.whole else matching.named()
        sources.append(taken)
        parameters |= {
            here: _as(weights[there], model.parameters[here].type.dtype) for here, there in taken.taken.items()
        }
    return Start(parameters, sources, [path for path in model.parameters if path not in parameters])


def stand_ins(model: ModelProgram) -> Weights:
    """Arrays of the shapes and dtypes of a model's parameters, to see where these would fit; they take no memory."""
    types = {path: parameter.type.dtype.numpy for path, parameter in model.parameters.items()}
    return {path: np.broadcast_to(np.zeros((), types[path]), p.shape) for path, p in model.parameters.items()}


def read_weights(path: Path, span: Span | None = None) -> dict[str, Array]:
    """The parameters of a run directory, or of a .safetensors file, by path."""
    if path.suffix == ".safetensors":
        return load_parameters(path)
    if not (path / WEIGHTS).is_file():
        inside = sorted(file.parent.name for file in path.glob(f"*/{WEIGHTS}")) if path.is_dir() else []
        fail_without_run(path, span, help=f"it holds several runs: {_listed(inside)}" if inside else None)
    return load_parameters(checked(path, WEIGHTS))


def check_starts(models: Iterable[ModelProgram], base: Path) -> None:
    """SpecError if a part of an earlier program does not fit where it is to go; nothing needs to have run for that.

    Args:
        models: those whose programs name each other; a program of another one is passed over.
        base: the folder of the spec.
    """
    together = list(models)
    known = {program.name: model for model in together for program in model.programs}
    for model in together:
        for program in model.programs:
            wanted = program.settings.start_from
            if isinstance(wanted, tuple):
                named = [one for one in wanted if one.program in known]
                start_from(named, base, model, program.span, lambda name: stand_ins(known[name]))


@dataclass(frozen=True, slots=True)
class _Matching:
    """The weights of a run beside the parameters of the model that is to take them."""

    transfer: Transfer
    weights: Mapping[str, Array]
    model: ModelProgram
    span: Span | None

    def whole(self) -> Taken:
        """Every parameter that has its path and its shape here; SpecError if that is none."""
        left = {path: why for path in self.weights if (why := self._misfit(path, path)) is not None}
        taken = {path: path for path in self.weights if path not in left}
        if not taken:
            shown = [f"`{path}`: {why}" for path, why in left.items()]
            fail(
                "AX0628",
                f"no parameter of {self.transfer.name} has the path and the shape of one of {self.model.name}",
                self.span,
                notes=_first(shown),
                help=self._nearest(),
            )
        return Taken(self.transfer, taken, self._converted(taken), left)

    def named(self) -> Taken:
        """What was named, which must fit entirely."""
        there, here = self.transfer.path, self.transfer.into
        here = there if here is None else here
        below = {path: _joined(here, rest) for path in self.weights if (rest := _below(path, there)) is not None}
        if not below:
            known = list(dict.fromkeys(prefix for path in self.weights for prefix in _prefixes(path)))
            fail(
                "AX0628",
                f"{self.transfer.name} has no parameters at `{there}`",
                self.span,
                help=did_you_mean(there, known) or f"it has {_listed(_tops(self.weights))}",
            )
        problems = [f"`{path}`: {why}" for path, into in below.items() if (why := self._misfit(path, into)) is not None]
        wanted = [path for path in self.model.parameters if _below(path, here) is not None]
        problems += [f"`{path}`: nothing there for it" for path in wanted if path not in below.values()]
        if problems:
            shown = f"`{there}` of {self.transfer.name}" if there else self.transfer.name
            known = list(dict.fromkeys(prefix for path in self.model.parameters for prefix in _prefixes(path)))
            fail(
                "AX0628",
                f"{shown} does not fit `{here}` of {self.model.name}",
                self.span,
                notes=_first(problems),
                help=None if wanted else did_you_mean(here, known) or f"it has {_listed(_tops(self.model.parameters))}",
            )
        taken = {into: path for path, into in below.items()}
        unused = [path for path in self.weights if path not in below]
        return Taken(self.transfer, taken, self._converted(taken), dict.fromkeys(unused, "not asked for"))

    def _misfit(self, there: str, here: str) -> str | None:
        """Why an array there cannot be a parameter here; None if it can. A float stays one in another float type."""
        array, declared = self.weights[there], self.model.parameters.get(here)
        if declared is None:
            return "not here" if there == here else f"there is no `{here}` here"
        dtype = declared.type.dtype
        floats = dtype.is_float and array.dtype.kind == "f"
        if array.shape != declared.shape or not (floats or array.dtype == dtype.numpy):
            return f"{_type(array)} there, {declared.type} here"
        if floats and np.any(np.isfinite(array) & ~np.isfinite(_as(array, dtype))):
            return f"{_type(array)} there, with values beyond {dtype}"
        return None

    def _converted(self, taken: Mapping[str, str]) -> dict[str, str]:
        types = {here: _dtype(self.weights[there]) for here, there in taken.items()}
        return {here: dtype for here, dtype in types.items() if self.weights[taken[here]].dtype != self._numpy(here)}

    def _numpy(self, here: str) -> np.dtype[Any]:
        return self.model.parameters[here].type.dtype.numpy

    def _nearest(self) -> str:
        """Help where no path is the same: two that are alike, or what there is on both sides."""
        for here in _tops(self.model.parameters):
            near = did_you_mean(here, [top for top in _tops(self.weights) if top != here])
            if near is not None:
                pair = f"`{near.replacement}` there is like `{here}` here"
                if self.transfer.program is not None:
                    return f"{pair}: `start_from = {{{here}: {self.transfer.program}.{near.replacement}}}`"
                return f"{pair}: `--from {self.transfer.run}:{near.replacement}={here}` gives one to the other"
        return f"there: {_listed(_tops(self.weights))}; here: {_listed(_tops(self.model.parameters))}"


def _below(path: str, prefix: str) -> str | None:
    """What of a path follows a prefix of whole names; None if it does not begin with it."""
    if not prefix or path == prefix:
        return path.removeprefix(prefix)
    return path.removeprefix(f"{prefix}.") if path.startswith(f"{prefix}.") else None


def _joined(prefix: str, rest: str) -> str:
    return ".".join(name for name in (prefix, rest) if name)


def _prefixes(path: str) -> list[str]:
    names = path.split(".")
    return [".".join(names[: n + 1]) for n in range(len(names))]


def _tops(paths: Iterable[str]) -> list[str]:
    """The modules and parameters of a model itself."""
    return list(dict.fromkeys(path.partition(".")[0] for path in paths))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:NAMES_SHOWN])} and {more} more"


def _first(problems: Sequence[str]) -> list[str]:
    more = len(problems) - MISFITS_SHOWN
    return list(problems) if more <= 1 else [*problems[:MISFITS_SHOWN], f"and {more} more"]


def _as(array: Array, dtype: DType) -> Array:
    """An array in another dtype; what is too large for it is infinite."""
    with np.errstate(over="ignore"):
        return array.astype(dtype.numpy)


def _dtype(array: Array) -> str:
    try:
        return str(DType.from_numpy(array.dtype))
    except KeyError:
        return str(array.dtype)


def _type(array: Array) -> str:
    return f"{_dtype(array)}[{', '.join(map(str, array.shape))}]"
