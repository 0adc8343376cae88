"""What a forked process may not use. Threads do not survive a fork: a library that had started some waits for them without end."""

from __future__ import annotations

import os
import sys

THREADED = ("jax", "numba")
"""Libraries with threads of their own that they do not start again."""

_lost: set[str] = set()


def threads_lost(library: str) -> bool:
    """Whether this process was forked from one that had loaded the library, which may have started threads there."""
    return library in _lost


def _note() -> None:
    _lost.update(name for name in THREADED if name in sys.modules)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
