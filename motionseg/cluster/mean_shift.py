"""Superpixels to the peaks of their density in place and motion (Comaniciu, Meer 2002), by scikit-learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.cluster import MeanShift as SklearnMeanShift

from motionseg.cluster._superpixels import SuperpixelClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number

__all__ = ["MeanShift"]


class MeanShift(SuperpixelClusterer):
    """Finds the number of groups by itself, from how near motions have to be to be one.

    Parameters
    ----------
    bandwidth : float in (0, 1000]
        Radius of the window that climbs, in thresholds of motion.
    size : int in [2, 200], pixels
        Side of a superpixel, about; less in small pictures, so that there are 400.
    position : float in [0, 1000]
        Weight of the place: the picture's longer side counts as so many thresholds of motion.
    floor : float in (0, 100], pixels
        Groups whose residual motion is slower are background.
    min_share : float in [0, 1]
        Parts that cover less of the picture are dropped.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    Superpixels of the frame's colours, if there is one, and of the residual flow are clustered by place and mean
    residual flow, in units of `ResidualThreshold`'s threshold; groups slower than it are background, groups that move
    alike are one, and connected pieces of the rest are parts. Windows
    begin at the cells of a grid of the features, so that time does not grow with the square of the superpixels.

    References
    ----------
    D. Comaniciu, P. Meer, Mean shift: a robust approach toward feature space analysis, IEEE TPAMI 24 (2002),
    doi:10.1109/34.1000236.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 30:60] = 6, 1
    >>> labels = MeanShift(size=4).segment(flow)
    >>> int(labels.max()), bool((labels[22:38, 32:58] == 1).all())
    (1, True)
    """

    info = ModelInfo(
        paper="Comaniciu, Meer 2002, Mean shift: a robust approach, doi:10.1109/34.1000236",
        speed="slow",
        good_at="an unknown number of things",
    )

    def __init__(
        self,
        *,
        bandwidth: float = 1.0,
        size: int = 12,
        position: float = 2.0,
        floor: float = 0.75,
        min_share: float = 0.0005,
    ) -> None:
        self.bandwidth = check_number("bandwidth", bandwidth, 0, 1000, above=True)
        self._take(size, position, floor, min_share)

    def _group(self, features: npt.NDArray[np.float64], areas: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        model = SklearnMeanShift(bandwidth=self.bandwidth, bin_seeding=True, max_iter=50)
        return np.asarray(model.fit(features).labels_, np.int64)
