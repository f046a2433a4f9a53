"""Superpixels into k groups of like place and motion (MacQueen 1967), by scikit-learn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans as SklearnKMeans

from motionseg.cluster._superpixels import SuperpixelClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer

__all__ = ["KMeans"]


class KMeans(SuperpixelClusterer):
    """The plainest clustering: a number of groups that you know; each is background or moves.

    Parameters
    ----------
    n_groups : int in [2, 100]
        Groups, the background's own among them: a background before near things needs several.
    size : int in [2, 200], pixels
        Side of a superpixel, about; less in small pictures, so that there are 400.
    position : float in [0, 1000]
        Weight of the place: the picture's longer side counts as so many thresholds of motion.
    floor : float in (0, 100], pixels
        Groups whose residual motion is slower are background.
    min_share : float in [0, 1]
        Parts that cover less of the picture are dropped.
    seed : int in [0, 2**31)
        Of the first centres.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    Superpixels (Achanta et al. 2012, of the frame's colours if there is one and of the residual flow) are clustered by
    place and mean residual flow. Groups that move alike are joined; connected pieces of the rest are parts. The
    motion's unit is `ResidualThreshold`'s threshold, and groups slower than it are background. Some 60 bytes a pixel.

    References
    ----------
    J. MacQueen, Some methods for classification and analysis of multivariate observations, Berkeley Symposium 1967.
    R. Achanta et al., SLIC superpixels compared to state-of-the-art superpixel methods, IEEE TPAMI 34 (2012),
    doi:10.1109/TPAMI.2012.120.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 30:60] = 6, 1
    >>> labels = KMeans(size=4).segment(flow)
    >>> int(labels.max()), bool((labels[22:38, 32:58] == 1).all())
    (1, True)
    """

    info = ModelInfo(
        paper="MacQueen 1967, Some methods for classification and analysis of multivariate observations",
        speed="slow",
        good_at="a known number of motions",
    )

    def __init__(
        self,
        *,
        n_groups: int = 6,
        size: int = 12,
        position: float = 2.0,
        floor: float = 0.75,
        min_share: float = 0.0005,
        seed: int = 0,
    ) -> None:
        self.n_groups = check_integer("n_groups", n_groups, 2, 100)
        self._take(size, position, floor, min_share)
        self.seed = check_integer("seed", seed, 0, 2**31 - 1)

    def _group(self, features: npt.NDArray[np.float64], areas: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        n = min(self.n_groups, len(np.unique(features, axis=0)))
        model = SklearnKMeans(n_clusters=n, n_init=2, random_state=self.seed)
        return np.asarray(model.fit(features, sample_weight=areas).labels_, np.int64)
