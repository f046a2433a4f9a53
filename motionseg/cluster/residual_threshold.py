"""What moves otherwise than the camera by more than noise, each connected piece a part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.cluster._parts import connected_parts, motion_threshold, smooth_mask
from motionseg.cluster.base import FlowClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.geometry import vector_lengths
from motionseg.core.types import Flow, Frame

__all__ = ["ResidualThreshold"]


class ResidualThreshold(FlowClusterer):
    """The quick baseline: residual speed is split where its histogram is, and connected pixels are a part.

    Parameters
    ----------
    floor : float in (0, 100], pixels
        Slower residuals never count, however still the rest is.
    noise : float in [0, 20]
        Nor do those within so many standard deviations (from the median absolute deviation) of the median speed.
    smooth : int in [1, 51]
        Side, in pixels, of the square whose majority decides; even numbers are taken one larger.
    min_share : float in [0, 1]
        Parts that cover less of the picture are dropped.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    The threshold is Otsu's, of speeds clipped at their 99th percentile, but no lower than `floor` and the noise.
    Where less than 5 % of the pixels are slower than half of it, the camera's motion is not known and there are no
    labels. Parts that touch are one, whatever their directions; near static things before a travelling camera are
    parts. Some 20 bytes per pixel while it works.

    References
    ----------
    N. Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9 (1979),
    doi:10.1109/TSMC.1979.4310076.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 30:60] = 3, 1
    >>> np.bincount(ResidualThreshold(smooth=1).segment(flow).ravel()).tolist()
    [4200, 600]
    """

    info = ModelInfo(
        paper="Otsu 1979, A threshold selection method from gray-level histograms, doi:10.1109/TSMC.1979.4310076",
        speed="medium",
        good_at="one or few things far from a plain background",
    )

    def __init__(self, *, floor: float = 0.75, noise: float = 3.0, smooth: int = 9, min_share: float = 0.0005) -> None:
        self.floor = check_number("floor", floor, 0, 100, above=True)
        self.noise = check_number("noise", noise, 0, 20)
        self.smooth = check_integer("smooth", smooth, 1, 51)
        self.min_share = check_number("min_share", min_share, 0, 1)

    def _segment(
        self, flow: Flow, residual: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None
    ) -> npt.NDArray[np.int32]:
        speed = vector_lengths(residual)
        moving = (speed > motion_threshold(speed, valid, self.floor, self.noise)) & valid
        return connected_parts(smooth_mask(moving, self.smooth | 1), self.min_share)
