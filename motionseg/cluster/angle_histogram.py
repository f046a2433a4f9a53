"""What moves in a direction that no travel of the camera explains (Narayana et al. 2013)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ive

from motionseg.cluster._parts import connected_parts, motion_threshold, smooth_mask
from motionseg.cluster.base import FlowClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_integer, check_number
from motionseg.core.geometry import vector_lengths
from motionseg.core.types import Flow, Frame

__all__ = ["AngleHistogram"]

Array = npt.NDArray[np.float64]

_ROWS = 120  # of cells, about
_SHARP = 4.0  # concentration of doubled angles, at most: a template is as near as 15 degrees
_ROUNDS = 10


class AngleHistogram(FlowClusterer):
    """For a camera that travels: directions tell what moves by itself, however near or far the static things are.

    Parameters
    ----------
    n_templates : int in [6, 1000]
        Directions of travel that are tried, spread evenly.
    noise : float in (0, 100], pixels
        Standard deviation of flow; of slower motion the direction says little.
    floor : float in (0, 100], pixels
        What moves less beside the camera is background.
    border : float in [0, 1]
        Share of the picture's border that has to fit one direction of travel before it is believed to be the
        background's.
    smooth : int in [1, 51]
        Side, in pixels, of the square whose majority decides; even numbers are taken one larger.
    min_share : float in [0, 1]
        Parts that cover less of the picture are dropped.

    Raises
    ------
    ParameterError
        A number is out of range.

    Notes
    -----
    When the camera's turning is taken off, the flow of static things points to or from one point, the focus of
    expansion, whatever their depth. `camera` takes the turning off, and the motion of one plane with it: what is left
    of static things then still lies on lines through that point, towards it or away from it. So angles are compared
    without their sign. Cells of the picture, weighted by what their speed says of their angle, make a mixture of the
    templates' von Mises densities of doubled angles and a uniform one. The template that explains most of the
    border's cells is fitted to them and is background; without such a template all directions are suspect. The speeds
    of those that do not fit are split as `ResidualThreshold` does.

    A thing that moves along the lines of travel is not seen; one that covers much of the border is taken for static.
    Touching things are one part. 50 bytes per pixel while it works.

    References
    ----------
    M. Narayana, A. Hanson, E. Learned-Miller, Coherent motion segmentation in moving camera videos using optical flow
    orientations, ICCV 2013, doi:10.1109/ICCV.2013.199.

    Examples
    --------
    Everything flies past sideways, at many depths; a square goes down, too.

    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[..., 0] = np.random.default_rng(0).uniform(1, 9, (60, 1))
    >>> flow[20:40, 30:50, 1] = 6
    >>> np.bincount(AngleHistogram(smooth=1).segment(flow).ravel()).tolist()
    [4400, 400]
    """

    info = ModelInfo(
        paper="Narayana et al. 2013, Coherent motion segmentation in moving camera videos, doi:10.1109/ICCV.2013.199",
        speed="medium",
        good_at="a camera that travels among things at many depths",
    )

    def __init__(
        self,
        *,
        n_templates: int = 46,
        noise: float = 0.3,
        floor: float = 0.75,
        border: float = 0.15,
        smooth: int = 9,
        min_share: float = 0.0005,
    ) -> None:
        self.n_templates = check_integer("n_templates", n_templates, 6, 1000)
        self.noise = check_number("noise", noise, 0, 100, above=True)
        self.floor = check_number("floor", floor, 0, 100, above=True)
        self.border = check_number("border", border, 0, 1)
        self.smooth = check_integer("smooth", smooth, 1, 51)
        self.min_share = check_number("min_share", min_share, 0, 1)

    def _segment(
        self, flow: Flow, residual: Flow, valid: npt.NDArray[np.bool_], frame: Frame | None
    ) -> npt.NDArray[np.int32]:
        speed = vector_lengths(residual)
        moving = (speed > self.floor) & valid
        travel = self._travel(residual, moving, valid)
        if travel is not None:
            # Sine of the angle between flow and the line of travel; what fits no line at all is even over angles.
            ax, ay = _axes(travel[None], *_rays(valid.shape, 1))
            ax, ay = ax.reshape(valid.shape).astype(np.float32), ay.reshape(valid.shape).astype(np.float32)
            u, v = residual[..., 0], residual[..., 1]
            speed[np.abs(u * ay - v * ax) <= speed * np.float32(_edge(_SHARP))] = 0
        moving = (speed > motion_threshold(speed, valid, self.floor)) & valid
        return connected_parts(smooth_mask(moving, self.smooth | 1) & valid, self.min_share)

    def _travel(self, residual: Flow, moving: npt.NDArray[np.bool_], valid: npt.NDArray[np.bool_]) -> Array | None:
        """The direction of travel (3,) that most of the border's cells fit, if enough of them do."""
        step = max(1, min(valid.shape) // _ROWS)
        u, v = residual[::step, ::step, 0].astype(np.float64), residual[::step, ::step, 1].astype(np.float64)
        active, some = moving[::step, ::step], valid[::step, ::step]
        rim = np.zeros(active.shape, bool)
        depth = max(1, min(rim.shape) // 20)
        rim[:depth], rim[-depth:], rim[:, :depth], rim[:, -depth:] = True, True, True, True
        n_rim = int(np.count_nonzero(rim & some))
        if np.count_nonzero(rim & active) < max(1.0, self.border * n_rim):
            return None
        x, y = _rays(valid.shape, step)
        x, y, u, v, at_rim = x[active.ravel()], y[active.ravel()], u[active], v[active], rim[active]
        directions = _half_sphere(self.n_templates)
        responsible = self._mixture(_densities(directions, x, y, u, v, self.noise))
        best = int(np.argmax(responsible[:, at_rim].sum(axis=1)))
        if responsible[best, at_rim].sum() < self.border * n_rim / 2:  # the next ones share what it explains
            return None
        travel = directions[best]
        weight = responsible[best] * np.where(at_rim, 1.0, 0.1)
        for _ in range(5):
            # Flow on a line through the focus: (ray x flow) . travel = 0.
            normals = np.stack([-v, u, x * v - y * u])
            travel = np.linalg.eigh((normals * (weight / (u**2 + v**2))) @ normals.T)[1][:, 0]
            fit = _densities(travel[None], x, y, u, v, self.noise)[0]
            weight = fit / (fit + 1 / (2 * np.pi)) * np.where(at_rim, 1.0, 0.1)
        share = np.count_nonzero(at_rim & (fit > 1 / (2 * np.pi))) / n_rim
        return travel if share >= self.border else None

    def _mixture(self, densities: Array) -> Array:
        """Which template each cell is of, (K, N): EM for the shares of K templates and of none."""
        shares = np.full(len(densities), 0.9 / len(densities))
        for _ in range(_ROUNDS):
            weighted = shares[:, None] * densities
            responsible = weighted / (weighted.sum(axis=0) + (1 - shares.sum()) / (2 * np.pi))
            shares = np.minimum(responsible.mean(axis=1), 1)
            shares *= min(1.0, 0.95 / max(shares.sum(), 1e-9))
        return np.asarray(responsible)


def _edge(sharpness: float) -> float:
    """The sine of the angle at which a von Mises density of the doubled angle is that of the even one."""
    return float(np.sqrt(np.clip(np.log(1 / ive(0, sharpness)) / (2 * sharpness), 0, 1)))


def _rays(shape: tuple[int, ...], step: int) -> tuple[Array, Array]:
    """x and y of every `step`-th pixel, flat, from the picture's middle, in its longer side: a lens of 53 degrees."""
    scale = float(max(shape))
    y, x = np.mgrid[0 : shape[0] : step, 0 : shape[1] : step]
    return (x.ravel() - (shape[1] - 1) / 2) / scale, (y.ravel() - (shape[0] - 1) / 2) / scale


def _half_sphere(n: int) -> Array:
    """`n` directions (n, 3), evenly spread over half of all: the other half are the same lines."""
    z = (np.arange(n) + 0.5) / n
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(n)
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)


def _axes(travels: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Directions of the lines (K, N), unit length, that each of K travels (K, 3) gives at N rays."""
    ax = travels[:, 2:] * x - travels[:, :1]
    ay = travels[:, 2:] * y - travels[:, 1:2]
    length = np.maximum(np.hypot(ax, ay), 1e-9)
    return ax / length, ay / length


def _densities(travels: Array, x: Array, y: Array, u: Array, v: Array, noise: float) -> Array:
    """Density (K, N) of the doubled angle of flow (u, v) under each travel; flat where the flow is slow."""
    ax, ay = _axes(travels, x, y)
    square = u**2 + v**2
    sharpness = 1 / (1 / _SHARP + 4 * noise**2 / square)
    along = (ax * u + ay * v) ** 2 / square  # squared cosine: cos 2d = 2 cos^2 d - 1
    return np.asarray(np.exp(2 * sharpness * (along - 1)) / (2 * np.pi * ive(0, sharpness)))
