"""Which threads may wait where the processor is short."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

__all__ = ["step_back"]

_NICE = 5  # steps; about a third of the others' share, where there is not enough for all


def step_back() -> None:
    """Let the calling thread wait for those that look at cameras. Of Linux only, where threads have priorities."""
    if hasattr(os, "setpriority") and os.uname().sysname == "Linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICE)
