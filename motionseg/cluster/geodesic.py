"""What cannot be reached from the picture's border without crossing changes of motion (Wang et al. 2015)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from motionseg.cluster._parts import connected_parts, motion_threshold, smooth_mask
from motionseg.cluster._superpixels import Superpixels
from motionseg.cluster.base import FlowClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.geometry import vector_lengths
from motionseg.core.types import Flow, Frame

__all__ = ["Geodesic"]


class Geodesic(FlowClusterer):
    """Robust where the background's motion drifts slowly: only changes of motion on the way from the border count.

    Parameters
    ----------
    size : int in [2, 200], pixels
        Side of a superpixel, about; less in small pictures, so that there are 400.
    slack : float in [0, 100], pixels
        From one superpixel to the next so much change is free.
    floor : float in (0, 100], pixels
        What is reached with less change is background.
    min_share : float in [0, 1]
        Parts that cover less of the picture are dropped.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    A superpixel's saliency is the length of the shortest path to it, over neighbours, from a superpixel at the border
    that moves with the camera; a step is as long as the residual motions differ, less `slack`. The saliency is split as
    speeds are by `ResidualThreshold`. A thing that the border cuts off is found, too, if it moves faster than that
    threshold. Touching things are one part. Some 60 bytes per pixel while it works.

    References
    ----------
    W. Wang, J. Shen, F. Porikli, Saliency-aware geodesic video object segmentation, CVPR 2015,
    doi:10.1109/CVPR.2015.7298961.

    Examples
    --------
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[..., 0] = np.linspace(-2, 2, 80)
    >>> flow[20:40, 30:50] += 6, 1
    >>> labels = Geodesic().segment(flow)
    >>> int(labels.max()), bool((labels[22:38, 32:48] == 1).all())
    (1, True)
    """

    info = ModelInfo(
        paper="Wang et al. 2015, Saliency-aware geodesic video object segmentation, doi:10.1109/CVPR.2015.7298961",
        speed="slow",
        good_at="one thing before a background whose motion the camera's model does not quite fit",
    )

    def __init__(self, *, size: int = 10, slack: float = 0.2, floor: float = 0.75, min_share: float = 0.0005) -> None:
        self.size = check_integer("size", size, 2, 200)
        self.slack = check_number("slack", slack, 0, 100)
        self.floor = check_number("floor", floor, 0, 100, above=True)
        self.min_share = check_number("min_share", min_share, 0, 1)

    def _segment(
        self, flow: Flow, residual: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None
    ) -> npt.NDArray[np.int32]:
        nothing = np.zeros(valid.shape, np.int32)
        limit = motion_threshold(vector_lengths(residual), valid, self.floor)
        if not np.isfinite(limit):
            return nothing
        pieces = Superpixels(residual, valid, frame, self.size)
        motions = pieces.motions.astype(np.float64)
        border = pieces.at_border()
        starts = border[(np.hypot(*motions[border].T) <= limit) & (pieces.areas[border] > 0)]
        if len(starts) == 0:
            return nothing
        a, b = pieces.neighbours().T
        steps = np.maximum(np.hypot(*(motions[a] - motions[b]).T) - self.slack, 0)
        steps[(pieces.areas[a] == 0) | (pieces.areas[b] == 0)] = 0  # nothing is known of what is not valid
        graph = coo_matrix((steps + 1e-9, (a, b)), shape=(len(pieces), len(pieces))).tocsr()
        reached = dijkstra(graph, directed=False, indices=starts, min_only=True)
        saliency = np.asarray(pieces.spread(reached.astype(np.float32)), np.float32)
        moving = saliency > motion_threshold(saliency, valid, self.floor)
        return connected_parts(smooth_mask(moving & valid, 5), self.min_share)
