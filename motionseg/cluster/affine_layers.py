"""Layers of affine motion: a robust mixture by expectation and maximisation, with neighbours that pull."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.cluster._layers import LayeredClusterer
from motionseg.core.catalog import ModelInfo

__all__ = ["AffineLayers"]

_TERMS = np.eye(12)[:, [0, 1, 2, 6, 7, 8]]


class AffineLayers(LayeredClusterer):
    """Few things that move each in its own way, and a background with some depth, without a camera too.

    Parameters
    ----------
    layers : int in [2, 12]
        As many motions at most, the background's included; fewer if fewer explain the flow.
    floor : float in (0, 100], pixels
        What differs from the background's motion by less does not move by itself.
    contrast : float in [0, 1]
        Nor does what differs by less than this share of the fastest speed in the picture (its 98th percentile): so
        near static things are not taken for parts beside one that is much faster. 0 to find slow things beside fast.
    smoothness : float in [0, 5]
        How strongly each neighbour on the grid pulls (Potts): its weight counts e to this power.
    min_share : float in [0, 0.5]
        Layers and parts that cover less of the picture are dropped.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    Flow is sampled on a grid of some 16 000 points. A layer is six numbers (translation, turn, zoom, shear), a scale
    and a share; the misfit is Student's, and what fits no layer belongs to outliers that are anywhere in the range of
    the flow. The fit begins with local motions that explain, greedily, most of what is not explained yet, and takes
    at most ten rounds; layers that come to move alike are merged. The background is the layer with most of the picture
    and its border; layers with 30 % of the border or 60 % of a side belong to it. Layers that differ by less than
    half their speed are one thing. Every pixel of the picture is then judged, and connected pieces are the parts;
    outliers join the part that they touch most.

    It asks only the flow, so a part has the flow's outlines. Water, whose flow is of no layer, becomes parts. Things
    that fill most of the picture are the background. Some 30 bytes per pixel while it works.

    References
    ----------
    J. Wang, E. Adelson, Representing moving images with layers, IEEE Trans. IP 3 (1994), doi:10.1109/83.334981.
    A. Jepson, M. Black, Mixture models for optical flow computation, CVPR 1993, doi:10.1109/CVPR.1993.341161.
    G. Celeux, F. Forbes, N. Peyrard, EM procedures using mean field-like approximations for Markov model-based image
    segmentation, Pattern Recognition 36 (2003), doi:10.1016/S0031-3203(02)00027-4.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[20:40, 10:30], flow[20:40, 50:60] = (3, 1), (-2, 0)
    >>> np.bincount(AffineLayers().segment(flow).ravel()).tolist()
    [4200, 400, 200]
    """

    info = ModelInfo(
        paper="Wang, Adelson 1994, Representing moving images with layers, doi:10.1109/83.334981",
        speed="medium",
        good_at="a few stiff things before a travelling camera; parts that touch and move apart",
    )

    def _terms(self) -> npt.NDArray[np.float64]:
        return _TERMS
