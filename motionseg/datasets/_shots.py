"""A scene as a sequence of a dataset: made when its first frame is asked for, each frame rendered once in a row."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.types import Frame
from motionseg.datasets._render import Scene, SyntheticFrame
from motionseg.datasets.base import Lazy

__all__ = ["Shots"]


class Shots:
    """A scene of `n_frames` that is not made before its first frame is asked for; the last frame is kept.

    Parameters
    ----------
    make : callable
        Makes the scene.
    n_frames : int
        Its length.
    """

    def __init__(self, make: Callable[[], Scene], n_frames: int) -> None:
        self._make, self._n_frames = make, n_frames
        self._last: SyntheticFrame | None = None

    @cached_property
    def _scene(self) -> Scene:
        return self._make()

    def at(self, index: int) -> SyntheticFrame:
        """Frame `index` and all that is true of it; its arrays are not the caller's."""
        if self._last is None or self._last.index != index:
            self._last = self._scene[index]
        return self._last

    def __len__(self) -> int:
        return self._n_frames

    @property
    def frames(self) -> abc.Sequence[Frame]:
        """The pictures alone."""
        return _Frames(self)

    def lazily(self, take: Callable[[SyntheticFrame], npt.NDArray[Any]]) -> Lazy[npt.NDArray[Any]]:
        """Of every frame a copy of what `take` takes from it."""
        return Lazy({i: i for i in range(self._n_frames)}, lambda i: np.array(take(self.at(i))))


class _Frames(abc.Sequence[Frame]):
    def __init__(self, shots: Shots) -> None:
        self._shots = shots

    def __len__(self) -> int:
        return len(self._shots)

    def __getitem__(self, index: Any) -> Any:
        which = range(len(self))[index]
        return self._shots.at(which).frame.copy() if isinstance(which, int) else [self[i] for i in which]
