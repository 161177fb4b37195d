"""A folder has one writer at a time, and what was begun in it is finished or dropped by the next one."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime import reserving
from archonnx.runtime.files import save_parameters, write_atomically
from archonnx.runtime.folders.record import read_record
from archonnx.runtime.folders.resume import SavedState
from archonnx.runtime.reserving import LOCK, reserved, reserved_number
from archonnx.runtime.staging import MOVES, SAVING, interrupted, staged
from tests.support.faults import Killed, faults


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk: the calls are what is counted."""
    monkeypatch.setattr(os, "fsync", lambda number: None)


def refused(folder: Path, code: str) -> str:
    with pytest.raises(SpecError) as caught, reserved(folder):
        pass
    assert [found.code for found in caught.value.diagnostics] == [code]
    return str(caught.value)


def in_another_process(action: Callable[[], None]) -> int:
    """How a process ends that does this."""
    process = os.fork()
    if not process:
        try:
            action()
        except SpecError as error:
            os._exit(int(error.diagnostics[0].code[-2:]))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_the_second_one_is_refused_at_once_and_told_who_is_there(tmp_path: Path) -> None:
    def reserve() -> None:
        with reserved(tmp_path / "run"):
            os._exit(0)

    with reserved(tmp_path / "run"):
        said = refused(tmp_path / "run", "AX0640")
        assert f"process {os.getpid()} on " in said and "--out" in said
        assert in_another_process(reserve) == 40
    assert not (tmp_path / "run").exists()
    assert in_another_process(reserve) == 0  # which ends without a word: its lock goes with it
    assert (tmp_path / "run" / LOCK).is_file()
    with reserved(tmp_path / "run") as place:
        assert place.fresh


@pytest.mark.parametrize("read", [SavedState, read_record])
def test_who_reads_where_a_training_has_kept_nothing_yet_is_told_to_wait(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    def code() -> None:
        read(tmp_path)

    with reserved(tmp_path):
        assert in_another_process(code) == 40
    assert in_another_process(code) in (11, 18)


def test_where_a_file_system_has_no_locks_a_process_that_lives_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserving, "_take", lambda number: None)
    with reserved(tmp_path):
        refused(tmp_path, "AX0640")
        said = json.loads((tmp_path / LOCK).read_text())
        gone = in_another_process(lambda: os._exit(0))
        assert gone == 0
        (tmp_path / LOCK).write_text(json.dumps({**said, "process": 2**22 + 1}))
        with reserved(tmp_path):
            pass


def test_trainings_at_once_have_numbers_of_their_own(tmp_path: Path) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        places = list(pool.map(lambda _: stack.enter_context(reserved_number(tmp_path / "runs", "x")), range(16)))
        assert {place.folder.name for place in places} == {f"x-{number}" for number in range(1, 17)}
    assert [*tmp_path.rglob("*")] in ([], [tmp_path / "runs"]), "who made `runs` may not be the last to leave it"


def test_what_was_made_for_nothing_is_removed_and_nothing_else(tmp_path: Path) -> None:
    with reserved(tmp_path / "a" / "b" / "c"):
        assert (tmp_path / "a" / "b" / "c" / LOCK).is_file()
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    with reserved(tmp_path / "mine"):
        pass
    with pytest.raises(KeyError), reserved(tmp_path / "d" / "e") as place:
        (place.folder / "kept.txt").write_text("")
        raise KeyError
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["d", "e", "kept.txt", "mine"]


def test_places_that_cannot_be_written_are_told_and_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert "it is not a folder" in refused(tmp_path / "file" / "run", "AX0616")
    assert "leads nowhere" in refused(tmp_path / "nowhere", "AX0614")
    refused(tmp_path / "circle", "AX0614")
    refused(tmp_path / "file", "AX0614")
    assert "too long" in refused(tmp_path / "new" / ("n" * 300), "AX0616")
    assert "null" in refused(tmp_path / "a\0b", "AX0616")
    with faults(0, errno.EROFS):
        refused(tmp_path / "fresh", "AX0616")
    with faults(1, errno.EROFS):
        assert "EROFS" in refused(tmp_path / "fresh", "AX0616")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "file", "nowhere"]


def test_places_that_can_be_written_whatever_they_are_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for folder in (tmp_path / ("n" * 250), tmp_path / "link", tmp_path / "-", tmp_path / " a\nb "):
        with reserved(folder) as place, staged(place.folder, "last") as part:
            (part / "last").write_text("")
        assert (folder / "last").is_file()
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "last").is_file()
    monkeypatch.chdir(tmp_path / "real")
    with reserved(Path()) as place, staged(place.folder, "last") as part:
        (part / "last").write_text("here")
    assert Path("last").read_text() == "here"


def test_a_lock_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("mine")
    assert "did not write" in refused(tmp_path, "AX0614")
    assert (tmp_path / LOCK).read_text() == "mine"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / LOCK).symlink_to(tmp_path / LOCK)
    refused(tmp_path / "a", "AX0616")
    assert (tmp_path / LOCK).read_text() == "mine"


# ---------------------------------------------------------------- files that change together

OLD = {"a": "old a", "below/b": "old b", "gone": "old", "below/gone": "old"}
NEW = {"a": "new a", "below/b": "new b", "new/deep/c": "new c"}
FOREIGN = {"notes.txt": "mine", "below/mine.txt": "mine"}


def before(folder: Path) -> None:
    for name, text in {**OLD, **FOREIGN}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def save(folder: Path) -> None:
    with reserved(folder) as place, staged(place.folder, "a", ["gone", "below/gone", "a"]) as part:
        for name, text in NEW.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(part / name, text.encode())


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def calls(folder: Path) -> list[str]:
    before(folder)
    with faults() as seen:
        save(folder)
    return seen.calls


@pytest.mark.parametrize("error", [None, errno.ENOSPC])
def test_wherever_a_save_ends_the_next_one_finds_all_or_nothing_of_it(error: int | None, tmp_path: Path) -> None:
    count = len(calls(tmp_path / "whole"))
    assert content(tmp_path / "whole") == {**NEW, **FOREIGN} and count > 20
    for at in range(0, count, 1 if error is None else 4):
        folder = tmp_path / str(at)
        before(folder)
        with faults(at, error), suppress(Killed, SpecError, OSError):
            save(folder)
        with reserved(folder):
            assert not interrupted(folder) and not (folder / SAVING).exists()
        assert content(folder) in ({**OLD, **FOREIGN}, {**NEW, **FOREIGN}), at


def test_mending_is_itself_safe(tmp_path: Path) -> None:
    whole = calls(tmp_path / "whole")
    first = next(at for at, call in enumerate(whole) if call == f"rename {MOVES}") + 3
    for at in range(2, 30):
        folder = tmp_path / str(at)
        before(folder)
        with faults(first), pytest.raises(Killed):
            save(folder)
        assert interrupted(folder)
        with faults(at) as seen, suppress(Killed), reserved(folder):
            pass
        with reserved(folder):
            pass
        assert content(folder) == {**NEW, **FOREIGN}
        if not seen.dead:
            break
    else:
        raise AssertionError("never got through")


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "link/out", "c:out", "a\\b", ""])
def test_what_a_stranger_left_to_be_moved_stays_inside(name: str, tmp_path: Path) -> None:
    run, home = tmp_path / "run", tmp_path / "home"
    (run / SAVING / "link").mkdir(parents=True)
    home.mkdir()
    (run / "link").symlink_to(home)
    (run / SAVING / "link" / "out").write_text("theirs")
    (home / "out").write_text("mine")
    for key in ("new", "gone"):
        (run / SAVING / MOVES).write_text(json.dumps({"new": [], "gone": [], key: [name]}))
        refused(run, "AX0611")
        assert (home / "out").read_text() == "mine"


def test_a_link_in_place_of_what_is_saved_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / SAVING).symlink_to(tmp_path / "home")
    with reserved(tmp_path / "run"):
        pass
    assert (tmp_path / "home" / "mine").read_text() == "mine"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_mode_that_new_files_have(mask: int, tmp_path: Path) -> None:
    mask_before = os.umask(mask)
    try:
        write_atomically(tmp_path / "a", b"")
        save_parameters(tmp_path / "b", {})
        with reserved(tmp_path / "run") as place, staged(place.folder, "c") as part:
            (part / "c").write_text("")
    finally:
        os.umask(mask_before)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "b", "run/c")}
    assert modes == {0o666 & ~mask}
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o777 & ~mask
