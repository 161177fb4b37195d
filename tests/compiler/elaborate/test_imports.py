"""``from "blocks.arch" import Residual``: files beside the spec, and what may be wrong with them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from archonnx.compiler.elaborate.files.library import library
from archonnx.compiler.pipeline import elaborate, load, parse_spec
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source
from tests.support.elaborated import codes, numbers, output, run_steps, train_step

X = numbers(3, 4)
BLOCKS = """
from "deep/scales.arch" import scale, Bare

block Residual()(x: [B, n]) -> [B, n]:
    return x + scale(x) |> Bare

fn relu(x: [...S]) -> [...S]:
    return 7 * x

fn uses_relu(x: [...S]) -> [...S]:
    return relu(x)

optimizer still(lr: schedule = 1.0)(p: [...S], g: [...S], t: i64[]) -> [...S]:
    return p - lr(t)

schedule half()(t: i64[]) -> []:
    return 0.5
"""
SCALES = """
fn scale(x: [...S]) -> [...S]:
    return factor() * x

fn factor():
    return 3

block Bare()(x: [B, n]) -> [B, n]:
    param w: [n] = 2
    return x * w
"""


def write(folder: Path, **files: str | bytes) -> Path:
    """Files by name (``__`` for a slash); the path of ``main.arch``."""
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        path = folder / f"{stem.replace('__', '/')}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / "main.arch"


def spec(imports: str, output: str, after: str = "") -> str:
    return f"{imports}\nmodel M():\n    input x: [B, 4]\n    output y = {output}\n{after}"


def built(path: Path) -> ModelProgram:
    return elaborate(load(path))


def refused(path: Path) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        built(path)
    (finding,) = caught.value.diagnostics
    return finding


def test_fns_and_blocks_bring_what_they_use(tmp_path: Path) -> None:
    main = spec('from "blocks.arch" import Residual, uses_relu', "uses_relu(x) + Residual()(x) + relu(x)")
    of = built(write(tmp_path, main_arch=main, blocks_arch=BLOCKS, deep__scales_arch=SCALES))
    assert list(of.parameters) == ["residual.bare.w"]
    expected = 7 * X + 8 * X + np.maximum(X, 0)  # `relu` is the file's own there, and the library's here
    np.testing.assert_allclose(output(of, x=X), expected, rtol=1e-5)


def test_an_imported_name_shadows_the_library(tmp_path: Path) -> None:
    main = spec('from "blocks.arch" import relu', "relu(x) + MLP([4, 4])(x) * 0")
    of = built(write(tmp_path, main_arch=main, blocks_arch=BLOCKS, deep__scales_arch=SCALES))
    np.testing.assert_allclose(output(of, x=X), 7 * X, rtol=1e-5)


def test_optimizers_and_schedules(tmp_path: Path) -> None:
    text = 'from "blocks.arch" import still, half\nmodel M():\n    input x: [B, 4]\n    param w: [] = 3\n'
    text += "    loss l = w * mean(x)\ntrain:\n    minimize l with still(lr=half())\n"
    of = built(write(tmp_path, main_arch=text, blocks_arch=BLOCKS, deep__scales_arch=SCALES))
    (after,) = run_steps(train_step(of), {"w": np.float32(3)}, {"x": X}, 1)
    assert after["w"] == 2.5


def test_one_file_by_two_ways_is_one(tmp_path: Path) -> None:
    both = 'from "a.arch" import one\nfrom "b.arch" import two\nfrom "./deep/../deep/scales.arch" import scale'
    part = 'from "deep/scales.arch" import scale\nfn {}(x: [...S]) -> [...S]:\n    return scale(x)\n'
    of = built(
        write(
            tmp_path,
            main_arch=spec(both, "one(x) + two(x) + scale(x)"),
            a_arch=part.format("one"),
            b_arch=part.format("two"),
            deep__scales_arch=SCALES,
        )
    )
    np.testing.assert_allclose(output(of, x=X), 9 * X, rtol=1e-6)


def test_a_name_may_be_imported_on(tmp_path: Path) -> None:
    main = spec('from "blocks.arch" import scale', "scale(x)")
    of = built(write(tmp_path, main_arch=main, blocks_arch=BLOCKS, deep__scales_arch=SCALES))
    np.testing.assert_allclose(output(of, x=X), 3 * X, rtol=1e-6)


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    main = spec('from "s.arch" import scale', "scale(x)")
    of = built(write(tmp_path, main_arch=main, s_arch=b"\xef\xbb\xbf" + SCALES.replace("\n", "\r\n").encode()))
    np.testing.assert_allclose(output(of, x=X), 3 * X, rtol=1e-6)


def test_a_yaml_file_is_imported_and_imports(tmp_path: Path) -> None:
    yaml = "imports: {deep/scales.arch: [scale]}\nfns:\n  twice:\n    inputs: {x: '[...S]'}\n    returns: '[...S]'\n"
    yaml += "    return: 2 * scale(x)\n"
    main = spec('from "f.yaml" import twice', "twice(x)")
    of = built(write(tmp_path, main_arch=main, f_yaml=yaml, deep__scales_arch=SCALES))
    np.testing.assert_allclose(output(of, x=X), 6 * X, rtol=1e-6)


@pytest.mark.parametrize(
    ("imports", "code", "says"),
    [
        ('from "s.arch" import scal', "AX0201", "declares no `scal`"),
        ('from "s.arch" import softmax', "AX0201", "declares no `softmax`"),
        ('from "none.arch" import a', "AX0601", "No such file"),
        ('from "deep" import a', "AX0223", "is not a spec"),
        ('from "notes.txt" import a', "AX0223", "is not a spec"),
        ('from "../s.arch" import scale', "AX0223", "outside the folder"),
        ('from "/etc/s.arch" import scale', "AX0223", "outside the folder"),
        ('from "deep/../../s.arch" import scale', "AX0223", "outside the folder"),
        ('from "link.arch" import scale', "AX0223", "outside the folder"),
        ('from "latin.arch" import scale', "AX0601", "UTF-8"),
        ('from "circle.arch" import a', "AX0224", "circle.arch -> round.arch -> circle.arch"),
        ('from "self.arch" import a', "AX0224", "self.arch -> self.arch"),
        ('from "s.arch" import scale\nfn scale(x: [B]) -> [B]:\n    return x', "AX0205", "declared in this file"),
        ('from "s.arch" import scale, scale', "AX0205", "`scale`"),
        ('from "folder.arch" import a', "AX0601", "folder"),
    ],
)
def test_refused(imports: str, code: str, says: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    path = write(
        inside,
        main_arch=spec(imports, "x"),
        s_arch=SCALES,
        deep__s_arch=SCALES,
        notes_txt="a",
        latin_arch=b"# \xe9\n",
        circle_arch='from "round.arch" import b\nfn a():\n    return 1\n',
        self_arch='from "self.arch" import b\nfn a():\n    return 1\n',
        round_arch='from "circle.arch" import a\nfn b():\n    return 1\n',
    )
    (tmp_path / "s.arch").write_text(SCALES)
    (inside / "link.arch").symlink_to(tmp_path / "s.arch")
    (inside / "folder.arch").mkdir()
    finding = refused(path)
    assert finding.code == code and says in finding.headline
    assert finding.span is not None


def test_a_mistake_in_an_imported_file_is_told_at_its_place(tmp_path: Path) -> None:
    main = spec('from "deep/scales.arch" import scale', "scale(x)")
    broken = SCALES.replace("factor() * x", "factr() * x")
    finding = refused(write(tmp_path, main_arch=main, deep__scales_arch=broken))
    assert finding.code == "AX0201" and finding.span is not None and finding.span.source.name == "deep/scales.arch"
    syntax = refused(write(tmp_path, main_arch=main, deep__scales_arch="fn f(:\n"))
    assert syntax.span is not None and syntax.span.source.name == "deep/scales.arch"


def test_models_and_programs_of_an_imported_file_stay_there(tmp_path: Path) -> None:
    other = SCALES + spec("", "scale(x)").replace("model M", "model Other") + "train:\n    epochs = 0\n"
    of = built(write(tmp_path, main_arch=spec('from "other.arch" import scale', "scale(x)"), other_arch=other))
    assert of.name == "M" and of.programs == ()
    assert refused(write(tmp_path, main_arch=spec('from "other.arch" import Other', "x"))).code == "AX0201"


def test_a_spec_that_is_no_file_cannot_import() -> None:
    assert codes(spec('from "s.arch" import scale', "x")) == ["AX0223"]


# ---------------------------------------------------------------- a file of one's own called like the library's

OWN = "fn joined(x: [B, n], y: [B, n]) -> [B, n]:\n    return x + y[:, :2]\n"
FITTING = "fn joined(x: [B, n], y: [B, n]) -> [B, n]:\n    return x + y\n"
CALL = 'from "std/own.arch" import joined\nmodel M():\n    input x: [B, 4]\n    output y = joined(x, x)\n'


def test_an_error_in_a_file_of_ones_own_is_shown_there_though_its_folder_is_called_std(tmp_path: Path) -> None:
    found = refused(write(tmp_path, main_arch=CALL, std__own_arch=OWN))
    assert found.span is not None and str(found.span) == "std/own.arch:2:14"
    assert found.notes[-1].startswith("inside fn `joined`, called at ") and found.notes[-1].endswith("main.arch:4:16")


def test_an_error_in_the_library_is_shown_at_the_use(tmp_path: Path) -> None:
    found = refused(write(tmp_path, main_arch=CALL.replace("joined(x, x)", "mse(x, x[:, :2])"), std__own_arch=OWN))
    assert found.span is not None and found.span.text == "x[:, :2]"


def test_an_origin_in_a_file_of_ones_own_is_its_own_place(tmp_path: Path) -> None:
    of = elaborate(load(write(tmp_path, main_arch=CALL, std__own_arch=FITTING)))
    assert [str(node.origin.place) for node in of.infer.nodes] == ["std/own.arch:2:12"]


def test_the_librarys_files_and_no_others_are_library() -> None:
    sources = [declaration.declaration.span.source for declaration in library().declared.values()]
    assert sources and all(source.library and source.name.startswith("std/") for source in sources)
    assert pickle.loads(pickle.dumps(sources[0])).library
    assert not parse_spec(Source("std/own.arch", "model M():\n    input x: [B]\n    output y = x\n")).source.library
