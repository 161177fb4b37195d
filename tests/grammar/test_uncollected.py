from __future__ import annotations

import gc
from contextlib import suppress

from archonnx.grammar.uncollected import uncollected


def test_cycles_are_looked_for_again_behind_it_if_they_were_before() -> None:
    assert gc.isenabled()
    with suppress(KeyError), uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
