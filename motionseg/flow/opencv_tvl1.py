"""OpenCV's dual TV-L1 (optflow.DualTVL1OpticalFlow), as a flow estimator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer, check_number
from motionseg.core.types import Flow
from motionseg.flow._optflow import optflow
from motionseg.flow.base import FlowEstimator

__all__ = ["OpenCVTVL1"]


class OpenCVTVL1(FlowEstimator):
    """Flow with sharp boundaries: the least sum of grey-level differences and of the flow's total variation.

    Parameters
    ----------
    tau : float, above 0
        Time step of the numerical scheme.
    attachment : float, above 0
        Weight of the data against smoothness (lambda); larger follows details and noise.
    theta : float, above 0
        How tightly the two halves of the problem are coupled.
    levels : int, at least 1
        Pictures in the pyramid (nscales).
    warps : int, at least 1
        Times that the second picture is warped anew, at each level.
    epsilon : float, above 0
        The solver stops when the flow changes by less, pixels.
    inner_iterations, outer_iterations : int, at least 1
        Steps between two medians, and medians, of each warp.
    scale_step : float in (0, 1)
        Size of each picture of the pyramid, as a share of the one before.
    median : 1, 3 or 5
        Side of the median filter on the flow; 1: none.

    Raises
    ------
    ParameterError
        A parameter is out of range.
    MissingExtraError
        This OpenCV has no contributed modules.

    References
    ----------
    C. Zach, T. Pock, H. Bischof, A duality based approach for realtime TV-L1 optical flow, DAGM 2007,
    doi:10.1007/978-3-540-74936-3_22. J. Sánchez Pérez, E. Meinhardt-Llopis, G. Facciolo, TV-L1 optical flow
    estimation, IPOL 2013, doi:10.5201/ipol.2013.26.
    """

    info = ModelInfo(
        paper="Zach et al. 2007, A duality based approach for realtime TV-L1 optical flow, "
        "doi:10.1007/978-3-540-74936-3_22",
        speed="slow",
        good_at="sharp motion boundaries, where time does not matter",
    )

    def __init__(
        self,
        *,
        tau: float = 0.25,
        attachment: float = 0.15,
        theta: float = 0.3,
        levels: int = 5,
        warps: int = 5,
        epsilon: float = 0.01,
        inner_iterations: int = 30,
        outer_iterations: int = 10,
        scale_step: float = 0.8,
        median: int = 5,
    ) -> None:
        self.tau = check_number("tau", tau, 0, above=True)
        self.attachment = check_number("attachment", attachment, 0, above=True)
        self.theta = check_number("theta", theta, 0, above=True)
        self.levels = check_integer("levels", levels, 1)
        self.warps = check_integer("warps", warps, 1)
        self.epsilon = check_number("epsilon", epsilon, 0, above=True)
        self.inner_iterations = check_integer("inner_iterations", inner_iterations, 1)
        self.outer_iterations = check_integer("outer_iterations", outer_iterations, 1)
        self.scale_step = check_number("scale_step", scale_step, 0.05, 0.95)
        self.median = check_choice("median", median, (1, 3, 5))
        optflow()

    def _estimate(self, previous: npt.NDArray[np.uint8], current: npt.NDArray[np.uint8]) -> Flow:
        solver = optflow().DualTVL1OpticalFlow_create(
            tau=self.tau,
            lambda_=self.attachment,
            theta=self.theta,
            nscales=self.levels,
            warps=self.warps,
            epsilon=self.epsilon,
            innnerIterations=self.inner_iterations,
            outerIterations=self.outer_iterations,
            scaleStep=self.scale_step,
            medianFiltering=self.median,
        )
        return np.asarray(solver.calc(previous, current, None))
