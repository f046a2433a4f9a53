"""OpenCV's local SVD binary patterns (bgsegm LSBP), as a background model."""

from __future__ import annotations

from typing import Any

from motionseg.background._cv2 import OpenCVModel, bgsegm
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer, check_number

__all__ = ["OpenCVLSBP"]


class OpenCVLSBP(OpenCVModel):
    """OpenCV's samples of colour and local SVD binary patterns: texture withstands changes of light; slow.

    Parameters
    ----------
    motion_compensation : bool
        Compensate the camera's motion by point tracks (mc).
    n_samples : int in [1, 255]
        Samples per pixel (nSamples).
    radius : int in [1, 100]
        Radius of the pattern in pixels (LSBPRadius).
    t_lower, t_upper : float, above 0
        Limits of the update period T in frames (Tlower, Tupper).
    t_increment, t_decrement : float, at least 0
        Steps of T (Tinc, Tdec).
    r_scale : float, above 0
        Scale of the decision threshold R (Rscale).
    r_step : float in (0, 1)
        Step of R (Rincdec).
    noise_background, noise_foreground : float in [0, 1]
        Share of the picture below which holes and blobs are removed (noiseRemovalThresholdFacBG, ...FG).
    threshold : int in [0, 32]
        Bits by which patterns of one texture may differ (LSBPthreshold).
    min_matches : int, at least 1
        Background has so many near samples (minCount).

    Raises
    ------
    ParameterError
        A parameter is out of range.
    MissingExtraError
        OpenCV was built without its contributed modules.

    Notes
    -----
    Memory: about 1 kB a pixel (2.0 GB at 1920 x 1080). Random choices come from OpenCV's generator
    (``cv2.setRNGSeed``), which all its functions share, and depend on its number of threads even when seeded.
    UnsupportedError: any ``learning_rate`` (OpenCV ignores it, at 0 it goes on learning);
    ``known_foreground``; ``state`` and ``load_state``.

    References
    ----------
    L. Guo, D. Xu, Z. Qiang, Background subtraction using local SVD binary pattern, CVPRW 2016.
    """

    info = ModelInfo(
        paper="Guo, Xu, Qiang 2016, Background subtraction using local SVD binary pattern, CVPRW",
        speed="slow",
        good_at="changes of light in short recordings",
        notice="Random sample replacement with spatial propagation is patented for ViBe (EP2015252B1, US8009918B2) "
        "into 2027-28.",
    )
    _unsupported = OpenCVModel._unsupported | {"learning_rate", "determinism"}

    def __init__(
        self,
        *,
        motion_compensation: bool = False,
        n_samples: int = 20,
        radius: int = 16,
        t_lower: float = 2.0,
        t_upper: float = 32.0,
        t_increment: float = 1.0,
        t_decrement: float = 0.05,
        r_scale: float = 10.0,
        r_step: float = 0.005,
        noise_background: float = 0.0004,
        noise_foreground: float = 0.0008,
        threshold: int = 8,
        min_matches: int = 2,
    ) -> None:
        bgsegm()
        self.motion_compensation = check_choice("motion_compensation", motion_compensation, (True, False))
        self.n_samples = check_integer("n_samples", n_samples, 1, 255)
        self.radius = check_integer("radius", radius, 1, 100)
        self.t_lower = check_number("t_lower", t_lower, 0, above=True)
        self.t_upper = check_number("t_upper", t_upper, self.t_lower)
        self.t_increment = check_number("t_increment", t_increment, 0)
        self.t_decrement = check_number("t_decrement", t_decrement, 0)
        self.r_scale = check_number("r_scale", r_scale, 0, above=True)
        self.r_step = check_number("r_step", r_step, 0, 0.999, above=True)
        self.noise_background = check_number("noise_background", noise_background, 0, 1)
        self.noise_foreground = check_number("noise_foreground", noise_foreground, 0, 1)
        self.threshold = check_integer("threshold", threshold, 0, 32)
        self.min_matches = check_integer("min_matches", min_matches, 1)

    def _create(self) -> Any:
        _, *numbers = self.params().values()  # in OpenCV's order, and all but the first its numbers
        return bgsegm().createBackgroundSubtractorLSBP(int(self.motion_compensation), *numbers)
