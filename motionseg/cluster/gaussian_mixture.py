"""Superpixels into a mixture of Gaussians of place and motion (Dempster et al. 1977), by scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture

from motionseg.cluster._superpixels import SuperpixelClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer

__all__ = ["GaussianMixture"]


class GaussianMixture(SuperpixelClusterer):
    """Groups of any size and slant, as motions that grow along a thing make them; a number of groups that you know.

    Parameters
    ----------
    n_groups : int in [2, 100]
        Gaussians, the background's own among them.
    size : int in [2, 200], pixels
        Side of a superpixel, about; less in small pictures, so that there are 400.
    position : float in [0, 1000]
        Weight of the place: the picture's longer side counts as so many thresholds of motion.
    floor : float in (0, 100], pixels
        Groups whose residual motion is slower are background.
    min_share : float in [0, 1]
        Parts that cover less of the picture are dropped.
    seed : int in [0, 2**31)
        Of the first guess.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    Superpixels of the frame's colours, if there is one, and of the residual flow are clustered by place and mean
    residual flow, in units of `ResidualThreshold`'s threshold; groups slower than it are background, groups that move
    alike are one, and connected pieces of the rest are parts. Every superpixel counts
    once. EM finds a local optimum, from k-means; a Gaussian is no narrower than a tenth of the threshold.

    References
    ----------
    A. Dempster, N. Laird, D. Rubin, Maximum likelihood from incomplete data via the EM algorithm, Journal of the Royal
    Statistical Society B 39 (1977), doi:10.1111/j.2517-6161.1977.tb01600.x.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 30:60] = 6, 1
    >>> labels = GaussianMixture(size=4).segment(flow)
    >>> int(labels.max()), bool((labels[22:38, 32:58] == 1).all())
    (1, True)
    """

    info = ModelInfo(
        paper="Dempster et al. 1977, Maximum likelihood from incomplete data, doi:10.1111/j.2517-6161.1977.tb01600.x",
        speed="slow",
        good_at="things that turn or come nearer, a known number of motions",
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
        if n < 2:
            return np.zeros(len(features), np.int64)
        model = SklearnMixture(n_components=n, reg_covar=0.01, max_iter=50, tol=1e-2, random_state=self.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # where it stands then is good enough
            return np.asarray(model.fit_predict(features), np.int64)
