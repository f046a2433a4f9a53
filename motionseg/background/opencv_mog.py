"""OpenCV's first Gaussian mixture (bgsegm MOG), as a background model."""

from __future__ import annotations

from typing import Any

from motionseg.background._cv2 import HIDDEN, OpenCVModel, bgsegm
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number

__all__ = ["OpenCVMOG"]


class OpenCVMOG(OpenCVModel):
    """OpenCV's older Gaussian mixture, with a fixed number of modes and no shadows.

    Parameters
    ----------
    history : int, at least 1
        Frames that the model looks back on (history).
    n_components : int in [1, 8]
        Modes per pixel (nmixtures).
    background_ratio : float in (0, 1]
        Modes with this share of the weight are background (backgroundRatio).
    noise_sigma : float, above 0
        Least standard deviation of a mode in grey levels (noiseSigma; OpenCV's default, 0, means 15).

    Raises
    ------
    ParameterError
        A parameter is out of range.
    MissingExtraError
        OpenCV was built without its contributed modules.

    Notes
    -----
    Freezing is exact: OpenCV counts frozen frames in its automatic rate, so the rate is worked out here.
    UnsupportedError: ``background``; ``known_foreground``; ``state`` and ``load_state``.

    References
    ----------
    P. KaewTraKulPong, R. Bowden, An improved adaptive background mixture model for real-time tracking
    with shadow detection, AVBS 2001, doi:10.1007/978-1-4615-0913-4_11.
    """

    info = ModelInfo(
        paper="KaewTraKulPong, Bowden 2001, An improved adaptive background mixture model, "
        "doi:10.1007/978-1-4615-0913-4_11",
        speed="medium",
        good_at="comparison with older work",
    )
    _unsupported = HIDDEN | {"known_foreground", "background"}

    def __init__(
        self, *, history: int = 200, n_components: int = 5, background_ratio: float = 0.7, noise_sigma: float = 15.0
    ) -> None:
        bgsegm()
        self.history = check_integer("history", history, 1)
        self.n_components = check_integer("n_components", n_components, 1, 8)
        self.background_ratio = check_number("background_ratio", background_ratio, 0, 1, above=True)
        self.noise_sigma = check_number("noise_sigma", noise_sigma, 0, above=True)

    def _create(self) -> Any:
        return bgsegm().createBackgroundSubtractorMOG(*self.params().values())  # in OpenCV's order

    def _automatic_rate(self) -> float:
        return 1 / min(self._frames_seen + 1, self.history)
