"""What a check costs as a spec grows (``python -m benchmarks.growth``), and how much of its budget known models take.

It writes docs/check_growth.md. The work is what the budget of a check counts, so it is the same on every machine; the
processor time is of this one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from archonnx.compiler.models import specs_of_models
from archonnx.compiler.pipeline import elaborate, load, parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.bounded import bounded
from archonnx.grammar.budget import BYTES, WORK, Budget
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source

from . import page

SIZES = (50, 100, 200, 400)
LARGE = ("digits_cnn", "char_gpt", "resnet18", "resnet50", "resnet101", "resnet152", "vgg16", "mobilenet_v2")


def _model(body: str, after: str = "") -> str:
    lines = ["input x: [B, 4]", *body.split("\n"), "output o = x"]
    return "model M():\n" + "".join(f"    {line}\n" for line in lines) + after


LAYERS = "for i in range({n}):\n    x = x |> Dense({width})"
TRAIN = "\ntrain:\n    minimize l with adam(lr=1e-3)\n"
MANY: dict[str, Callable[[int], str]] = {
    "layers": lambda n: _model(LAYERS.format(n=n, width=4)),
    "layers, trained with adam": lambda n: _model(f"{LAYERS.format(n=n, width=4)}\nloss l = mean(x)", TRAIN),
    "parameters": lambda n: _model("\n".join(f"param p{k}: [3] = 0" for k in range(n))),
    "statements": lambda n: _model("\n".join(f"h{k} = x + {k}" for k in range(n))),
    "outputs": lambda n: _model("\n".join(f"output y{k} = x + {k}" for k in range(n))),
    "entries": lambda n: _model("\n".join(f"entry e{k}(z: [R]) -> [R]:\n        return z + {k}" for k in range(n))),
    "errors": lambda n: _model("\n".join(f"h{k} = x @ [1]" for k in range(n))),
    "misspelt names": lambda n: _model("\n".join(f"h{k} = soft_maxx{k}(x)" for k in range(n))),
    "facts": lambda n: _model("\n".join(f"assert B >= T + {k}" for k in range(n))).replace("[B, 4]", "[B, T]"),
    "statements that train": lambda n: _model(
        "x = x |> Dense(4)\nloss l = mean(x)", "\ntrain:\n" + "    minimize l with adam(lr=1e-3)\n" * n
    ),
    "max(d - 1, T + i) inside itself": lambda n: _model(
        f"d = B\nfor i in range({n}):\n    d = max(d - 1, T + i)\ny = zeros([d])"
    ).replace("[B, 4]", "[B, T]"),
}


def measured(spec: Spec) -> tuple[Budget, float]:
    """What the check of a spec takes: of its budget, and of processor time."""
    own, begin = Budget(), time.process_time()
    try:
        with bounded(own):
            for one in specs_of_models(spec):
                elaborate(one, simplify=False)
    except SpecError:
        pass
    return own, time.process_time() - begin


def main() -> int:
    """Measure, and write the page."""
    argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__).parse_args()
    rows = []
    for what, make in MANY.items():
        found = [measured(parse_spec(Source("many.arch", make(n)))) for n in SIZES]
        work = [f"{(WORK - own.left) / 1e6:.3f}" if own.left >= 0 else "refused" for own, _ in found]
        rows.append([what, *work, f"{found[-1][1]:.2f}"])
        print("  ".join(rows[-1]), flush=True)
    large = []
    deep = _model(f"{LAYERS.format(n=500, width=1414)}\nloss l = mean(x)", TRAIN).replace("[B, 4]", "[B, 1414]")
    for name in (*LARGE, ""):
        spec = load(name) if name else parse_spec(Source("deep.arch", deep))
        own, seconds = measured(spec)
        shown = f"`{name}`" if name else "500 layers, 10^9 parameters, adam"
        share, size = (WORK - own.left) / WORK, (BYTES - own.room) / BYTES
        large.append([shown, f"{100 * share:.0f} %", f"{100 * size:.0f} %", f"{seconds:.2f}"])
        print("  ".join(large[-1]), flush=True)
    text = [
        "# What a check costs as a spec grows",
        "Written by `python -m benchmarks.growth`.",
        "The work that a check of a spec counts, in millions of units (about seconds), where it has so many of a "
        f"thing; `archonnx check` refuses what would take more than {WORK / 1e6:g} (AX0229). The last column is "
        "processor time for the most of them.",
        page.table(["", *map(str, SIZES), "s"], rows),
        "How much of the budget known models take:",
        page.table(["", "work", "memory", "s"], large),
        page.circumstances(("numpy",)),
    ]
    print(page.write("check_growth.md", text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
