"""Write what the page of a browser trains on into its exported folder: the parts of a run's data, as fields.

    archonnx export digits_cnn -o model
    python data.py digits_cnn model

Of a spec that has not been trained a run with ``epochs = 0`` says what its data is. The folder gets
``train.safetensors`` and, for what is measured, ``held_out.safetensors`` (the test part, or the valid part where there
is no test part), each with an array for every field, an example a row.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.numpy import save_file

import archonnx


def main(what: str, folder: str) -> None:
    if not (Path(folder) / "graphs.json").is_file():
        sys.exit(f"{folder} is not an exported folder: archonnx export {what} -o {folder}")
    with TemporaryDirectory() as temporary:
        if (Path(what) / "run.json").is_file():
            run = archonnx.Run(what)
        else:
            run = archonnx.train(what, settings={"epochs": 0}, out=Path(temporary) / "run")
        measured = "test" if len(run.rows("test")) else "valid"
        for name, part in (("train", "train"), ("held_out", measured)):
            fields, rows = run.examples(part)
            save_file(fields, Path(folder) / f"{name}.safetensors")
            print(f"{name}: {len(rows)} examples of the {part} part")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
