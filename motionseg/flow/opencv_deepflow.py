"""OpenCV's DeepFlow (optflow.createOptFlow_DeepFlow), as a flow estimator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.types import Flow
from motionseg.flow._optflow import optflow
from motionseg.flow.base import FlowEstimator

__all__ = ["OpenCVDeepFlow"]


class OpenCVDeepFlow(FlowEstimator):
    """Accurate flow for offline use: grey levels and their slopes are matched on a very fine pyramid.

    It takes no numbers: OpenCV shows none of them to Python.

    Raises
    ------
    MissingExtraError
        This OpenCV has no contributed modules.

    Notes
    -----
    The matching of patches that gave the method its name is left out in OpenCV: what runs is its variational part,
    so large motions of small things are missed as by other pyramids.

    References
    ----------
    P. Weinzaepfel, J. Revaud, Z. Harchaoui, C. Schmid, DeepFlow: large displacement optical flow with deep matching,
    ICCV 2013, doi:10.1109/ICCV.2013.175.
    """

    info = ModelInfo(
        paper="Weinzaepfel et al. 2013, DeepFlow: large displacement optical flow with deep matching, "
        "doi:10.1109/ICCV.2013.175",
        speed="slow",
        good_at="accurate flow offline, in light that changes",
    )

    def __init__(self) -> None:
        optflow()

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        return np.asarray(optflow().createOptFlow_DeepFlow().calc(previous, current, None))
