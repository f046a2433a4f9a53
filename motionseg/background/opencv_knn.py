"""OpenCV's nearest neighbours (BackgroundSubtractorKNN), as a background model."""

from __future__ import annotations

from typing import Any

import cv2

from motionseg.background._cv2 import HIDDEN, KNOWN_FOREGROUND, OpenCVModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer, check_number

__all__ = ["OpenCVKNN"]


class OpenCVKNN(OpenCVModel):
    """OpenCV's nearest neighbours among samples of three time spans, with shadows.

    :class:`~motionseg.background.KNN` is the same model with a graded score, a state, and random turns
    that a seed repeats.

    Parameters
    ----------
    history : int, at least 1
        Frames that the model looks back on (history).
    threshold : float, above 0
        A sample is near within this squared distance, in squared grey levels summed over the channels
        (dist2Threshold).
    detect_shadows : bool
        Label cast shadows 127 (detectShadows).
    n_samples : int in [1, 100]
        Samples in each of the three lists (NSamples).
    k : int in [1, n_samples]
        Background has so many near samples (kNNSamples).
    shadow_threshold : float in (0, 1]
        A shadow is not darker than this share of the background (ShadowThreshold).

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    The random turns come from OpenCV's generator (``cv2.setRNGSeed``), which all its functions share:
    equal input gives only similar masks. The first frame is all foreground.
    UnsupportedError: ``learning_rate=0``, at which OpenCV goes on learning; ``state`` and ``load_state``;
    ``known_foreground`` where OpenCV is older than about 4.13.

    References
    ----------
    Z. Zivkovic, F. van der Heijden, Efficient adaptive density estimation per image pixel for the task
    of background subtraction, Pattern Recognition Letters 27 (2006), doi:10.1016/j.patrec.2005.11.005.
    """

    info = ModelInfo(
        paper="Zivkovic, van der Heijden 2006, Efficient adaptive density estimation per image pixel, "
        "doi:10.1016/j.patrec.2005.11.005",
        speed="medium",
        good_at="existing OpenCV programs; else take knn",
    )
    _unsupported = HIDDEN | {"freeze", "determinism"} | (set() if KNOWN_FOREGROUND else {"known_foreground"})

    def __init__(
        self,
        *,
        history: int = 500,
        threshold: float = 400.0,
        detect_shadows: bool = True,
        n_samples: int = 7,
        k: int = 2,
        shadow_threshold: float = 0.5,
    ) -> None:
        self.history = check_integer("history", history, 1)
        self.threshold = check_number("threshold", threshold, 0, above=True)
        self.detect_shadows = check_choice("detect_shadows", detect_shadows, (True, False))
        self.n_samples = check_integer("n_samples", n_samples, 1, 100)
        self.k = check_integer("k", k, 1, self.n_samples)
        self.shadow_threshold = check_number("shadow_threshold", shadow_threshold, 0, 1, above=True)

    def _create(self) -> Any:
        subtractor = cv2.createBackgroundSubtractorKNN(self.history, self.threshold, bool(self.detect_shadows))
        subtractor.setNSamples(self.n_samples)
        subtractor.setkNNSamples(self.k)
        subtractor.setShadowThreshold(self.shadow_threshold)
        return subtractor
