"""Draws models: ``draw`` and ``draw_spec`` give the picture as an SVG document.

What this module does not do: read a spec or write a file.
"""

from __future__ import annotations

from archonnx.compiler.models import specs_of_models
from archonnx.compiler.pipeline import elaborate
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.spec import Spec
from archonnx.runtime.extras import missing

from .building import outline
from .layout import lay_out
from .outline import Box, Outline
from .svg import write

ZOOM = 2
"""Pixels of a PNG for each point of a drawing."""


def draw(model: ModelProgram, graph: str | None = None, *, depth: int | None = None, programs: bool = True) -> str:
    """A picture of a model: its modules as nested boxes, types on the edges, what repeats itself drawn once.

    Args:
        model: what is drawn.
        graph: ``infer``, ``evaluate`` or an entry; all outputs, losses and metrics of the model otherwise.
        depth: how many modules are drawn inside each other; as many as can be read otherwise.
        programs: whether to draw where the data comes from and what is minimised.
    """
    return _written([outline(model, graph, depth=depth, programs=programs)])


def draw_spec(spec: Spec, graph: str | None = None, *, depth: int | None = None, programs: bool = True) -> str:
    """The same for all models that a spec trains; for one if it says which is meant."""
    specs = [spec] if spec.model is not None else specs_of_models(spec)
    return _written([outline(elaborate(one), graph, depth=depth, programs=programs) for one in specs])


def _written(outlines: list[Outline]) -> str:
    names = ", ".join(one.title for one in outlines)
    if len(outlines) == 1:
        whole = outlines[0]
    else:
        edges = [edge for one in outlines for edge in one.edges]
        whole = Outline(names, Box("", parts=[one.root for one in outlines]), edges)
    return write(whole, lay_out(whole), f"drawing of {names}")


def rasterised(svg: str) -> bytes:
    """A drawing as a PNG."""
    try:
        import resvg_py
    except ImportError:
        missing("a drawing as .png", "resvg_py", "pictures", None)
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=ZOOM))
