"""When garbage is looked for: not while a process loads, as nearly all that it loads stays as long as the process.

With Python's own threshold, of 700 new objects, that took a fifth of the start of every process.
"""

from __future__ import annotations

import gc

_WHILE_LOADING = (1_000_000, 10, 10)
_AT_WORK = (50_000, 10, 10)


def begin_loading() -> None:
    """Look for no garbage for now."""
    gc.set_threshold(*_WHILE_LOADING)


def end_loading() -> None:
    """Look for garbage from now on, but not among what was loaded."""
    gc.freeze()
    gc.set_threshold(*_AT_WORK)


def settle() -> None:
    """For a process that works for long, or is about to fork: free what loading has left behind, and keep the rest.

    Left to the garbage collector, what is loaded would be looked through again and again, for a tenth of a second in
    which no thread answers anything; and each process forked from this one would write to all of its memory.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
