"""OpenCV's adaptive Gaussian mixture (BackgroundSubtractorMOG2), as a background model."""

from __future__ import annotations

from typing import Any

import cv2

from motionseg.background._cv2 import HIDDEN, KNOWN_FOREGROUND, OpenCVModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer, check_number

__all__ = ["OpenCVMOG2"]


class OpenCVMOG2(OpenCVModel):
    """OpenCV's adaptive Gaussian mixture with shadows, to compare with or to keep its very masks.

    :class:`~motionseg.background.GaussianMixture` is the same model, faster, with a graded score and a state.

    Parameters
    ----------
    history : int, at least 1
        Frames that the model looks back on (history).
    threshold : float, above 0
        Squared Mahalanobis distance within which a pixel is background (varThreshold).
    detect_shadows : bool
        Label cast shadows 127 (detectShadows).
    n_components : int in [1, 16]
        Most modes per pixel (NMixtures).
    background_ratio : float in (0, 1]
        Modes with this share of the weight are background (BackgroundRatio).
    generate_threshold : float, above 0
        Squared Mahalanobis distance beyond which a pixel makes a new mode (VarThresholdGen).
    var_init, var_min, var_max : float, above 0
        Variance of a new mode, and its limits, in squared grey levels (VarInit, VarMin, VarMax).
    complexity_reduction : float in [0, 1)
        Prior against many modes (ComplexityReductionThreshold).
    shadow_threshold : float in (0, 1]
        A shadow is not darker than this share of the background (ShadowThreshold).

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    Freezing is exact: OpenCV counts frozen frames in its automatic rate, so the rate is worked out here.
    UnsupportedError: ``state`` and ``load_state``; ``known_foreground`` where OpenCV is older than about 4.13.
    The first frame is all shadow, as in OpenCV, or all foreground without shadows.

    References
    ----------
    Z. Zivkovic, Improved adaptive Gaussian mixture model for background subtraction, ICPR 2004,
    doi:10.1109/ICPR.2004.1333992.
    """

    info = ModelInfo(
        paper="Zivkovic 2004, Improved adaptive Gaussian mixture model for background subtraction, "
        "doi:10.1109/ICPR.2004.1333992",
        speed="medium",
        good_at="the masks of existing OpenCV programs; else take gaussian_mixture",
    )
    _unsupported = HIDDEN | (set() if KNOWN_FOREGROUND else {"known_foreground"})

    def __init__(
        self,
        *,
        history: int = 500,
        threshold: float = 16.0,
        detect_shadows: bool = True,
        n_components: int = 5,
        background_ratio: float = 0.9,
        generate_threshold: float = 9.0,
        var_init: float = 15.0,
        var_min: float = 4.0,
        var_max: float = 75.0,
        complexity_reduction: float = 0.05,
        shadow_threshold: float = 0.5,
    ) -> None:
        self.history = check_integer("history", history, 1)
        self.threshold = check_number("threshold", threshold, 0, above=True)
        self.detect_shadows = check_choice("detect_shadows", detect_shadows, (True, False))
        self.n_components = check_integer("n_components", n_components, 1, 16)
        self.background_ratio = check_number("background_ratio", background_ratio, 0, 1, above=True)
        self.generate_threshold = check_number("generate_threshold", generate_threshold, 0, above=True)
        self.var_min = check_number("var_min", var_min, 0, above=True)
        self.var_max = check_number("var_max", var_max, self.var_min)
        self.var_init = check_number("var_init", var_init, self.var_min, self.var_max)
        self.complexity_reduction = check_number("complexity_reduction", complexity_reduction, 0, 0.999)
        self.shadow_threshold = check_number("shadow_threshold", shadow_threshold, 0, 1, above=True)

    def _create(self) -> Any:
        subtractor = cv2.createBackgroundSubtractorMOG2(self.history, self.threshold, bool(self.detect_shadows))
        subtractor.setNMixtures(self.n_components)
        subtractor.setBackgroundRatio(self.background_ratio)
        subtractor.setVarThresholdGen(self.generate_threshold)
        subtractor.setVarInit(self.var_init)
        subtractor.setVarMin(self.var_min)
        subtractor.setVarMax(self.var_max)
        subtractor.setComplexityReductionThreshold(self.complexity_reduction)
        subtractor.setShadowThreshold(self.shadow_threshold)
        return subtractor

    def _automatic_rate(self) -> float:
        return 1 / min(2 * (self._frames_seen + 1), self.history)
