"""The Python interface: load, compile, train, search, trace, gradcheck; ``show`` is in ``summary``.

What this module does not do: any of the work; it joins the compiler and the runtime for people who write Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate, float_type, train_steps
from archonnx.compiler.pipeline import load as _load
from archonnx.compiler.program import OPSET, STEP, ModelProgram, TrainProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.data.batch import batch_symbol
from archonnx.runtime.device.session import DeviceName, SessionOptions
from archonnx.runtime.folders.resume import DEFAULT_DTYPE, Checkpoints, Request, SavedState
from archonnx.runtime.folders.run import Run
from archonnx.runtime.folders.saving import check_free, save_run
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.programs import program_named, run_programs
from archonnx.runtime.training.trainer import EVALUATION_STEP
from archonnx.runtime.training.trainer import Trainer as _Trainer

if TYPE_CHECKING:
    import onnx

    from archonnx.runtime.insight.gradcheck_result import GradientCheck
    from archonnx.runtime.insight.trace import Trace
    from archonnx.runtime.training.search import Trial

SpecLike = str | Path | Spec


def load(spec: str | Path, *, dtype: Literal["f32", "f64"] = "f32", **arguments: Any) -> Spec:
    """Read a spec: a file, or a name from the zoo; SpecError if it is wrong.

    Args:
        spec: a file, or a name from the zoo.
        dtype: the model's float type, which a dtype left out in the spec stands for.
        arguments: those of its model.

    Examples:
        >>> load("digits_cnn", width=64).name
        'digits_cnn'
        >>> compile(load("digits_cnn", dtype="f64")).parameters["dense.W"].dtype
        'f64'
    """
    return _load(spec, dtype=dtype, **arguments)


# ---------------------------------------------------------------- compile


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """A parameter's shape and the name of its dtype (``"f32"``). A ``buffer`` is state that ``update`` changes."""

    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    buffer: bool = False


class Graphs(Mapping[str, "onnx.ModelProto"]):
    """ONNX models by name, each made when it is first asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], onnx.ModelProto]]) -> None:
        self._makers = makers
        self._made: dict[str, onnx.ModelProto] = {}

    def __getitem__(self, name: str) -> onnx.ModelProto:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __repr__(self) -> str:
        return f"<ONNX graphs {', '.join(list(self)[:8])}{', ...' if len(self) > 8 else ''}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (dict(self),)


def _made(models: Mapping[str, onnx.ModelProto]) -> Graphs:
    """Models that are there already: all that a pickle holds."""
    return Graphs({name: partial(models.__getitem__, name) for name in models})


@dataclass(frozen=True, slots=True, repr=False)
class Compiled:
    """A compiled spec.

    Attributes:
        graphs: ``infer``, ``evaluate``, ``gradients`` (``gradients.NAME`` for losses after the first), every entry by
            its name, and ``train_step`` (``train_step.1`` and so on for statements after the first).
        parameters: by path, in order of construction; buffers too.
    """

    name: str
    graphs: Mapping[str, onnx.ModelProto]
    parameters: Mapping[str, ParameterInfo]

    def __repr__(self) -> str:
        return f"<Compiled {self.name}: {len(self.parameters)} parameters, {self.graphs!r}>"


def compile(
    spec: SpecLike,
    batch_size: int | None = None,
    *,
    target: Literal["portable", "ort"] = "portable",
    program: str | None = None,
    steps: int | None = None,
    steps_per_epoch: int | None = None,
    opset: int = OPSET,
) -> Compiled:
    """Compile a spec to ONNX graphs, all of which take the parameters as inputs, by path.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave.
        batch_size: fixes the number of examples in the training step; symbolic otherwise.
        target: ``portable`` keeps to ai.onnx operators, ``ort`` may use onnxruntime's own.
        program: the ``train`` block whose statements are compiled; the last one unless given.
        steps: number of training steps, for schedules that need it.
        steps_per_epoch: likewise.
        opset: version of the ai.onnx operators.
    """
    model = elaborate(_spec(spec))
    graphs: dict[str, Graph | Callable[[], Graph]] = {"infer": model.infer, "evaluate": model.evaluate, **model.entries}
    for index, loss in enumerate(model.losses):
        graphs["gradients" if index == 0 else f"gradients.{loss}"] = partial(gradient_graph, model, loss)
    chosen = program_named(model, program) if program is not None else next(reversed(model.programs), None)
    statements = train_steps(model, chosen, steps, steps_per_epoch) if chosen is not None else ()
    for index, statement in enumerate(statements):
        graphs["train_step" if index == 0 else f"train_step.{index}"] = _sized(
            model, chosen, statement.graph, batch_size
        )
    judged = {"infer", "evaluate", *model.entries}
    return Compiled(
        model.name,
        Graphs({name: partial(_exported, graph, target, name in judged, opset) for name, graph in graphs.items()}),
        {
            path: ParameterInfo(p.shape, str(p.type.dtype), p.trainable, p.buffer)
            for path, p in model.parameters.items()
        },
    )


def _sized(model: ModelProgram, program: TrainProgram | None, graph: Graph, batch_size: int | None) -> Graph:
    from archonnx.compiler.ir.bind import bind

    if batch_size is None:
        return graph
    whole = program.whole if program is not None else frozenset()
    symbol = batch_symbol({name: field.type for name, field in model.fields.items() if name not in whole})
    if symbol is None:
        fail(
            "AX0506",
            f"a batch size of {batch_size}, and no input of {model.name} has a symbolic number of rows",
            None,
            help="leave the batch size out",
        )
    return bind(graph, {symbol: batch_size})


def _exported(
    graph: Graph | Callable[[], Graph],
    target: Literal["portable", "ort"],
    fixed_step: bool,
    opset: int,
) -> onnx.ModelProto:
    """A graph as ONNX. Outside training, draws are those of one step: of what they take, the seed alone is left."""
    from archonnx.compiler.onnx_export import export
    from archonnx.compiler.passes.manager import optimise

    optimised = optimise(graph if isinstance(graph, Graph) else graph())
    constants = {STEP: np.array(EVALUATION_STEP, np.int64)} if fixed_step and STEP in optimised.inputs else {}
    return export(optimised, target=target, constants=constants, opset=opset)


# ---------------------------------------------------------------- train


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a trainer is made of."""

    spec: Spec
    program: str | None
    batch_size: int
    seed: int
    options: SessionOptions
    steps: int | None
    steps_per_epoch: int | None


class Trainer(_Trainer):
    """A spec ready to train, batch by batch.

    Examples:
        >>> trainer = Trainer("digits_cnn", batch_size=64)                        # doctest: +SKIP
        >>> trainer.step({"image": images, "label": labels})["objective"]         # doctest: +SKIP
        2.302585
        >>> trainer.parameters["dense.W"].shape                                   # doctest: +SKIP
        (256, 10)
    """

    def __init__(
        self,
        spec: SpecLike,
        batch_size: int = 32,
        seed: int = 0,
        *,
        device: DeviceName = "auto",
        threads: int | None = None,
        use_tf32: bool = True,
        program: str | None = None,
        steps: int | None = None,
        steps_per_epoch: int | None = None,
    ) -> None:
        options = SessionOptions(device, threads, use_tf32)
        self._begin(_Recipe(_spec(spec), program, batch_size, seed, options, steps, steps_per_epoch))

    def _begin(self, recipe: _Recipe, parameters: Mapping[str, Array] | None = None) -> None:
        """Compile the spec, with its initial parameters or with those of an earlier trainer."""
        self._recipe = recipe
        model = elaborate(recipe.spec)
        super().__init__(
            model,
            program=program_named(model, recipe.program) if recipe.program is not None else None,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            options=recipe.options,
            total=recipe.steps,
            per_epoch=recipe.steps_per_epoch,
            parameters=parameters,
        )

    def __getstate__(self) -> dict[str, Any]:
        """What it was made of and how far it has come. Graphs are compiled again, sessions opened when they are used.

        A spec that imports from other files finds them by its path.
        """
        runner = self.runner
        return {"recipe": self._recipe, "tensors": runner.tensors(), "count": (runner.executed, runner.passes)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._begin(state["recipe"], state["tensors"])
        self.runner.restore(state["tensors"], *state["count"])


def train(
    spec: SpecLike,
    out: str | Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    program: str | None = None,
    resume: str | Path | None = None,
    device: DeviceName = "auto",
    threads: int | None = None,
    observer: Observer | None = None,
    watch: Literal["grads"] | None = None,
) -> Run:
    """Train a spec as its ``train`` blocks say, and write a run directory.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave.
        out: the directory to make (``runs/NAME-N`` unless given; the one of ``resume`` where that is given).
        settings: replace settings of the spec: ``{"epochs": 5, "split.test": 0.2}``.
        seed: replaces the spec's seed.
        program: run this ``train`` block alone, after those from which it starts.
        resume: a run, or what is left of one, to be continued: with its arguments and settings, unless others are
            given. The result is, to the bit, that of a training that was not interrupted.
        device: ``auto`` takes a GPU if there is one.
        threads: CPU threads.
        observer: is told what happens.
        watch: ``grads`` adds the norms of gradients, parameters and updates to every epoch of the history.
    """
    if watch not in (None, "grads"):
        fail("AX0702", f"`{watch}` cannot be watched", None, help="`grads` can")
    loaded = _spec(spec)
    changes = {**(settings or {}), **({} if seed is None else {"seed": seed})}
    request = Request(loaded.arguments, changes, program, _dtype(loaded))
    saved = SavedState(Path(resume)) if resume is not None else None
    if saved is not None:
        if request.dtype != DEFAULT_DTYPE:
            saved.check_dtype(request.dtype)
        request = _continued(saved.request, request)
        loaded = replace(loaded, arguments=request.arguments, float_type=float_type(request.dtype))
    destination = Path(out) if out is not None else Path(resume) if resume is not None else free_directory(loaded.name)
    in_place = resume is not None and destination.resolve() == Path(resume).resolve()
    if not in_place:
        check_free(destination)
    model, options = elaborate(loaded), SessionOptions(device, threads)
    checkpoints = Checkpoints(destination, request)
    with checkpoints.told():
        trained = run_programs(
            model,
            loaded.path.parent if loaded.path is not None else Path.cwd(),
            changes=request.changes,
            options=options,
            observer=observer,
            only=request.only,
            state=saved.of(model, options) if saved is not None else None,
            keep=checkpoints.keep,
            watch=watch is not None,
        )
    return save_run(destination, loaded, model, trained, request=request, replace=in_place or checkpoints.written)


def search(
    spec: SpecLike,
    out: str | Path | None = None,
    *,
    trials: int | None = None,
    settings: Mapping[str, Any] | None = None,
    device: DeviceName = "auto",
    threads: int | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> Run:
    """Train a spec with many arguments, as its ``search`` block says, and keep the best training as a run.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave; arguments that are given there are not varied.
        out: the directory to make (``runs/NAME-N`` unless given).
        trials: how many trainings at most, in place of what the spec says.
        settings: replace settings of the spec, which are then not varied.
        device: ``auto`` takes a GPU if there is one.
        threads: CPU threads.
        on_trial: is told of every trial when it is done.
    """
    from archonnx.runtime.training.search import best_trial

    loaded = _spec(spec)
    destination = Path(out) if out is not None else free_directory(loaded.name)
    check_free(destination)
    found = best_trial(
        loaded, trials=trials, changes=settings or {}, options=SessionOptions(device, threads), on_trial=on_trial
    )
    request = Request(found.spec.arguments, found.changes, None, _dtype(found.spec))
    return save_run(destination, found.spec, found.model, found.trained, request=request)


# ---------------------------------------------------------------- look inside


def trace(
    spec: SpecLike,
    inputs: Mapping[str, Any] | None = None,
    *,
    graph: str | None = None,
    loss: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: DeviceName = "auto",
) -> Trace:
    """Every tensor that a spec names, by name: its value, and the gradient of the loss for it.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave.
        inputs: arrays (or nested lists) for its inputs and targets; the first example of its data unless given.
        graph: ``loss`` (as training sees it), ``infer`` (as the model is used), or an entry; the first that there is.
        loss: which loss, where there are several; the first one unless given.
        parameters: by path; the initial ones unless given.
        seed: of the initial parameters and of draws.
        device: ``auto`` takes a GPU if there is one.

    Examples:
        >>> traced = trace("backprop_relu_one_weight")
        >>> traced["h2"].value, traced["W1"].gradient.tolist()
        (array(0., dtype=float32), [[-0.125, -0.0625], [0.0, 0.0]])
    """
    from archonnx.runtime.insight.trace import trace_model

    loaded = _spec(spec)
    model = elaborate(loaded)
    chosen = graph or ("loss" if model.losses else "infer")
    given = inputs if inputs is not None else _examples(loaded, model, 1)
    return trace_model(
        model, given, graph=chosen, loss=loss, parameters=parameters, seed=seed, options=SessionOptions(device)
    )


def gradcheck(
    spec: SpecLike,
    inputs: Mapping[str, Any] | None = None,
    *,
    dtype: Literal["f32", "f64"] = "f64",
    loss: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    directions: int = 2,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradients of every loss with central differences, for every parameter and every float input.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave.
        inputs: arrays by field; the first examples of its data unless given, or drawn ones where it has none.
        dtype: the float type in which it is computed.
        loss: this one alone.
        parameters: by path; the initial ones unless given.
        directions: random directions along which each gradient is compared.
        seed: of initial parameters, draws, drawn inputs and directions.

    Examples:
        >>> gradcheck("xor").ok
        True
    """
    from archonnx.runtime.insight.gradcheck import check_gradients

    loaded = replace(_spec(spec), float_type=float_type(dtype))
    model = elaborate(loaded)
    given = inputs if inputs is not None else _examples(loaded, model, 4) or None
    return check_gradients(model, given, loss=loss, parameters=parameters, directions=directions, seed=seed)


def _examples(spec: Spec, model: ModelProgram, count: int) -> Mapping[str, Any]:
    from archonnx.runtime.insight.inputs import examples_of

    found = examples_of(model, spec.path.parent if spec.path is not None else Path.cwd(), count)
    return found[0] if found is not None else {}


def _continued(before: Request, now: Request) -> Request:
    """What was asked for before, and what is asked for in its place."""
    return Request(
        {**before.arguments, **now.arguments},
        {**before.changes, **now.changes},
        now.only if now.only is not None else before.only,
        before.dtype,
    )


def _dtype(spec: Spec) -> str:
    return str(spec.float_type)


def free_directory(name: str) -> Path:
    """``runs/NAME-N`` with the first free number."""
    number = 1
    while (path := Path("runs") / f"{name}-{number}").exists():
        number += 1
    return path


def _spec(spec: SpecLike) -> Spec:
    return spec if isinstance(spec, Spec) else _load(spec)
