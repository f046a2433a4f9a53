"""Layers of quadratic motion: as affine layers, for planes seen in perspective and cameras that turn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.cluster._layers import LayeredClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice

__all__ = ["QuadraticLayers"]

_ALL = np.eye(12)
# The flow of a plane: u = a + b x + c y + g x^2 + h xy, v = d + e x + f y + g xy + h y^2.
_PLANE = np.concatenate([_ALL[:, [0, 1, 2, 6, 7, 8]], _ALL[:, [3, 4]] + _ALL[:, [10, 11]]], axis=1)


class QuadraticLayers(LayeredClusterer):
    """`AffineLayers` whose motions bend: a background seen by a turning or close camera is one layer.

    Parameters
    ----------
    layers : int in [2, 12]
        As many motions at most, the background's included; fewer if fewer explain the flow.
    floor : float in (0, 100], pixels
        What differs from the background's motion by less does not move by itself.
    contrast : float in [0, 1]
        Nor does what differs by less than this share of the fastest speed in the picture (its 98th percentile). 0 to
        find slow things beside fast ones.
    smoothness : float in [0, 5]
        How strongly each neighbour on the grid pulls (Potts): its weight counts e to this power.
    min_share : float in [0, 0.5]
        Layers and parts that cover less of the picture are dropped.
    model : "planar" or "full"
        The eight numbers of the flow of a plane in perspective, or all twelve of a quadratic one.

    Raises
    ------
    ParameterError
        A number is out of range, or there is no such model.

    Notes
    -----
    See `AffineLayers` for the method and its limits. The bending terms are held to zero a little, so that small
    layers do not bend to fit noise. Some 30 bytes per pixel while it works.

    References
    ----------
    M. Black, P. Anandan, The robust estimation of multiple motions: parametric and piecewise-smooth flow fields,
    CVIU 63 (1996), doi:10.1006/cviu.1996.0006. J. Bergen, P. Anandan, K. Hanna, R. Hingorani, Hierarchical
    model-based motion estimation, ECCV 1992, doi:10.1007/3-540-55426-2_27.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 80, dtype=np.float32)
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[..., 0] = 4 + 3 * x**2
    >>> flow[20:40, 30:60] += 3
    >>> np.bincount(QuadraticLayers(model="full").segment(flow).ravel()).tolist()
    [4200, 600]
    """

    info = ModelInfo(
        paper="Black, Anandan 1996, The robust estimation of multiple motions, doi:10.1006/cviu.1996.0006",
        speed="medium",
        good_at="moving cameras of unknown motion, and few things that move by themselves",
    )

    def __init__(
        self,
        *,
        layers: int = 5,
        floor: float = 0.7,
        contrast: float = 0.2,
        smoothness: float = 1.0,
        min_share: float = 0.002,
        model: str = "planar",
    ) -> None:
        super().__init__(layers=layers, floor=floor, contrast=contrast, smoothness=smoothness, min_share=min_share)
        self.model = check_choice("model", model, ("planar", "full"))

    def _terms(self) -> npt.NDArray[np.float64]:
        return _PLANE if self.model == "planar" else _ALL
