"""What counts have in common: they add up, and some of them are hits, false alarms and misses."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Counts", "Retrieval"]

C = TypeVar("C", bound="Counts")


class Counts:
    """Base of dataclasses of sums: adding two adds field by field."""

    def __add__(self: C, other: C) -> C:
        return type(self)(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


class Retrieval(Counts):
    """Counts with `tp`, `fp` and `fn`: how many of what is real was found, how much of what was found is real."""

    tp: int
    fp: int
    fn: int

    @property
    def recall(self) -> float:
        """TP / (TP + FN); 0 if there was nothing to find."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def precision(self) -> float:
        """TP / (TP + FP); 0 if nothing was found."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def f_measure(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp else 0.0
