"""Superpixels that are dense in place and motion, chained (Ester et al. 1996), by scikit-learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn import cluster

from motionseg.cluster._superpixels import SuperpixelClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number

__all__ = ["DBSCAN"]


class DBSCAN(SuperpixelClusterer):
    """Groups of any shape and an unknown number of them, without the lone superpixels between them.

    Parameters
    ----------
    reach : float in (0, 1000]
        Superpixels so near, in thresholds of motion, are neighbours.
    least : int in [1, 1000]
        Neighbours, itself among them, that make a superpixel the core of a group.
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
    alike are one, and connected pieces of the rest are parts. Outliers are
    background. Where motion grows smoothly from the camera's to a thing's, both are one chain, and nothing is found.

    References
    ----------
    M. Ester, H.-P. Kriegel, J. Sander, X. Xu, A density-based algorithm for discovering clusters in large spatial
    databases with noise, KDD 1996.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 30:60] = 6, 1
    >>> labels = DBSCAN(size=4).segment(flow)
    >>> int(labels.max()), bool((labels[22:38, 32:58] == 1).all())
    (1, True)
    """

    info = ModelInfo(
        paper="Ester et al. 1996, A density-based algorithm for discovering clusters, KDD 1996",
        speed="slow",
        good_at="an unknown number of things with sharp outlines of motion",
    )

    _by_side = True

    def __init__(
        self,
        *,
        reach: float = 0.35,
        least: int = 4,
        size: int = 12,
        position: float = 0.15,
        floor: float = 0.75,
        min_share: float = 0.0005,
    ) -> None:
        self.reach = check_number("reach", reach, 0, 1000, above=True)
        self.least = check_integer("least", least, 1, 1000)
        self._take(size, position, floor, min_share)

    def _group(self, features: npt.NDArray[np.float64], areas: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        model = cluster.DBSCAN(eps=self.reach, min_samples=self.least)
        return np.asarray(model.fit(features).labels_, np.int64)
