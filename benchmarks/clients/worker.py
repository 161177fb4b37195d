"""Runs exported graphs in one client: ``python worker.py CLIENT FOLDER LABEL``; numpy and the client are all it takes.

For each NAME.onnx of the folder it reads NAME.npz and NAME.json, and writes NAME.LABEL.npz, with ``ROUND/OUTPUT``, or
NAME.LABEL.txt, with what went wrong. What has been written is left as it is, so that it can go on where a client died.
Its last line is the version of the client. It runs in old Pythons beside old clients.
"""

import json
import pathlib
import signal
import subprocess
import sys
from importlib import import_module, metadata
from typing import Any

import numpy

THREADS = 2
SECONDS = 120
"""A client that computes for longer with a graph is killed."""
CONVERTING = 30
"""Seconds for a converter, which may wait for ever."""


def rounds_of(run: Any, given: Any, carried: Any) -> Any:
    """The outputs of each round: it is given what the one before it had, its own, and what is carried."""
    feed: Any = {}
    results: Any = []
    for own in given:
        feed = {**feed, **own}
        if results:
            feed = {**feed, **{taken: results[-1][made] for made, taken in carried.items()}}
        results.append(run(feed))
    return results


def _chosen(feed: Any, names: Any) -> Any:
    return {name: feed[name] for name in feed if name in names}


def in_onnxruntime(path: Any, outputs: Any) -> Any:
    """onnxruntime, of whatever version."""
    client: Any = import_module("onnxruntime")
    options = client.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = THREADS
    options.add_session_config_entry("session.force_spinning_stop", "1")  # a session at rest takes no core from others
    # Before 1.20 the second run of a session may give other numbers than the first, where memory is laid out.
    options.enable_mem_pattern = tuple(map(int, client.__version__.split(".")[:2])) >= (1, 20)
    session = client.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    taken = {one.name for one in session.get_inputs()}
    return lambda feed: dict(zip(outputs, session.run(outputs, _chosen(feed, taken)), strict=True))


def in_reference(path: Any, outputs: Any) -> Any:
    """The reference evaluator of onnx."""
    model: Any = import_module("onnx.reference").ReferenceEvaluator(str(path))
    taken = set(model.input_names)
    return lambda feed: dict(zip(model.output_names, model.run(None, _chosen(feed, taken)), strict=True))


def in_openvino(path: Any, outputs: Any) -> Any:
    """OpenVINO on the CPU, computing in f32."""
    client: Any = import_module("openvino")
    core = client.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": THREADS})
    compiled = core.compile_model(core.read_model(str(path)), "CPU")
    taken = {name for port in compiled.inputs for name in port.get_names()}  # what nothing reads is no input there

    def run(feed: Any) -> Any:
        made = compiled(_chosen(feed, taken))
        return {name: numpy.array(made[name]) for name in outputs}

    return run


def in_tract(path: Any, outputs: Any) -> Any:
    """tract, of a file with fixed sizes: it gives no size to a symbol that other shapes of the file name as well."""
    client: Any = import_module("tract")
    model = client.onnx().load(str(path.with_suffix(".fixed.onnx")))
    names = [model.input_name(index) for index in range(model.input_count())]
    opened = model.into_model().into_runnable()

    def run(feed: Any) -> Any:
        made = opened.run([numpy.asarray(feed[name], order="C") for name in names])
        return {name: one.to_numpy() for name, one in zip(outputs, made, strict=True)}

    return run


def in_mnn(path: Any, outputs: Any) -> Any:
    """MNN, of a file that its converter makes of the ONNX. It holds numbers as f32 and i32."""
    client: Any = import_module("MNN")
    converted = path.with_suffix(".mnn")
    # What mnnconvert runs; mnnconvert itself has pip install a logger besides, and tells a server of it: 10 s for each.
    python = [sys.executable, "-c", "import sys, _tools; _tools.mnnconvert(sys.argv)"]
    _converted([*python, *["-f", "ONNX", "--bizCode", "x", "--modelFile"], path, "--MNNModel", converted], converted)
    opened: Any = []

    def run(feed: Any) -> Any:
        if not opened:
            opened.extend([list(feed), client.nn.load_module_from_file(str(converted), list(feed), outputs)])
        names, module = opened
        made = module.onForward([_mnn_tensor(client.expr, feed[name]) for name in names])
        return {name: numpy.array(client.expr.convert(one, client.expr.NCHW).read())
                for name, one in zip(outputs, made, strict=True)}  # fmt: skip

    return run


def _converted(command: Any, made: Any) -> None:
    """Run a converter, which may die or not come to an end."""
    done = subprocess.run(command, check=False, capture_output=True, timeout=CONVERTING, cwd=made.parent)
    if not made.exists():
        raise RuntimeError("it was not converted: " + (done.stdout + done.stderr).decode().strip()[-200:])


def _mnn_tensor(expr: Any, array: Any) -> Any:
    real = array.dtype.kind == "f"
    held = numpy.ascontiguousarray(array.astype(numpy.float32 if real else numpy.int32))
    return expr.const(held, list(array.shape), expr.NCHW, expr.float if real else expr.int)


def in_ncnn(path: Any, outputs: Any) -> Any:
    """ncnn, of files that its converter pnnx makes of the ONNX; it knows no batch, so that rows are run one by one."""
    client: Any = import_module("ncnn")
    converted = path.with_suffix(".ncnn.param")
    _converted([pathlib.Path(sys.executable).with_name("pnnx"), path, "fp16=0"], converted)  # or weights become halves
    net = client.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param(str(converted))
    net.load_model(str(converted.with_suffix(".bin")))

    def run(feed: Any) -> Any:
        rows = []
        for given in zip(*feed.values(), strict=True):
            extractor = net.create_extractor()
            for number, array in enumerate(given):
                extractor.input(f"in{number}", client.Mat(numpy.ascontiguousarray(array)).clone())
            rows.append([numpy.array(extractor.extract(f"out{number}")[1]) for number in range(len(outputs))])
        return {name: numpy.stack(one) for name, one in zip(outputs, zip(*rows, strict=True), strict=True)}

    return run


def in_onnx2torch(path: Any, outputs: Any) -> Any:
    """PyTorch, of the module that onnx2torch makes."""
    torch: Any = import_module("torch")
    graph = import_module("onnx").load(str(path)).graph
    held = {one.name for one in graph.initializer}
    names = [one.name for one in graph.input if one.name not in held]
    module = import_module("onnx2torch").convert(str(path))

    def run(feed: Any) -> Any:
        made = module(*(torch.from_numpy(numpy.array(feed[name])) for name in names))
        return dict(zip(outputs, [one.detach().numpy() for one in (made if len(outputs) > 1 else [made])], strict=True))

    return run


def in_onnxsim(path: Any, outputs: Any) -> Any:
    """onnxruntime, of what onnxsim makes of the file."""
    made, checked = import_module("onnxsim").simplify(str(path))
    if not checked:
        raise RuntimeError("onnxsim found its own graph to be another")
    simplified = path.with_suffix(".simplified.onnx")
    import_module("onnx").save(made, str(simplified))
    return in_onnxruntime(simplified, outputs)


def in_onnxslim(path: Any, outputs: Any) -> Any:
    """onnxruntime, of what onnxslim makes of the file."""
    slim = path.with_suffix(".slim.onnx")
    import_module("onnxslim").slim(str(path), str(slim))
    return in_onnxruntime(slim, outputs)


CLIENTS = {
    "onnxruntime": (in_onnxruntime, "onnxruntime"),
    "reference": (in_reference, "onnx"),
    "openvino": (in_openvino, "openvino"),
    "tract": (in_tract, "tract"),
    "mnn": (in_mnn, "MNN"),
    "ncnn": (in_ncnn, "ncnn"),
    "onnx2torch": (in_onnx2torch, "onnx2torch"),
    "onnxsim": (in_onnxsim, "onnxsim"),
    "onnxslim": (in_onnxslim, "onnxslim"),
}
"""How a client opens a file, and the module that is it."""


def main(client: str, folder: str, label: str, seconds: str = str(SECONDS)) -> None:
    """Run all files of a folder, each for so long at most."""
    opens, package = CLIENTS[client]
    for told in sorted(pathlib.Path(folder).glob("*.json")):
        made, failed = told.with_suffix(f".{label}.npz"), told.with_suffix(f".{label}.txt")
        if made.exists() or failed.exists():
            continue
        failed.write_text(f"it died, or computed for {seconds} s")
        signal.setitimer(signal.ITIMER_PROF, float(seconds))
        about, stored = json.loads(told.read_text()), numpy.load(told.with_suffix(".npz"))
        given = [
            {name.partition("/")[2]: stored[name] for name in stored.files if name.startswith(f"{number}/")}
            for number in range(about["rounds"])
        ]
        try:
            results = rounds_of(opens(told.with_suffix(".onnx"), about["outputs"]), given, about["carried"])
        except Exception as error:
            failed.write_text(f"{type(error).__name__}: {error}"[:2000])
            continue
        numpy.savez(made, **{f"{n}/{name}": array for n, one in enumerate(results) for name, array in one.items()})
        failed.unlink()
    signal.setitimer(signal.ITIMER_PROF, 0)
    module = import_module(package)
    print(getattr(module, "__version__", None) or metadata.version(package))


if __name__ == "__main__":
    main(*sys.argv[1:])
