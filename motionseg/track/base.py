"""The protocol of linkers: regions of one frame and its time in, tracks with lasting ids out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.errors import StateError
from motionseg.core.params import Parametrized
from motionseg.core.state import read_state, write_state
from motionseg.core.types import Flow, Frame, Labels, Regions, Tracks

__all__ = ["RegionLinker"]

L = TypeVar("L", bound="RegionLinker")


class RegionLinker(Parametrized, ABC):
    """Gives regions ids that last. One object is one camera; its ids start at 1 and are never used twice."""

    info: ClassVar[ModelInfo]
    """What `motionseg models` prints."""

    @abstractmethod
    def update(
        self,
        regions: Regions,
        time: float,
        *,
        labels: Labels | None = None,
        camera: npt.NDArray[np.floating] | None = None,
        flow: Flow | None = None,
        frame: Frame | None = None,
    ) -> Tracks:
        """Link the regions of one frame to the tracks so far.

        Parameters
        ----------
        regions : Regions
            What was found in the frame; may be empty.
        time : float
            The frame's time in seconds; later than that of the last call.
        labels : int32 (H, W), optional
            Their pixels: row i of `regions` is label i + 1; for linkers that compare masks.
        camera : float (3, 3), optional
            Motion of the camera from the last frame to this one, pixels; None: it stood. Velocities are those of the
            objects, with the camera's motion taken off.
        flow : float32 (H, W, 2), optional
            Dense motion from the last frame to this one, the camera's in it; for linkers that carry masks along.
        frame : uint8 (H, W) or (H, W, 3), optional
            The picture; for linkers that tell by colours which part of a region is whose.

        Returns
        -------
        Tracks
            Every track alive after this frame, seen in it or not; and those believed tracks that it ends, as GONE.

        Raises
        ------
        ParameterError
            `time` is not finite or does not increase, `labels` are not those of `regions`, or `camera` is no matrix
            that can be inverted; the linker is unchanged.
        FrameError
            `flow` or `frame` is no such array; the linker is unchanged.
        """

    def identities(self) -> Labels | None:
        """The id of the track that each pixel of the last frame belongs to, int32 (H, W), 0 for none.

        None where the linker knows no pixels: then a region belongs to the track that has its label.
        """
        return None

    def known_foreground(self) -> npt.NDArray[np.bool_] | None:
        """Pixels (H, W) that a background model is not to learn, as things have come to stand there; None for none."""
        return None

    @property
    def needs_background(self) -> bool:
        """Whether the ``presence`` of the next frame's regions is asked for."""
        return False

    @abstractmethod
    def reset(self) -> None:
        """Forget all tracks; ids start at 1 again."""

    @abstractmethod
    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All tracks and the next id, as copies: load it into an equal linker and it continues bit for bit."""

    @abstractmethod
    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` gave.

        Raises
        ------
        StateError
            Arrays are missing or do not fit; the linker is unchanged.
        """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`state` and the parameters to an .npz file, atomically. Raises OutputError."""
        write_state(path, self.state(), {"class": type(self).__name__, "params": self.params()})

    @classmethod
    def load(cls: type[L], path: str | os.PathLike[str]) -> L:
        """A linker of this class as :meth:`save` left it. Raises StateError."""
        arrays, head = read_state(path)
        if head.get("class") != cls.__name__:
            raise StateError(f"{path} holds a {head.get('class')}, not a {cls.__name__}")
        linker = cls(**head["params"])
        linker.load_state(arrays)
        return linker
