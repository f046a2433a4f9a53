"""Plane and parallax: near things that stand still do not move by themselves (Irani, Anandan 1998)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from motionseg.camera._fit import FlowFit
from motionseg.core.checks import check_flow, check_integer, check_number, check_pixels
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Flow

__all__ = ["EpipolarResidual", "epipolar_residual"]

Numbers = npt.NDArray[np.float64]

_N_SAMPLES = 6000
_N_TRIALS = 200
_N_JUDGES = 800
_N_ROUNDS = 10
_LEAST = 24  # samples that bear a residual
_EXPLAINED = 0.6  # of these have to lie along the epipolar lines
_BEYOND_CHANCE = 0.4  # of the way from what chance explains to all
_BLOCKS = (6, 8)  # rows and columns of blocks
_SPREAD = 0.15  # of the blocks bear explained residuals: things that move by themselves are rarely so many or large
_BORDER = 0.25  # of the border, too: the near world is cut by it, and most things that move are not
_MARGIN = 0.06  # of the frame's shorter side: how broad the border is
_FILLED = 0.25  # of a block's samples
_SLACK = 1.5  # times the depth that most of what was explained along the border has


@kernel(inline=True)
def _across(epipole, x, y, dx, dy):
    """A residual's part across the epipolar line through (x, y), and its part along it per length of the pencil."""
    to_x, to_y = epipole[0] - epipole[2] * x, epipole[1] - epipole[2] * y
    square = to_x * to_x + to_y * to_y + 1e-18
    return abs(to_x * dy - to_y * dx) / math.sqrt(square), (to_x * dx + to_y * dy) / square


@kernel
def _best_epipole(trials, points, vectors, tolerance):
    """The trial with the least sum of min(distance², tolerance²)."""
    best, least, most = 0, np.inf, tolerance * tolerance
    for t in range(len(trials)):
        cost = 0.0
        for i in range(len(points)):
            miss, _ = _across(trials[t], points[i, 0], points[i, 1], vectors[i, 0], vectors[i, 1])
            cost += min(miss * miss, most)
            if not cost < least:
                break
        if cost < least:
            best, least = t, cost
    return best


@kernel
def _misses(epipole, points, vectors, missed, depths):
    """How far each vector leaves its epipolar line, and how far it goes along it per length of the pencil."""
    for i in range(len(points)):
        missed[i], depths[i] = _across(epipole, points[i, 0], points[i, 1], vectors[i, 0], vectors[i, 1])


@kernel
def _residual_rows(start, stop, flow, fitted, epipole, middle, unit, low, high, result):
    """Rows start .. stop of what is left of the residual when parallax of a depth in low .. high is taken off."""
    for y in range(start, stop):
        for x in range(flow.shape[1]):
            dx, dy = float(flow[y, x, 0] - fitted[y, x, 0]), float(flow[y, x, 1] - fitted[y, x, 1])
            # Lines lead from where the plane's motion takes the pixel.
            place_x = (x + fitted[y, x, 0] - middle[0]) / unit
            place_y = (y + fitted[y, x, 1] - middle[1]) / unit
            miss, depth = _across(epipole, place_x, place_y, dx, dy)
            beyond = max(low - depth, depth - high, 0.0)
            to_x, to_y = epipole[0] - epipole[2] * place_x, epipole[1] - epipole[2] * place_y
            result[y, x] = math.sqrt(miss * miss + beyond * beyond * (to_x * to_x + to_y * to_y))


@kernel
def _norm_rows(start, stop, flow, fitted, result):
    """Rows start .. stop of the length of the residual."""
    for y in range(start, stop):
        for x in range(flow.shape[1]):
            dx, dy = flow[y, x, 0] - fitted[y, x, 0], flow[y, x, 1] - fitted[y, x, 1]
            result[y, x] = math.sqrt(dx * dx + dy * dy)


@dataclass(frozen=True, eq=False)
class EpipolarResidual:
    """What is left of a flow behind a camera's motion and, where there is some, parallax.

    Attributes
    ----------
    residual : float32 (H, W)
        Pixels, at least 0: how far the flow leaves what a static world could do.
    is_parallax : bool
        Whether parallax was believed in. If not, `residual` is the length of the flow less the camera's.
    support : float
        Share of the samples off the camera's plane motion that lie along the epipolar lines, in [0, 1].
    spread : float
        Share of the picture's 6 x 8 blocks that are filled with such samples to a quarter, in [0, 1].
    border : float
        Share of the samples along the border that are such, in [0, 1].
    bearing : float
        Share of all samples that are off the camera's plane motion, in [0, 1].
    epipole : float64 (3,) or None
        Homogeneous, in pixels of the current frame, of length 1; the third is 0 for a camera that travels sideways.
        None where there is too little residual to tell.
    """

    residual: npt.NDArray[np.float32]
    is_parallax: bool
    support: float = 0.0
    spread: float = 0.0
    border: float = 0.0
    bearing: float = 0.0
    epipole: Numbers | None = None


def epipolar_residual(
    flow: Flow,
    fit: FlowFit,
    *,
    valid: npt.NDArray[np.bool_] | None = None,
    threshold: float | None = None,
    believe: bool | None = None,
    seed: int = 0,
) -> EpipolarResidual:
    """How far each pixel's motion leaves what a static world, of any depth, could do before a camera that travels.

    Parameters
    ----------
    flow : float32 (H, W, 2)
        dx right, dy down, pixels, previous -> current.
    fit : FlowFit
        The camera's motion, by `fit_flow` (a homography, to be exact: the motion of some plane of the world).
    valid : bool (H, W), optional
        Pixels that may say where the epipole is. Default: all.
    threshold : float above 0, pixels, optional
        A residual is one from here on. Default: max(1, 3 `fit.scale`).
    believe : bool, optional
        True takes parallax off wherever there is an epipole, False never does. Default: as the picture says.
    seed : int of at least 0
        Of the trials; the same seed gives the same answer.

    Raises
    ------
    FrameError
        `flow` is no finite flow, or `valid` does not fit it.
    ParameterError
        A number is out of range.

    Notes
    -----
    What stands off the plane that the homography follows moves on from there along the line towards the epipole
    (or away from it), as far as its depth says. The epipole, which may be infinitely far away, is the common point of
    the lines of the residual vectors: the best trial through two of them, then least squares with Tukey's weights.

    Parallax is believed in if at least 60 % of the samples with a residual lie along the lines to within half the
    threshold, this is far more than chance would put there, and they fill 15 % of the blocks of the picture, and a
    quarter of its border. What lies beyond one and a half times the depths of nearly all that was explained along the
    border stays a residual.

    Two frames cannot tell a thing that moves along its epipolar line from one that stands nearer; and a thing that
    is merely shifted and fills so much of the picture and of its border looks like a near wall.

    References
    ----------
    M. Irani, P. Anandan, A unified approach to moving object detection in 2D and 3D scenes, PAMI 20 (1998),
    doi:10.1109/34.683770. H. Sawhney, 3D geometry from planar parallax, CVPR 1994, doi:10.1109/CVPR.1994.323928.

    Examples
    --------
    >>> from motionseg.camera import fit_flow
    >>> flow = np.zeros((60, 80, 2), np.float32)
    >>> flow[:, 48:, 0] = 4  # a near wall, before a camera that goes to the left
    >>> flow[20:30, 10:20] = 3, 3  # and somebody
    >>> found = epipolar_residual(flow, fit_flow(flow))
    >>> found.is_parallax, found.residual[0, 70].round(2), found.residual[25, 15] > 1
    (True, np.float32(0.0), np.True_)
    """
    flow = check_flow(flow)
    shape = (flow.shape[0], flow.shape[1])
    threshold = max(1.0, 3 * fit.scale) if threshold is None else threshold
    threshold = check_number("threshold", threshold, 0, above=True)
    seed = check_integer("seed", seed, 0)
    if valid is not None:
        valid = check_pixels(valid, shape, "valid")
    fitted, result = fit.flow(shape), np.empty(shape, np.float32)
    found, pencil = EpipolarResidual(result, False), None
    if fit.ok:
        found, pencil = _parallax(flow, fitted, valid, threshold, seed, result)
    is_parallax = pencil is not None and (found.is_parallax if believe is None else believe)
    if pencil is not None and is_parallax:
        run_strips(_residual_rows, shape[0], flow, fitted, *pencil, result, pixels_per_unit=shape[1])
    else:
        run_strips(_norm_rows, shape[0], flow, fitted, result, pixels_per_unit=shape[1])
    return replace(found, is_parallax=is_parallax)


_Pencil = tuple[Numbers, Numbers, float, float, float]


def _parallax(
    flow: Flow,
    fitted: Flow,
    valid: npt.NDArray[np.bool_] | None,
    threshold: float,
    seed: int,
    result: npt.NDArray[np.float32],
) -> tuple[EpipolarResidual, _Pencil | None]:
    """What the residual of a sample of pixels says of parallax; and the epipole, and the depths that were seen."""
    height, width = result.shape
    step = max(1, round(math.sqrt(height * width / _N_SAMPLES)))
    rows, columns = (np.arange(min(step // 2, (n - 1) // 2), n, step) for n in (height, width))
    y, x = (places.ravel() for places in np.meshgrid(rows, columns, indexing="ij"))
    if valid is not None:
        y, x = y[valid[y, x]], x[valid[y, x]]
    plane = fitted[y, x].astype(np.float64)
    vectors = flow[y, x] - plane
    lengths = np.hypot(*vectors.T)
    bears = lengths > threshold
    n = int(np.count_nonzero(bears))
    bearing = n / max(1, len(y))
    if n < _LEAST:
        return EpipolarResidual(result, False, bearing=bearing), None
    # Places are counted from the middle of the frame, in halves of its longer side.
    middle, unit = np.array([width - 1, height - 1]) / 2, max(width, height) / 2
    points = (np.stack([x, y], axis=1)[bears] + plane[bears] - middle) / unit
    vectors, lengths = np.ascontiguousarray(vectors[bears]), lengths[bears]
    epipole, missed, depths = _epipole(points, vectors, threshold / 2, np.random.default_rng(seed))
    explained = missed < threshold / 2
    support = float(np.mean(explained))
    chance = float(np.mean(2 / np.pi * np.arcsin(threshold / 2 / lengths)))

    blocks = _BLOCKS[1] * (y * _BLOCKS[0] // height) + x * _BLOCKS[1] // width
    n_blocks = _BLOCKS[0] * _BLOCKS[1]
    inside = np.bincount(blocks[bears][explained], minlength=n_blocks)
    filled = (inside > _FILLED * np.bincount(blocks, minlength=n_blocks)).reshape(_BLOCKS)
    margin = _MARGIN * min(height, width)
    outside = (np.minimum(x, width - 1 - x) < margin) | (np.minimum(y, height - 1 - y) < margin)
    spread, border = float(filled.mean()), float(np.count_nonzero(explained & outside[bears]) / max(1, outside.sum()))
    is_parallax = support >= max(_EXPLAINED, chance + _BEYOND_CHANCE * (1 - chance))
    is_parallax = is_parallax and spread >= _SPREAD and border >= _BORDER

    # The near world is cut by the border; what is nearer still, and is not, rather moves.
    trusted = depths[explained & outside[bears]]
    low, high = np.quantile(trusted, (0.01, 0.99)) if len(trusted) else (0.0, 0.0)
    to_pixels = np.array([[unit, 0, middle[0]], [0, unit, middle[1]], [0, 0, 1]])
    in_pixels = to_pixels @ epipole
    in_pixels /= np.linalg.norm(in_pixels)
    found = EpipolarResidual(result, is_parallax, support, spread, border, bearing, in_pixels)
    return found, (epipole, middle, unit, min(0.0, _SLACK * low), max(0.0, _SLACK * high))


def _epipole(
    points: Numbers, vectors: Numbers, tolerance: float, rng: np.random.Generator
) -> tuple[Numbers, Numbers, Numbers]:
    """The point that most vectors lead to or from, how far each misses its line, and how far it goes along it."""
    (x, y), (dx, dy) = points.T, vectors.T
    lines = np.stack([dy, -dx, y * dx - x * dy], axis=1)
    pairs = rng.integers(0, len(lines), (2, _N_TRIALS))
    trials = np.cross(lines[pairs[0]], lines[pairs[1]])
    # Parallel vectors have their point at infinity, in their direction.
    trials = np.concatenate([trials, np.stack([dx, dy, 0 * dx], axis=1)[pairs[0, : _N_TRIALS // 4]]])
    sizes = np.linalg.norm(trials, axis=1)
    trials = trials[sizes > 1e-9] / sizes[sizes > 1e-9, None]
    judges = rng.permutation(len(points))[:_N_JUDGES]
    epipole = trials[_best_epipole(trials, points[judges], np.ascontiguousarray(vectors[judges]), tolerance)]
    missed, depths = np.empty(len(points)), np.empty(len(points))
    _misses(epipole, points, vectors, missed, depths)
    best, width = epipole, 3 * tolerance
    for _ in range(_N_ROUNDS):
        weights = np.where(missed < width, 1 - (missed / width) ** 2, 0)
        pencil = np.maximum(np.hypot(epipole[0] - epipole[2] * x, epipole[1] - epipole[2] * y), 1e-3)
        weighted = lines * (weights / pencil)[:, None]
        epipole = np.linalg.eigh(weighted.T @ weighted)[1][:, 0]
        _misses(epipole, points, vectors, missed, depths)
        width = max(1.5 * tolerance, width / 1.5)
    refined = np.array([best, epipole])
    epipole = refined[_best_epipole(refined, points, vectors, tolerance)]
    epipole = epipole * (-1 if epipole[np.abs(epipole).argmax()] < 0 else 1)
    _misses(epipole, points, vectors, missed, depths)
    return epipole, missed, depths
