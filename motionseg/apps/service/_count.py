"""What one camera's lookout has done, and how fast."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from motionseg.core.types import FOREGROUND, Segmentation

__all__ = ["LATENCIES", "NEWS", "Count"]

LATENCIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
"""Upper ends, in seconds, of the classes in which latencies are counted."""

NEWS = 300.0
"""Seconds for which a trouble that is over is still told."""

_RECENT = 10.0  # seconds over which rates are told


class Count:
    """What a lookout has done, and how fast; written by its thread, read by all."""

    def __init__(self, cpu: float | None) -> None:
        self._cpu = cpu
        self._processed = self._skipped = self._failed = 0
        self._recent: deque[tuple[float, float]] = deque(maxlen=600)  # when, latency
        self._classes = [0] * len(LATENCIES)
        self._latency_sum = 0.0
        self._events: deque[float] = deque(maxlen=600)
        self._begun = time.monotonic()
        self._used: deque[tuple[float, float]] = deque(maxlen=64)  # when, thread seconds
        self._is_saving = False
        self._last_error: tuple[float, str] | None = None  # when, what
        self.foreground, self.open_events = 0.0, 0

    def fail(self, why: str) -> None:
        self._failed += 1
        self._last_error = time.monotonic(), why

    def affords(self) -> bool:
        """Whether another frame fits into the budget."""
        now, used = time.monotonic(), time.thread_time()
        if not self._used or now - self._used[-1][0] >= 1:
            self._used.append((now, used))
        if self._cpu is None:
            return True
        first, before = self._used[max(0, len(self._used) - 3)]
        affords = used - before <= self._cpu * (now - first + 1.0)
        self._skipped += not affords
        self._is_saving = self._is_saving or not affords
        return affords

    def frame(self, latency: float, seen: Segmentation, open_events: int) -> None:
        self._processed += 1
        self.open_events = open_events
        self._recent.append((time.monotonic(), latency))
        self._latency_sum += latency
        for i, end in enumerate(LATENCIES):
            self._classes[i] += latency <= end
        self.foreground = float(np.count_nonzero(seen.mask == FOREGROUND)) / seen.mask.size

    def event(self, latency: float) -> None:
        self._events.append(latency)

    def status(self) -> dict[str, Any]:
        now, recent, error = time.monotonic(), list(self._recent), self._last_error
        young = [(when, latency) for when, latency in recent if now - when <= _RECENT]
        latencies = [latency for _, latency in young]
        span = min(_RECENT, now - self._begun)
        used = list(self._used)
        cpu = None
        if len(used) > 1:
            (first, before), (last, after) = used[max(0, len(used) - 11)], used[-1]
            cpu = (after - before) / (last - first)
        fps = len(young) / span if span > 0 else 0.0
        budget = None
        if self._is_saving:
            budget = f"{self._skipped} frames were passed over to stay within {self._cpu:g} cores"
        return {
            "frames_processed": self._processed,
            "frames_skipped": self._skipped,
            "frames_failed": self._failed,
            "fps": round(fps, 2),
            "cpu": None if cpu is None else round(cpu, 3),
            "latency_ms": _percentiles(latencies),
            "event_latency_ms": _percentiles(list(self._events)),
            "latency_buckets": dict(zip(LATENCIES, self._classes, strict=True)),
            "latency_sum": self._latency_sum,
            "latency_count": self._processed,
            "budget": budget,
            "last_error": None if error is None or now - error[0] > NEWS else error[1],
        }


def _percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """Of latencies, in milliseconds."""
    if not seconds:
        return {"p50": None, "p95": None}
    p50, p95 = 1e3 * np.percentile(seconds, (50, 95))
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}
