"""What starting costs, told by what is imported: a timed assertion would fail on a busy machine, this one cannot."""

from __future__ import annotations

import subprocess
import sys

SLOW = {
    "onnx",
    "onnxruntime",
    "sklearn",
    "scipy",
    "safetensors",
    "yaml",
    "rich",
    "typer",
    "lark",
    "importlib.metadata",
    "archonnx.runtime",
    "archonnx.compiler.lowering",
    "archonnx.compiler.onnx_export",
    "archonnx.compiler.passes",
}
"""Modules that take long to import, or that only running, exporting or reading YAML needs."""


def imported(program: str) -> set[str]:
    """The modules that a fresh process has imported after a program."""
    result = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return set(result.stderr.split())


def command(*arguments: str) -> str:
    return f"import sys; sys.argv = {['archonnx', *arguments]}\nfrom archonnx.cli import main\nmain()"


def test_a_check_imports_nothing_that_is_slow_and_not_needed() -> None:
    brief = command("check", "digits_cnn", "xor").replace("main", "console")
    modules = imported(f"import os; os._exit = lambda status: None\n{brief}")  # it would end before it is asked
    assert {"archonnx.compiler.elaborate.training.programs", "archonnx.compiler.settings"} <= modules, (
        "no block was trained"
    )
    assert not modules & SLOW


def test_importing_the_package_imports_nothing_else() -> None:
    modules = imported("import archonnx")
    assert not {name for name in modules if name.startswith("archonnx.")}
    assert not modules & (SLOW | {"numpy"})


def test_the_help_loads_no_compiler() -> None:
    told = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"  # it ends by SystemExit
    modules = imported(f"{told}\n{command('--help')}")
    assert "archonnx.cli.verbs.compile" in modules
    assert not modules & {"numpy", "archonnx.compiler.ir", "archonnx.compiler.settings"}


def test_a_check_with_options_says_what_a_plain_one_says() -> None:
    """Plain checks go past the library that reads options."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", command(*arguments)], capture_output=True, text=True, timeout=60, check=False
        ).stdout
        for arguments in (["check", "digits_mlp"], ["check", "--format", "full", "digits_mlp"])
    }
    (output,) = outputs
    assert output.startswith("digits_mlp: ok")
