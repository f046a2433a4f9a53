"""Superpixels that are dense in place and motion, at any density (Campello et al. 2013), by scikit-learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn import cluster

from motionseg.cluster._superpixels import SuperpixelClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer

__all__ = ["HDBSCAN"]


class HDBSCAN(SuperpixelClusterer):
    """An unknown number of groups without a distance to be chosen: only how many superpixels a thing has at least.

    Parameters
    ----------
    least : int in [2, 1000]
        Superpixels of the smallest group.
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
    alike are one, and connected pieces of the rest are parts. Outliers go
    to the group of the nearest superpixel that has one.

    References
    ----------
    R. Campello, D. Moulavi, J. Sander, Density-based clustering based on hierarchical density estimates, PAKDD 2013,
    doi:10.1007/978-3-642-37456-2_14.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 30:60] = 6, 1
    >>> labels = HDBSCAN(size=4).segment(flow)
    >>> int(labels.max()), bool((labels[22:38, 32:58] == 1).all())
    (1, True)
    """

    info = ModelInfo(
        paper="Campello et al. 2013, Hierarchical density estimates, doi:10.1007/978-3-642-37456-2_14",
        speed="slow",
        good_at="an unknown number of things, slow and fast ones",
    )

    _by_side = True

    def __init__(
        self,
        *,
        least: int = 5,
        size: int = 12,
        position: float = 0.05,
        floor: float = 0.75,
        min_share: float = 0.0005,
    ) -> None:
        self.least = check_integer("least", least, 2, 1000)
        self._take(size, position, floor, min_share)

    def _group(self, features: npt.NDArray[np.float64], areas: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        if len(features) <= self.least:
            return np.zeros(len(features), np.int64)
        model = cluster.HDBSCAN(min_cluster_size=self.least, allow_single_cluster=False, copy=True)
        groups = np.asarray(model.fit(features).labels_, np.int64)
        lone = groups < 0
        if lone.any() and not lone.all():
            groups[lone] = groups[~lone][cKDTree(features[~lone]).query(features[lone])[1]]
        return groups
