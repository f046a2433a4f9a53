"""OpenCV's sample model of its Summer of Code (bgsegm GSOC), as a background model."""

from __future__ import annotations

from typing import Any

from motionseg.background._cv2 import OpenCVModel, bgsegm
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer, check_number

__all__ = ["OpenCVGSOC"]


class OpenCVGSOC(OpenCVModel):
    """OpenCV's sample model with blink suppression: among its best masks, at a high price in memory.

    Parameters
    ----------
    motion_compensation : bool
        Compensate the camera's motion by point tracks (mc).
    n_samples : int in [1, 255]
        Samples per pixel (nSamples).
    replace_rate : float in [0, 1]
        Probability that foreground replaces a sample (replaceRate).
    propagation_rate : float in [0, 1]
        Probability that a sample is passed on to the neighbours (propagationRate).
    hits_threshold : int, at least 0
        Hits after which a sample may be passed on (hitsThreshold).
    alpha, beta : float, at least 0
        Slope and offset of the decision threshold (alpha, beta), for colours in [0, 1].
    blinking_decay, blinking_multiplier : float in [0, 1]
        Suppression of blinking pixels (blinkingSupressionDecay, blinkingSupressionMultiplier).
    noise_background, noise_foreground : float in [0, 1]
        Share of the picture below which holes and blobs are removed (noiseRemovalThresholdFacBG, ...FG).

    Raises
    ------
    ParameterError
        A parameter is out of range.
    MissingExtraError
        OpenCV was built without its contributed modules.

    Notes
    -----
    Memory: about 1.4 kB a pixel (2.9 GB at 1920 x 1080). Random choices come from OpenCV's generator
    (``cv2.setRNGSeed``), which all its functions share, and depend on its number of threads even when seeded.
    UnsupportedError: ``learning_rate=0``, at which OpenCV goes on learning; ``known_foreground``;
    ``state`` and ``load_state``.

    References
    ----------
    No paper: OpenCV contrib, module bgsegm, Google Summer of Code 2017. It replaces samples at random and
    passes them to neighbours, as ViBe does: O. Barnich, M. Van Droogenbroeck, TIP 20 (2011),
    doi:10.1109/TIP.2010.2101613.
    """

    info = ModelInfo(
        paper="OpenCV contrib, module bgsegm, Google Summer of Code 2017 (no paper)",
        speed="medium",
        good_at="moving backgrounds and shaking cameras, where memory is no matter",
        notice="Random sample replacement with spatial propagation is patented for ViBe (EP2015252B1, US8009918B2) "
        "into 2027-28.",
    )
    _unsupported = OpenCVModel._unsupported | {"determinism"}

    def __init__(
        self,
        *,
        motion_compensation: bool = False,
        n_samples: int = 20,
        replace_rate: float = 0.003,
        propagation_rate: float = 0.01,
        hits_threshold: int = 32,
        alpha: float = 0.01,
        beta: float = 0.0022,
        blinking_decay: float = 0.1,
        blinking_multiplier: float = 0.1,
        noise_background: float = 0.0004,
        noise_foreground: float = 0.0008,
    ) -> None:
        bgsegm()
        self.motion_compensation = check_choice("motion_compensation", motion_compensation, (True, False))
        self.n_samples = check_integer("n_samples", n_samples, 1, 255)
        self.replace_rate = check_number("replace_rate", replace_rate, 0, 1)
        self.propagation_rate = check_number("propagation_rate", propagation_rate, 0, 1)
        self.hits_threshold = check_integer("hits_threshold", hits_threshold, 0)
        self.alpha = check_number("alpha", alpha, 0)
        self.beta = check_number("beta", beta, 0)
        self.blinking_decay = check_number("blinking_decay", blinking_decay, 0, 1, above=True)
        self.blinking_multiplier = check_number("blinking_multiplier", blinking_multiplier, 0, 1)
        self.noise_background = check_number("noise_background", noise_background, 0, 1)
        self.noise_foreground = check_number("noise_foreground", noise_foreground, 0, 1)

    def _create(self) -> Any:
        _, *numbers = self.params().values()  # in OpenCV's order, and all but the first its numbers
        return bgsegm().createBackgroundSubtractorGSOC(int(self.motion_compensation), *numbers)
