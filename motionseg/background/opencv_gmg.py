"""OpenCV's histograms of colours (bgsegm GMG), as a background model."""

from __future__ import annotations

from typing import Any

from motionseg.background._cv2 import OpenCVModel, bgsegm
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number

__all__ = ["OpenCVGMG"]


class OpenCVGMG(OpenCVModel):
    """OpenCV's Bayesian histograms of quantised colours; sees nothing until `history` frames are learned.

    Parameters
    ----------
    history : int, at least 1
        Frames that it learns from before it begins to decide (initializationFrames); until then, all is background.
    threshold : float in [0, 1]
        Probability of foreground above which a pixel is (decisionThreshold).
    learning_rate : float in [0, 1]
        Share of a new frame in the histograms (DefaultLearningRate).
    background_prior : float in [0, 1]
        Probability of background before anything is seen (BackgroundPrior).
    max_features : int, at least 1
        Most colours remembered per pixel (MaxFeatures).
    quantization_levels : int in [1, 255]
        Levels of a channel (QuantizationLevels).
    smoothing_radius : int, at least 0
        Size of the median filter in pixels; 0: none (SmoothingRadius).

    Raises
    ------
    ParameterError
        A parameter is out of range.
    MissingExtraError
        OpenCV was built without its contributed modules.

    Notes
    -----
    UnsupportedError: ``learning_rate=0``, which is not exact; ``background``; ``known_foreground``;
    ``state`` and ``load_state``.

    References
    ----------
    A. Godbehere, A. Matsukawa, K. Goldberg, Visual tracking of human visitors under variable-lighting
    conditions for a responsive audio art installation, ACC 2012, doi:10.1109/ACC.2012.6315174.
    """

    info = ModelInfo(
        paper="Godbehere, Matsukawa, Goldberg 2012, Visual tracking of human visitors under variable-lighting "
        "conditions, doi:10.1109/ACC.2012.6315174",
        speed="medium",
        good_at="indoor scenes that are empty for the first seconds",
    )
    _unsupported = OpenCVModel._unsupported | {"background"}

    def __init__(
        self,
        *,
        history: int = 120,
        threshold: float = 0.8,
        learning_rate: float = 0.025,
        background_prior: float = 0.8,
        max_features: int = 64,
        quantization_levels: int = 16,
        smoothing_radius: int = 7,
    ) -> None:
        bgsegm()
        self.history = check_integer("history", history, 1)
        self.threshold = check_number("threshold", threshold, 0, 1)
        self.learning_rate = check_number("learning_rate", learning_rate, 0, 1)
        self.background_prior = check_number("background_prior", background_prior, 0, 1)
        self.max_features = check_integer("max_features", max_features, 1)
        self.quantization_levels = check_integer("quantization_levels", quantization_levels, 1, 255)
        self.smoothing_radius = check_integer("smoothing_radius", smoothing_radius, 0)

    def _create(self) -> Any:
        subtractor = bgsegm().createBackgroundSubtractorGMG(self.history, self.threshold)
        subtractor.setDefaultLearningRate(self.learning_rate)
        subtractor.setBackgroundPrior(self.background_prior)
        subtractor.setMaxFeatures(self.max_features)
        subtractor.setQuantizationLevels(self.quantization_levels)
        subtractor.setSmoothingRadius(self.smoothing_radius)
        return subtractor
