"""Train a model from an exported folder, without archonnx: json, numpy and onnxruntime are all it takes.

    archonnx export digits_mlp -o digits --target exact --batch-size 64
    python train_elsewhere.py digits data.npz --epochs 2 -o trained.safetensors

``data.npz`` has an array for each field of the model, an example a row. What is written is read by archonnx again:
``archonnx.Trainer(spec, parameters=...)``. docs/graphs.md says what is in ``graphs.json``.
"""

import argparse
import json
import pathlib

import numpy
import onnxruntime

DTYPES = {
    "f16": numpy.float16, "f32": numpy.float32, "f64": numpy.float64, "bool": numpy.bool_, "i8": numpy.int8,
    "u8": numpy.uint8, "i32": numpy.int32, "i64": numpy.int64, "u32": numpy.uint32, "u64": numpy.uint64,
}  # fmt: skip
STORED = {
    "F16": "<f2", "F32": "<f4", "F64": "<f8", "BOOL": "?", "I8": "i1", "U8": "u1", "I32": "<i4", "I64": "<i8",
    "U32": "<u4", "U64": "<u8",
}  # fmt: skip


def load(path):
    """The tensors of a .safetensors file: eight bytes of length, a header in JSON, then the numbers."""
    content = pathlib.Path(path).read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, entry in json.loads(content[8:begin]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            numbers = numpy.frombuffer(content[begin + first : begin + last], STORED[entry["dtype"]])
            tensors[name] = numbers.reshape(entry["shape"]).copy()
    return tensors


def save(path, tensors):
    """Write such a file."""
    names = {numpy.dtype(code): name for name, code in STORED.items()}
    header, pieces, offset = {}, [], 0
    for name, array in tensors.items():
        data = array.tobytes()
        places = [offset, offset + len(data)]
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": places}
        pieces.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *pieces]))


class Program:
    """One ``train`` block of an exported folder: ``step(batch)`` is one pass over its statements.

    ``parameters`` are the weights by path; ``rates`` the learning rates, where they are inputs (``--rate-input``).
    """

    def __init__(self, folder, program=None, seed=None):
        self.folder = pathlib.Path(folder)
        self.manifest = json.loads((self.folder / "graphs.json").read_text("utf-8"))
        name = list(self.manifest["programs"])[-1] if program is None else program
        self.settings = self.manifest["programs"][name]
        self.graphs = {key: one for key, one in self.manifest["graphs"].items() if one.get("program") == name}
        stored = load(self.folder / self.manifest["weights"])
        self.parameters = {path: stored[path] for path in self.manifest["parameters"]}
        self.shared, self.own, self.rates = {}, {}, {}
        for key, graph in self.graphs.items():
            state = {part: self._start(graph, part, value, stored) for part, value in graph.get("state", {}).items()}
            of = graph["roles"]
            self.own[key] = {part: value for part, value in state.items() if of[part] == "state"}
            self.shared |= {part: value for part, value in state.items() if of[part] == "gathered"}
            self.rates |= {part: 0.0 for part, role in of.items() if role == "rate"}
        self.seed = numpy.array(self.manifest["seed"] if seed is None else seed, numpy.int64)
        self.executed = self.passes = 0
        self.group, self.sessions = [], {}

    def _start(self, graph, part, value, stored):
        """What fills a tensor that is carried, at the start: a number, or a tensor of the file of weights."""
        if isinstance(value, str):
            return stored[value]
        dtype, _, shape = graph["inputs"][part].rstrip("]").partition("[")
        return numpy.full([int(size) for size in shape.split(", ") if size], value, DTYPES[dtype])

    def step(self, batch):
        """One pass; the last value of each loss by name. Of batches that make one update together the last one does."""
        self.group.append(batch)
        if len(self.group) < self.settings["accumulate"]:
            return {}
        group, self.group = self.group, []
        self.passes += 1
        return self._follow(self.settings["plan"], group)

    def _follow(self, plan, group):
        losses = {}
        for item in plan:
            if "run" in item:
                losses |= self._run(item["run"], group[-1])
            elif "gather" in item:
                for batch in group:
                    losses |= self._run(item["gather"], batch)
            elif "every" in item:
                losses |= self._follow(item["do"], group) if self.passes % item["every"] == 0 else {}
            else:
                for _ in range(item["repeat"]):
                    if "while" in item and not self._call(item["while"], group[-1])["condition"]:
                        break
                    losses |= self._follow(item["do"], group)
        return losses

    def _run(self, name, batch):
        """Run a statement, and carry what it changes."""
        results, graph = self._call(name, batch), self.graphs[name]
        self.executed += 1
        for output, carried in graph["carried"].items():
            home = {"state": self.own[name], "gathered": self.shared}.get(graph["roles"][carried], self.parameters)
            home[carried] = results[output]
        return {loss: float(results[loss]) for loss in graph["losses"]}

    def _call(self, name, batch):
        graph = self.graphs[name]
        if name not in self.sessions:
            self.sessions[name] = onnxruntime.InferenceSession(
                str(self.folder / graph["file"]), providers=["CPUExecutionProvider"]
            )
        known = {**batch, **self.parameters, **self.shared, **self.own[name]}
        known |= {"seed": self.seed, "step": numpy.array(self.executed, numpy.int64)}
        for part in self.rates:
            known[part] = numpy.array(self.rates[part], numpy.float32)
        outputs = list(graph["outputs"])
        given = {part: known[part] for part in graph["inputs"]}
        return dict(zip(outputs, self.sessions[name].run(outputs, given), strict=True))


def main():
    """Train on an .npz file, batch after batch in an order that the epoch decides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("data", help="an .npz file with an array for each field")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--program", help="a `train` block that has a name; the last one unless given")
    parser.add_argument("-o", "--output", default="trained.safetensors")
    asked = parser.parse_args()
    program = Program(asked.folder, asked.program)
    fields = dict(numpy.load(asked.data))
    counted = [name for name in fields if name not in program.settings["whole"]]
    count, size = len(fields[counted[0]]), program.settings["batch_size"]
    size = count if size == "all" else size
    for epoch in range(asked.epochs):
        order = numpy.random.default_rng([int(program.seed), epoch]).permutation(count)
        for start in range(0, count - size + 1, size):
            rows = order[start : start + size]
            losses = program.step({name: array[rows] if name in counted else array for name, array in fields.items()})
        print(f"epoch {epoch + 1}: " + ", ".join(f"{name} {value:.6f}" for name, value in losses.items()))
    save(asked.output, program.parameters)


if __name__ == "__main__":
    main()
