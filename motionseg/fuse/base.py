"""The protocol of cue fusers: what several cues say of each pixel in, one score out, with the share of each cue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_frame
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.params import Parametrized
from motionseg.core.types import Frame, Score

__all__ = ["CueFuser", "Fusion"]

LogOdds = npt.NDArray[np.float32]
"""float32 (H, W): ln(p / (1 - p)) by which a cue speaks for foreground (above 0) or background; 0: it says nothing."""


@dataclass(frozen=True, eq=False)
class Fusion:
    """One score, and why it is what it is.

    Attributes
    ----------
    score : float32 (H, W)
        In [0, 1]; 0.5 is the decision.
    evidence : dict of str to float32 (H, W)
        What each cue has added to the log-odds of the score, and ``"neighbours"``, what the pixels around have: the
        sum is ln(score / (1 - score)).
    """

    score: Score
    evidence: dict[str, LogOdds] = field(default_factory=dict)


class CueFuser(Parametrized, ABC):
    """Weighs cues against one another. It remembers nothing, so one object serves any number of cameras in turn.

    Subclasses take keyword-only numbers, check them in ``__init__``, and write one method, `_fuse`.
    """

    @abstractmethod
    def _fuse(self, cues: dict[str, LogOdds], frame: Frame | None) -> Fusion:
        """The fusion of at least one cue."""

    def fuse(self, cues: Mapping[str, LogOdds], *, frame: Frame | None = None) -> Fusion:
        """One score from what several cues say.

        Parameters
        ----------
        cues : mapping of str to float32 (H, W)
            Log-odds, natural logarithm, by which each speaks for foreground; finite.
        frame : uint8 (H, W) or (H, W, 3), optional
            The picture, whose edges tell where neighbours may differ.

        Raises
        ------
        FrameError
            A cue is no picture of finite numbers, or it or the frame has another shape than the first cue.
        ParameterError
            There is no cue, or one that this fuser does not know.
        """
        if not cues:
            raise ParameterError("there is nothing to fuse: cues is empty")
        shape = np.shape(next(iter(cues.values())))
        checked = {}
        for name, cue in cues.items():
            if np.asarray(cue).dtype.kind not in "fiu":
                raise FrameError(f"the cue {name!r} is of {np.asarray(cue).dtype}, not of numbers")
            array = np.ascontiguousarray(cue, np.float32)
            if array.size == 0:
                raise FrameError(f"the cue {name!r} is empty: shape {array.shape}")
            if array.shape != shape or array.ndim != 2:
                raise FrameError(f"the cue {name!r} has shape {array.shape}, the first cue {shape}; both are (H, W)")
            if not np.isfinite(array).all():
                raise FrameError(f"the cue {name!r} is not finite everywhere")
            checked[name] = array
        if frame is not None:
            frame = check_frame(frame)
            if frame.shape[:2] != shape:
                raise FrameError(f"the frame has shape {frame.shape}, the cues {shape}")
        return self._fuse(checked, frame)
