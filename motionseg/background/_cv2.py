"""OpenCV's own subtractors as background models: what their adapters share, and `from_cv2` for any other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_mask
from motionseg.core.errors import MissingExtraError, ParameterError
from motionseg.core.types import FOREGROUND, SHADOW, Frame, Mask, Score

__all__ = ["HIDDEN", "KNOWN_FOREGROUND", "OpenCVModel", "bgsegm", "from_cv2"]

W = TypeVar("W", bound="_Wrapped")

KNOWN_FOREGROUND = "knownForegroundMask" in (cv2.BackgroundSubtractorMOG2.apply.__doc__ or "")
"""Whether this OpenCV (from about 4.13 and 5.0 on) can keep pixels from being learned, in MOG2 and KNN only."""

HIDDEN = frozenset({"state", "restart", "memory"})
"""What asks for the arrays of a subtractor, which none of them shows."""

# Subtractors may mark shadows with any value of their own; a score is all that a mask can tell.
_LABELS = np.full(256, SHADOW, np.uint8)
_LABELS[[0, 255]] = 0, FOREGROUND
_SCORES = np.full(256, 0.25, np.float32)
_SCORES[[0, 255]] = 0, 1


def bgsegm() -> Any:
    """The module ``cv2.bgsegm``.

    Raises
    ------
    MissingExtraError
        This OpenCV was built without the contributed modules.
    """
    module = getattr(cv2, "bgsegm", None)
    if module is None:
        raise MissingExtraError("cv2.bgsegm", "pip install opencv-contrib-python")
    return module


class OpenCVModel(BackgroundModel):
    """A background model whose work a subtractor of OpenCV does; its masks are passed on as they are.

    Subclasses name their numbers, make the subtractor (`_create`) and say in `_unsupported` what it
    cannot do. The score knows no more than the mask: 1 foreground, 0.25 shadow, 0 background.
    """

    _arrays = ()
    _unsupported = frozenset({"freeze", "known_foreground"}) | HIDDEN
    _subtractor: Any = None

    @abstractmethod
    def _create(self) -> Any:
        """A fresh subtractor with the model's parameters."""

    def _automatic_rate(self) -> float | None:
        """The learning rate to ask for where the caller gives none; None: leave it to the subtractor.

        Those that count frozen frames as learned ones freeze exactly only if they are told every rate.
        """
        return None

    def _start(self, frame: Frame) -> None:
        self._subtractor = self._create()

    def _learn(
        self, frame: Frame, mask: Mask, learning_rate: float | None, known: npt.NDArray[np.bool_] | None
    ) -> None:
        self._known = known  # the subtractor itself has to keep it from being learned
        super()._learn(frame, mask, learning_rate, known)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        rate = self._automatic_rate() if learning_rate is None else learning_rate
        arguments: dict[str, Any] = {} if rate is None else {"learningRate": rate}
        if self._known is not None:
            arguments["knownForegroundMask"] = self._known.astype(np.uint8)
        found = check_mask(self._subtractor.apply(frame, **arguments), mask.shape)
        cv2.LUT(found, _LABELS, mask)
        cv2.LUT(found, _SCORES, score)

    def background(self) -> Frame:
        self._require_supported("background")
        shape, picture = self._require_started(), None
        with suppress(cv2.error):  # its way to say "not implemented"; GMG says None
            picture = getattr(self._subtractor, "getBackgroundImage", lambda: None)()
        if picture is None:
            self._unsupported |= {"background"}
            self._require_supported("background")
        if picture.ndim == len(shape):
            return picture.copy()
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR if picture.ndim == 2 else cv2.COLOR_BGR2GRAY)

    def reset(self) -> None:
        super().reset()
        self._subtractor = None


class _Wrapped(OpenCVModel):
    """What `from_cv2` returns."""

    info = ModelInfo(paper="", speed="medium", good_at="a subtractor of the user's own")
    _unsupported = OpenCVModel._unsupported | {"determinism"}

    def __init__(self, *, subtractor: Any) -> None:
        self.subtractor = subtractor

    def _create(self) -> Any:
        return self.subtractor()


class _WrappedObject(_Wrapped):
    """What `from_cv2` returns for a subtractor that exists already, and so cannot be made again."""

    _unsupported = _Wrapped._unsupported | {"reset"}

    def _create(self) -> Any:
        return self.subtractor

    def reset(self) -> None:
        self._require_supported("reset")

    def clone(self: W, **changes: Any) -> W:
        self._require_supported("reset")
        return super().clone(**changes)


def from_cv2(subtractor: Any | Callable[[], Any]) -> BackgroundModel:
    """Use a subtractor of OpenCV, or any object with its methods, wherever a background model is wanted.

    Parameters
    ----------
    subtractor : object or callable
        Has ``apply(frame) -> mask`` (and, where a learning rate is given, a keyword ``learningRate``),
        and if it can, ``getBackgroundImage()``; or a function without arguments that makes such an
        object, which is then called at the first frame and after every ``reset()``.

    Returns
    -------
    BackgroundModel
        Its mask holds 255 and 0 where the subtractor's does, and 127 (shadow) for any other value.
        UnsupportedError answers ``state``, ``load_state``, ``learning_rate=0``, ``known_foreground``, and, unless
        a function was given, ``reset`` and ``clone``.

    Raises
    ------
    ParameterError
        `subtractor` has no method ``apply`` and cannot be called.

    Examples
    --------
    >>> import cv2
    >>> from motionseg.background import from_cv2
    >>> model = from_cv2(lambda: cv2.createBackgroundSubtractorMOG2(detectShadows=False))
    >>> for _ in range(10):
    ...     mask = model.apply(np.full((2, 3), 90, np.uint8))
    >>> mask
    array([[0, 0, 0],
           [0, 0, 0]], dtype=uint8)
    """
    if callable(getattr(subtractor, "apply", None)):
        return _WrappedObject(subtractor=subtractor)
    if callable(subtractor):
        return _Wrapped(subtractor=subtractor)
    raise ParameterError(f"a subtractor has a method apply(frame), or makes an object that has; not {subtractor!r}")
