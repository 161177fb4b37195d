"""Files decoded by several processes: what they give is what one process gives. Run by ``make proof``: they start slowly."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.data import workers
from archonnx.runtime.data.pictures import Picture, read_pictures

pytestmark = pytest.mark.proof


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty pictures, of which the later ones have colours."""
    image = pytest.importorskip("PIL.Image")
    draw = np.random.default_rng(0)
    for number in range(40):
        shape = (9, 7, 3) if number > 25 else (9, 7)
        image.fromarray(draw.integers(0, 255, shape).astype(np.uint8)).save(tmp_path / f"{number:02}.png")
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    return tmp_path


def test_several_processes_give_what_one_gives(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, names = read_pictures(folder)
    monkeypatch.setattr(workers, "WORTH", 0)
    monkeypatch.setattr(workers, "AT_ONCE", 3)
    together, same = read_pictures(folder)
    assert names == same and np.array_equal(alone, together)
    (folder / "31.png").write_bytes(b"\x89PNG that goes on otherwise")
    with pytest.raises(SpecError) as caught:
        read_pictures(folder)
    assert caught.value.diagnostics[0].headline == "`31.png` is not an image that can be read"


def test_a_process_that_dies_of_a_file_does_not_take_the_training_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "WORTH", 0)
    files = [Picture(path, folder) for path in sorted(folder.iterdir())]
    with pytest.raises(SpecError) as caught:
        list(workers.decoded(files, lambda file, span: os._exit(9) if file.path.stem == "20" else 1, None))
    found = caught.value.diagnostics[0]
    assert found.code == "AX0604" and "has ended" in found.headline
