"""The same files in onnxruntime-node, where ``NODE_PATH`` leads to it: ``npm install onnxruntime-node``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

JAVASCRIPT = {"f": "float", "i": "int", "u": "uint", "b": "bool", "O": "string", "U": "string"}
NUMPY = {"float32": np.float32, "float64": np.float64, "int64": np.int64, "int32": np.int32, "bool": np.bool_}
SCRIPT = Path(__file__).parent / "run_columns.js"


@cache
def has_node() -> bool:
    """Whether there is node, and onnxruntime-node for it."""
    if "NODE_PATH" not in os.environ or shutil.which("node") is None:
        return False
    command = ["node", "-e", "require('onnxruntime-node')"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def in_node(path: Path, columns: Mapping[str, Any]) -> dict[str, Any]:
    """What a file gives in onnxruntime-node."""
    given = {}
    for name, column in columns.items():
        array = np.asarray(column)
        kind = JAVASCRIPT[array.dtype.kind]
        bits = array.dtype.itemsize * 8 if array.dtype.kind in "fiu" else ""
        data = array.ravel().tolist()
        texts = data if kind == "string" else [str(int(x)) if array.dtype.kind in "iub" else repr(x) for x in data]
        texts = ["NaN" if text == "nan" else text for text in texts]
        given[name] = {"type": f"{kind}{bits}", "dims": list(array.shape), "data": texts}
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "in.json", Path(folder) / "out.json"
        source.write_text(json.dumps(given))
        command = ["node", str(SCRIPT), str(path), str(source), str(made)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        results = json.loads(made.read_text())
    return {name: _array(one).reshape(one["dims"]) for name, one in results.items()}


def _array(one: Mapping[str, Any]) -> Any:
    if one["type"] == "bool":
        return np.array([text in ("1", "true") for text in one["data"]])
    return np.array([NUMPY[one["type"]](text) for text in one["data"]])
