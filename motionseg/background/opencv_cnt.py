"""OpenCV's counting subtractor (bgsegm CNT), as a background model."""

from __future__ import annotations

from typing import Any

from motionseg.background._cv2 import OpenCVModel, bgsegm
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer

__all__ = ["OpenCVCNT"]


class OpenCVCNT(OpenCVModel):
    """OpenCV's counting of frames for which a pixel stayed the same: made for weak processors.

    Parameters
    ----------
    min_stability : int, at least 1
        Frames for which a pixel keeps its grey before it is background (minPixelStability).
    use_history : bool
        Credit pixels that have been stable for long (useHistory).
    max_stability : int, at least min_stability
        Most credit, in frames (maxPixelStability).

    Raises
    ------
    ParameterError
        A parameter is out of range.
    MissingExtraError
        OpenCV was built without its contributed modules.

    Notes
    -----
    Sees grey only: an object of another colour but the same grey is not found. The first
    `min_stability` frames are all foreground.
    UnsupportedError: any ``learning_rate``, 0 too (what OpenCV calls so here is a share of
    `max_stability`); ``background``, as OpenCV's picture is grey whatever the frames are;
    ``known_foreground``; ``state`` and ``load_state``.

    References
    ----------
    S. Zeevi, BackgroundSubtractorCNT: a fast background subtraction algorithm, 2016,
    doi:10.5281/zenodo.4267853.
    """

    info = ModelInfo(
        paper="Zeevi 2016, BackgroundSubtractorCNT, doi:10.5281/zenodo.4267853",
        speed="fast",
        good_at="weak processors and steady scenes",
    )
    _unsupported = OpenCVModel._unsupported | {"learning_rate", "background"}

    def __init__(self, *, min_stability: int = 15, use_history: bool = True, max_stability: int = 900) -> None:
        bgsegm()
        self.min_stability = check_integer("min_stability", min_stability, 1)
        self.use_history = check_choice("use_history", use_history, (True, False))
        self.max_stability = check_integer("max_stability", max_stability, self.min_stability)

    def _create(self) -> Any:
        numbers = (self.min_stability, bool(self.use_history), self.max_stability)
        return bgsegm().createBackgroundSubtractorCNT(*numbers, True)
