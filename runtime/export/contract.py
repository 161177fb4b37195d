"""What an exported graph says of itself, so that whoever has the file can run it, and go on training.

    graph_contract    of one graph: the role of every input and output, what is carried, losses, assumptions
    program_contract  of a ``train`` block: the order of its statements
    model_contract    of what all graphs of a model have in common: spec, arguments, parameters, classes, figures

Each is a JSON object; docs/graphs.md describes them. They stand in the metadata of every file under
``archonnx.graph``, and in ``graphs.json``, whose keys are the same. What this module does not do: make
graphs, or write files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from archonnx.compiler.gradients import GRADIENT
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.plan import Do, Every, Gather, Plan, Repeat
from archonnx.compiler.program import CONDITION, GATHERED, NEXT, SEED, STEP, Assumption, ModelProgram, TrainProgram

from .artifact import TRAIN_STEP, Artifact

if TYPE_CHECKING:
    import onnx

METADATA_KEY = "archonnx.graph"
"""In the metadata of ONNX models: a JSON object, what ``graph_contract`` gives with ``format`` and ``model``."""
FORMAT = 2
"""Of these objects. ``graphs.json`` of format 1, which did not say so, had no roles and no ``programs``."""


def graph_contract(artifact: Artifact, graph: Graph, inputs: Mapping[str, str], model: ModelProgram) -> dict[str, Any]:
    """What one graph is.

    Args:
        artifact: what the graph is for.
        graph: as it is written.
        inputs: the types of the inputs of the file; weights inside are none.
        model: to which it belongs.
    """
    said: dict[str, Any] = {
        "name": artifact.name,
        "kind": artifact.kind,
        "inputs": dict(inputs),
        "outputs": {name: str(value.type) for name, value in graph.outputs.items()},
        "roles": {name: _input_role(artifact, name, model) for name in inputs}
        | {name: _output_role(artifact, name, model) for name in graph.outputs},
        "assumptions": [str(assumption) for assumption in _spoken(artifact, graph)],
    }
    if (step := artifact.step) is not None and artifact.program is not None:
        said["program"], said["statement"] = artifact.program.name, step.name
        said["plan"] = plan_of(artifact.program)
        said["carried"] = {NEXT + name: name for name in step.carried}
        said["losses"], said["minimises"] = list(step.losses), list(step.minimized)
    if artifact.kind == "gradients":
        said["gradients"] = {name: name.removeprefix(GRADIENT) for name in graph.outputs if name.startswith(GRADIENT)}
        said["losses"] = said["minimises"] = [name for name in graph.outputs if name not in said["gradients"]]
    return said


def _spoken(artifact: Artifact, graph: Graph) -> list[Assumption]:
    """Assumptions that speak of dims of this graph."""
    dims = graph.all_symbols()
    return [one for one in artifact.assumptions if artifact.kind == "entry" or one.symbols() <= dims]


def _input_role(artifact: Artifact, name: str, model: ModelProgram) -> str:
    if artifact.kind == "raw":
        return "column" if name != SEED else name
    if name in (SEED, STEP):
        return name
    if name in model.parameters:
        return "parameter"
    if artifact.kind == "entry":
        return "argument"
    step = artifact.step
    if step is None or name in step.fields:
        return "field"
    if name.startswith(GATHERED):
        return "gathered"
    return "rate" if name in rates_of(artifact, model) else "state"


def rates_of(artifact: Artifact, model: ModelProgram) -> list[str]:
    """The learning rates that are inputs of a training step."""
    read = artifact.step.constants if artifact.step is not None else {}
    return [name for name in read if name not in model.parameters and not name.startswith(GATHERED)]


def _output_role(artifact: Artifact, name: str, model: ModelProgram) -> str:
    if artifact.kind == "gradients":
        return "gradient" if name.startswith(GRADIENT) else "loss"
    if artifact.step is not None:
        return "condition" if name == CONDITION else "next" if name.startswith(NEXT) else "loss"
    if artifact.kind == "evaluate":
        return "loss" if name in model.losses else "metric" if name in model.metrics else "gathered"
    return "output"


def step_name(program: TrainProgram, index: int) -> str:
    """What the graph of a statement is called."""
    return ".".join([TRAIN_STEP, *[program.name] * bool(program.name), *[str(index)] * bool(index)])


def program_contract(program: TrainProgram) -> dict[str, Any]:
    """What a ``train`` block does."""
    settings = program.settings
    return {
        "batch_size": settings.batch_size,
        "accumulate": settings.accumulate,
        "epochs": settings.epochs,
        "whole": sorted(program.whole),
        "plan": plan_of(program),
    }


def plan_of(program: TrainProgram) -> list[dict[str, Any]]:
    """What one pass over its statements does, in order."""
    return _plan(program.plan, program)


def _plan(plan: Plan, program: TrainProgram) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    for item in plan:
        match item:
            case Do(index):
                said.append({"run": step_name(program, index)})
            case Gather(index):
                said.append({"gather": step_name(program, index)})
            case Repeat(count, body, condition):
                asked = {} if condition is None else {"while": step_name(program, condition)}
                said.append({"repeat": count, **asked, "do": _plan(body, program)})
            case Every(count, body):
                said.append({"every": count, "do": _plan(body, program)})
    return said


def model_contract(model: ModelProgram, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What all graphs of a model have in common; ``about`` is what a run knows besides (``metrics``, ``classes``)."""
    spec = model.spec
    imports = {path: _digest(text) for path, text in (spec.imports or {}).items()}
    return {
        "name": model.name,
        "spec": {
            "name": spec.name,
            "sha256": _digest(spec.source.text),
            **({"imports": imports} if imports else {}),
        },
        "arguments": {name: value for name, value in model.arguments.items() if _is_plain(value)},
        "dtype": str(model.float_type),
        "losses": list(model.losses),
        "metrics": list(model.metrics),
        "versions": {"archonnx": version("archonnx"), "onnx": version("onnx")},
        **({"run": dict(about)} if about else {}),
    }


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _is_plain(value: object) -> bool:
    """Whether JSON has it."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def as_metadata(graph: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, str]:
    """The property of a file that says what it is."""
    return {METADATA_KEY: json.dumps({"format": FORMAT, **graph, "model": model}, ensure_ascii=False)}


def contract_of(model: onnx.ModelProto) -> dict[str, Any]:
    """What a file that was written here says of itself."""
    found: dict[str, Any] = json.loads(next(one.value for one in model.metadata_props if one.key == METADATA_KEY))
    return found
