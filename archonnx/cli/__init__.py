"""The command line: one file a verb. Libraries that are slow to import are imported inside the verbs that need them.

Exit status: 0 done; 1 the spec, the settings, the data or the machine do not do; 2 the command line is wrong; 70 a bug
of archonnx, with a report of it in a file; 128 and a signal's number if one ended it, 130 for Ctrl-C.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from types import ModuleType

WRONG, BUG, INTERRUPTED = 1, 70, 130
BRIEF = {"check", "compile"}
"""Verbs that make many objects and keep them to the end: there is no garbage to be looked for."""
BOUNDED = {"check", "fmt", "convert", "std"}
"""Verbs that read specs and do nothing else, so that little time and memory is enough for them."""


def main() -> None:
    """Run the command line of this process."""
    from archonnx.grammar.bounded import over_budget
    from archonnx.grammar.budget import Budget, OverBudget
    from archonnx.grammar.diagnostics import Report, SpecError

    debug = "--debug" in sys.argv
    try:
        _run([argument for argument in sys.argv[1:] if argument != "--debug"])
    except OverBudget:
        from .output import show_report

        show_report(Report([over_budget(Budget())]))
        sys.exit(WRONG)
    except SpecError as error:
        from .output import show_report

        show_report(error.report)
        sys.exit(WRONG)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except MemoryError as error:
        from .output import show_memory

        show_memory(error)
        sys.exit(WRONG)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(WRONG)
    except Exception as error:
        from .output import show_bug, show_long_name

        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # whichever file was meant
            show_long_name(error)
            sys.exit(WRONG)
        if debug:
            raise
        from .bug_report import write_report

        show_bug(error, write_report(error, sys.argv[1:]))
        sys.exit(BUG)


def _run(arguments: list[str]) -> None:
    """Run a verb. A check without options does not wait for the library that reads options."""
    if arguments[:1] == ["check"] and arguments[1:] and not any(argument.startswith("-") for argument in arguments):
        _check(arguments[1:])
    else:
        from archonnx.runtime.data.progress import listening

        from .app import app
        from .telling import say

        with listening(say):
            app(arguments)


def _check(specs: list[str]) -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy starts threads on import; a check needs none
    from .checking import check_specs

    if not check_specs(specs, {}):
        sys.exit(WRONG)


def _without_plugins() -> None:
    """Let pydantic look for no plugins. It looks through all installed packages, which takes a twentieth of a check."""
    search = ModuleType("pydantic.plugin._loader")
    search.__dict__["get_plugins"] = tuple
    sys.modules.setdefault(search.__name__, search)


def console() -> None:
    """The command of a terminal: ``main``, and for brief verbs nothing that a process about to end could do without.

    Here alone the process gets bounds on its time and memory: who calls ``main`` may go on with other things.
    """
    if "".join(sys.argv[1:2]) in BOUNDED and "--data" not in sys.argv:
        from .limits import limit

        limit()
    if "".join(sys.argv[1:2]) not in BRIEF:
        main()
        return
    gc.disable()
    _without_plugins()
    try:
        main()
        status: int | str | None = 0
    except SystemExit as stop:
        status = stop.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else WRONG if status else 0)
