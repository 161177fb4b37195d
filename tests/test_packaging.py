"""What an installation is: built from a copy of the checkout, installed elsewhere, and used from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = {name: ROOT / folder for name, folder in SETUPTOOLS["package-dir"].items()}
"""Folders that are mapped to packages, by import name."""


def run(program: str | Path, *arguments: str | Path, cwd: Path) -> str:
    """Run a program without anything of ours in its environment; its standard output."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run([program, *arguments], cwd=cwd, env=clean, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_of_the_checkout(to: Path) -> Path:
    """What a build reads, and nothing that earlier builds have left."""
    to.mkdir()
    for folder in FOLDERS.values():
        shutil.copytree(folder, to / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to)
    return to


def environment(at: Path, *install: str | Path) -> Path:
    """A virtual environment that sees the libraries of this one, with something of ours installed; its bin folder."""
    venv.create(at, with_pip=False)
    inside = {"base": str(at), "platbase": str(at)}
    libraries = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    Path(sysconfig.get_path("purelib", vars=inside), "base.pth").write_text("\n".join(libraries))
    run(sys.executable, "-m", "pip", "--python", at, "install", "-q", "--no-deps", "--no-build-isolation", "--no-index",
        "--disable-pip-version-check", *install, cwd=at)  # fmt: skip
    return Path(sysconfig.get_path("scripts", vars=inside))


class Built(NamedTuple):
    """What a build made."""

    wheel: Path
    sdist: Path

    def names(self) -> list[str]:
        """Names of the files in the wheel."""
        with ZipFile(self.wheel) as archive:
            return archive.namelist()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A source distribution of a copy of the checkout, and a wheel built from that distribution."""
    folder = tmp_path_factory.mktemp("build")
    copy = copy_of_the_checkout(folder / "checkout")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", copy, cwd=folder)
    (wheel,), (sdist,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
    return Built(wheel, sdist)


def test_packages_are_the_folders_that_hold_an_init() -> None:
    found = {
        ".".join((name, *path.parent.relative_to(folder).parts))
        for name, folder in FOLDERS.items()
        for path in folder.rglob("__init__.py")
    }
    assert found == set(SETUPTOOLS["packages"])


def test_the_wheel_claims_one_name(built: Built) -> None:
    assert {name.partition("/")[0] for name in built.names()} == {"archonnx", "archonnx-0.1.0.dist-info"}


DATA = {
    ".py",
    ".js",
    ".arch",
    ".yaml",
    ".lark",
    ".tables",
    ".typed",
    ".md",
    ".csv",
    ".txt",
    ".toml",
    ".json",
    ".png",
    ".jpg",
}
"""Endings of what is installed."""


def test_the_wheel_holds_the_modules_and_the_data(built: Built) -> None:
    wanted = {
        f"{name.replace('.', '/')}/{path.relative_to(folder).as_posix()}"
        for name, folder in FOLDERS.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in DATA
    }
    data = {
        "compiler/passes/crossings.json",
        "grammar/text/archonnx.tables",
        "grammar/diagnostics/pages/AX0301.md",
        "grammar/foreign/pytorch.toml",
        "specs/std/layers.arch",
        "specs/zoo/data/wines.csv",
        "specs/zoo/sequences/python_topics.txt",
        "specs/zoo/data/arrows/up/01.jpg",
        "pictures/live.js",
        "py.typed",
    }
    assert {f"archonnx/{name}" for name in data} <= wanted
    assert {name for name in built.names() if ".dist-info/" not in name} == wanted


def test_the_wheel_works_outside_the_checkout(built: Built, tmp_path: Path) -> None:
    scripts = environment(tmp_path / "venv", built.wheel)
    assert run(scripts / "archonnx", "check", "digits_cnn", cwd=tmp_path).startswith("digits_cnn: ok")
    assert run(scripts / "archonnx", "explain", "AX0301", cwd=tmp_path).startswith("AX0301 inner-dims-differ")
    where = run(scripts / "python", "-c", "import archonnx.compiler as c; print(c.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")


def test_an_editable_install_reads_the_folders(tmp_path: Path) -> None:
    copy = copy_of_the_checkout(tmp_path / "checkout")
    scripts = environment(tmp_path / "venv", "-e", copy)
    code = "import archonnx.grammar as g, archonnx as a; print(g.__file__, a.load('xor').name)"
    file, name = run(scripts / "python", "-c", code, cwd=tmp_path).split()
    assert (Path(file), name) == (copy / "grammar" / "__init__.py", "xor")


@pytest.mark.parametrize("folder", sorted(folder.name for name, folder in FOLDERS.items() if name != "archonnx"))
def test_a_folder_is_no_package_of_its_own(folder: str) -> None:
    code = f"try: import {folder}\nexcept ImportError as error: print(error)"
    assert run(sys.executable, "-c", code, cwd=ROOT).startswith(f"import archonnx.{folder}")


PLATFORMS = {
    "linux/x86_64": ("linux", "x86_64", "onnxruntime-gpu"),
    "linux/aarch64": ("linux", "aarch64", "onnxruntime"),
    "darwin/arm64": ("darwin", "arm64", "onnxruntime"),
    "win32/AMD64": ("win32", "AMD64", "onnxruntime-gpu"),
}


@pytest.mark.parametrize(("platform", "machine", "runtime"), PLATFORMS.values(), ids=PLATFORMS)
def test_each_platform_gets_one_onnxruntime(platform: str, machine: str, runtime: str) -> None:
    there = {"sys_platform": platform, "platform_machine": machine}
    wanted = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    chosen = [r.name for r in wanted if r.name.startswith("onnxruntime") and (not r.marker or r.marker.evaluate(there))]
    assert chosen == [runtime]
