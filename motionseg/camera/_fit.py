"""The camera's motion from a dense flow: most pixels vote, and the rest may move as it likes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from motionseg.camera._warp import corners, is_sane
from motionseg.core.checks import check_choice, check_flow, check_integer, check_number, check_pixels
from motionseg.core.errors import FrameError
from motionseg.core.jit import kernel
from motionseg.core.parallel import run_strips
from motionseg.core.types import Flow

__all__ = ["FLOW_MODELS", "FlowFit", "fit_flow"]

Numbers = npt.NDArray[np.float64]

_N_SAMPLES = 6000
_N_JUDGES = 1000  # samples that judge the trials
_N_TRIALS = {"translation": 60, "similarity": 60, "affine": 100, "homography": 150, "quadratic": 400}
_N_STARTS = {"translation": 1, "similarity": 1, "affine": 1, "homography": 1, "quadratic": 3}  # that are looked into
_PICKED = {"translation": 1, "similarity": 2, "affine": 3, "homography": 4, "quadratic": 6}  # samples of a trial
_WIDE = 3.0  # tolerances: the first width of the robust fit
_NARROW = 0.25  # tolerances: its last width, at the least
_N_ROUNDS = 15
_TUKEY = 4.685  # sigmas, where Tukey's weight ends
_RAYLEIGH = 1.1774  # the median length of a vector of two normal numbers of sigma 1
_LEAST = 8  # samples
_FARTHEST = 4  # of the frame's longer side
_LEAST_SHARE = 0.2  # of the samples, below which nothing was found
_LEAST_SPREAD = 0.05  # of the frame's shorter side: how far inliers have to lie apart, as a standard deviation

FLOW_MODELS = tuple(_PICKED)
"""What a camera may do to a picture, from the stiffest to the freest."""

_STILL = np.array([1, 0, 0, 0, 1, 0, 0, 0], np.float64)
_STILL_QUADRATIC = np.array([0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], np.float64)
# Which parameters (a b c; d e f; g h 1) a model is free in, as columns of unknowns; a polynomial in all twelve.
_BASES = {
    "translation": np.eye(8)[:, [2, 5]],
    "similarity": np.column_stack([np.eye(8)[0] + np.eye(8)[4], np.eye(8)[1] - np.eye(8)[3], np.eye(8)[:, [2, 5]]]),
    "affine": np.eye(8)[:, :6],
    "homography": np.eye(8),
    "quadratic": np.eye(12),
}


@kernel(inline=True)
def _place(theta, x, y):
    """Where (x, y) goes, and what it was divided by."""
    if len(theta) == 8:
        w = theta[6] * x + theta[7] * y + 1
        return (
            (theta[0] * x + theta[1] * y + theta[2]) / w,
            (theta[3] * x + theta[4] * y + theta[5]) / w,
            w,
        )
    xx, xy, yy = x * x, x * y, y * y
    return (
        theta[0] + theta[1] * x + theta[2] * y + theta[3] * xx + theta[4] * xy + theta[5] * yy,
        theta[6] + theta[7] * x + theta[8] * y + theta[9] * xx + theta[10] * xy + theta[11] * yy,
        1.0,
    )


@kernel
def _distances(theta, points, targets, missed):
    """How far each of `points` misses its target."""
    for i in range(len(points)):
        x, y, w = _place(theta, points[i, 0], points[i, 1])
        distance = math.sqrt((x - targets[i, 0]) ** 2 + (y - targets[i, 1]) ** 2)
        missed[i] = distance if w > 0 else np.inf


@kernel
def _best_trial(trials, points, targets, weights, tolerance):
    """The trial with the least sum of min(distance², tolerance²)."""
    best, least, most = 0, np.inf, tolerance * tolerance
    for t in range(len(trials)):
        theta, cost = trials[t], 0.0
        for i in range(len(points)):
            x, y, w = _place(theta, points[i, 0], points[i, 1])
            miss = (x - targets[i, 0]) ** 2 + (y - targets[i, 1]) ** 2
            cost += weights[i] * (miss if w > 0 and miss < most else most)
            if not cost < least:
                break
        if cost < least:
            best, least = t, cost
    return best


@kernel
def _normal_equations(theta, points, targets, weights, missed, width, normal, right):
    """Gauss-Newton's equations under Tukey's weights of a width, for all parameters; the sum of the weights."""
    normal[:], right[:] = 0, 0
    total, n = 0.0, len(theta)
    slope_x, slope_y = np.zeros(n), np.zeros(n)
    for i in range(len(points)):
        if not missed[i] < width:
            continue
        part = missed[i] / width
        weight = weights[i] * (1 - part * part) ** 2
        x, y = points[i, 0], points[i, 1]
        to_x, to_y, w = _place(theta, x, y)
        if n == 8:
            slope_x[0], slope_x[1], slope_x[2] = x / w, y / w, 1 / w
            slope_x[6], slope_x[7] = -x * to_x / w, -y * to_x / w
            slope_y[3], slope_y[4], slope_y[5] = x / w, y / w, 1 / w
            slope_y[6], slope_y[7] = -x * to_y / w, -y * to_y / w
        else:
            slope_x[0], slope_x[1], slope_x[2] = 1, x, y
            slope_x[3], slope_x[4], slope_x[5] = x * x, x * y, y * y
            slope_y[6:] = slope_x[:6]
        miss_x, miss_y = targets[i, 0] - to_x, targets[i, 1] - to_y
        for j in range(n):
            weighted_x, weighted_y = weight * slope_x[j], weight * slope_y[j]
            right[j] += weighted_x * miss_x + weighted_y * miss_y
            for k in range(j + 1):
                normal[j, k] += weighted_x * slope_x[k] + weighted_y * slope_y[k]
        total += weight
    for j in range(n):
        for k in range(j):
            normal[k, j] = normal[j, k]
    return total


@kernel
def _flow_rows(start, stop, theta, flow):
    """Rows start .. stop of the flow of all pixels under `theta`, which is meant for pixels."""
    for y in range(start, stop):
        for x in range(flow.shape[1]):
            to_x, to_y, _ = _place(theta, float(x), float(y))
            flow[y, x, 0] = to_x - x
            flow[y, x, 1] = to_y - y


@dataclass(frozen=True, eq=False)
class FlowFit:
    """How the camera moved the picture, as its flow says.

    Attributes
    ----------
    model : str
        One of `FLOW_MODELS`.
    verdict : str
        ``"found"``; ``"too_few"``: hardly a pixel is valid; ``"degenerate"``: those that agree lie in one spot or on a
        line, or would turn the picture over; ``"no_consensus"``: no motion explains a fifth of the pixels.
        Where nothing was found the motion is the identity.
    transform : float64 (3, 3) or None
        Takes pixels (x, y, 1) of the previous frame to the current one; None for the quadratic model.
    coefficients : float64 (2, 6) or None
        Of the quadratic model: dx and dy (rows) are sums of these times 1, x, y, x², xy, y², in pixels.
    support : float
        Share of the samples (by weight) that are within the tolerance, or three times `scale`, in [0, 1].
    scale : float
        Standard deviation, pixels, of what the flow of the camera's followers misses, in x and in y: from the median
        distance. 0 where nothing was found.
    """

    model: str
    verdict: str
    transform: Numbers | None
    coefficients: Numbers | None = None
    support: float = 0.0
    scale: float = 0.0
    _theta: Numbers = field(default_factory=_STILL.copy, repr=False)

    @property
    def ok(self) -> bool:
        """Whether a motion was found."""
        return self.verdict == "found"

    def flow(self, shape: tuple[int, ...]) -> Flow:
        """The flow float32 (H, W, 2), pixels, of a frame of `shape` (H, W, ...) that the camera alone moves."""
        flow = np.empty((*shape[:2], 2), np.float32)
        run_strips(_flow_rows, len(flow), self._theta, flow, pixels_per_unit=shape[1])
        return flow

    def residual(self, flow: Flow) -> Flow:
        """What is left of a flow float32 (H, W, 2), pixels, when the camera's is taken off; a new array."""
        flow = check_flow(flow)
        own = self.flow(flow.shape)
        return np.subtract(flow, own, out=own)


def fit_flow(
    flow: Flow,
    *,
    model: str = "homography",
    valid: npt.NDArray[np.bool_] | None = None,
    weights: npt.NDArray[np.floating] | None = None,
    step: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> FlowFit:
    """How the camera moved, from a dense flow in which up to about half of the pixels move otherwise.

    Parameters
    ----------
    flow : float32 (H, W, 2)
        dx right, dy down, pixels, previous -> current.
    model : one of FLOW_MODELS
        "translation" (2 numbers), "similarity" (4), "affine" (6), "homography" (8), or "quadratic" (12): a polynomial
        that also follows lenses and rolling shutters.
    valid : bool (H, W), optional
        Pixels that may vote. Default: all.
    weights : float (H, W), optional
        At least 0; how much each pixel's vote counts. Default: 1.
    step : int of at least 1, optional
        Every how many rows and columns a pixel votes. Default: so that about 6000 do.
    tolerance : float above 0, pixels, optional
        How far a pixel may be from the camera's motion to agree with it. Default: 1, and more above 480 rows.
    seed : int of at least 0
        Of the trials; the same seed gives the same answer.

    Raises
    ------
    FrameError
        `flow` is no finite flow, or `valid` or `weights` do not fit it.
    ParameterError
        A number is out of range.

    Notes
    -----
    Trials are motions through as few pixels as make one; the one with the least truncated squared distances begins a
    Gauss-Newton fit with Tukey's weights, whose width follows the spread of the inliers (their median distance) down to
    a quarter of the tolerance. Of two motions, the one that more of the votes follow wins: what fills more than half
    of the picture is taken for the world.

    References
    ----------
    M. Fischler, R. Bolles, Random sample consensus, CACM 24 (1981), doi:10.1145/358669.358692. P. Torr, A. Zisserman,
    MLESAC, CVIU 78 (2000), doi:10.1006/cviu.1999.0832. P. Holland, R. Welsch, Robust regression using iteratively
    reweighted least-squares, Comm. Stat. A6 (1977), doi:10.1080/03610927708827533. J.-M. Odobez, P. Bouthemy, Robust
    multiresolution estimation of parametric motion models, JVCIR 6 (1995), doi:10.1006/jvci.1995.1029.

    Examples
    --------
    >>> flow = np.full((60, 80, 2), (3, -1), np.float32)
    >>> flow[10:40, 20:60] = 9, 9
    >>> fit = fit_flow(flow)
    >>> fit.ok, round(fit.support, 1), np.abs(fit.transform - [[1, 0, 3], [0, 1, -1], [0, 0, 1]]).max() < 1e-4
    (True, 0.8, np.True_)
    """
    flow = check_flow(flow)
    check_choice("model", model, FLOW_MODELS)
    shape = flow.shape[:2]
    if step is None:
        step = max(1, round(math.sqrt(shape[0] * shape[1] / _N_SAMPLES)))
    step = check_integer("step", step, 1)
    if tolerance is None:
        tolerance = max(1.0, min(shape) / 480)
    tolerance = check_number("tolerance", tolerance, 0, above=True)
    seed = check_integer("seed", seed, 0)

    rows, columns = (slice(min(step // 2, (n - 1) // 2), None, step) for n in shape)
    votes = np.ones(shape, np.float64)[rows, columns] if weights is None else _votes(weights, shape)[rows, columns]
    if valid is not None:
        votes = votes * check_pixels(valid, shape, "valid")[rows, columns]
    # Nothing in sight goes as far: such votes are dropped, for the numbers' sake.
    votes = votes * (np.abs(flow[rows, columns]).max(axis=2) < _FARTHEST * max(shape))
    y, x = np.nonzero(votes)
    if len(y) < max(_LEAST, 3 * _PICKED[model]):
        return _nothing(model, "too_few")
    votes, moved = votes[y, x], flow[rows, columns][y, x].astype(np.float64)
    # Places are counted from the middle of the frame, in halves of its longer side.
    middle, unit = np.array([shape[1] - 1, shape[0] - 1]) / 2, max(shape) / 2
    points = (np.stack([columns.start + step * x, rows.start + step * y], axis=1) - middle) / unit
    targets = points + moved / unit
    theta, missed = _fit(model, points, targets, votes, tolerance / unit, seed)

    width = max(tolerance / unit, _TUKEY * _spread(missed, tolerance / unit))
    scale = _spread(missed, width)
    inlying = missed < max(tolerance / unit, 3 * scale)
    support = float(votes[inlying].sum() / votes.sum())
    if support < _LEAST_SHARE:
        return _nothing(model, "no_consensus", support)
    if model != "translation":
        apart = np.linalg.eigvalsh(np.cov(points[inlying].T))[0]
        if not apart > (_LEAST_SPREAD * min(shape) / unit) ** 2:
            return _nothing(model, "degenerate", support)
    fit = _in_pixels(model, theta, middle, unit, support, unit * scale)
    if not _keeps_the_picture(fit, shape):
        return _nothing(model, "degenerate", support)
    return fit


def _votes(weights: npt.NDArray[np.floating], shape: tuple[int, ...]) -> npt.NDArray[np.floating]:
    weights = np.asarray(weights)
    if weights.shape != shape or weights.dtype.kind != "f":
        raise FrameError(f"weights are floats of shape {shape}, not {weights.dtype} {weights.shape}")
    if not (weights >= 0).all() or not np.isfinite(weights).all():
        raise FrameError("weights are finite and at least 0 everywhere")
    return weights


def _nothing(model: str, verdict: str, support: float = 0.0) -> FlowFit:
    if model == "quadratic":
        return FlowFit(model, verdict, None, np.zeros((2, 6)), support)
    return FlowFit(model, verdict, np.eye(3), None, support)


def _fit(
    model: str, points: Numbers, targets: Numbers, votes: Numbers, tolerance: float, seed: int
) -> tuple[Numbers, Numbers]:
    """The parameters that most votes agree on, and how far each sample misses."""
    rng = np.random.default_rng(seed)
    trials = _trials(model, points, targets, rng)
    judges = rng.permutation(len(points))[:_N_JUDGES]
    judging = np.ascontiguousarray(points[judges]), np.ascontiguousarray(targets[judges]), votes[judges]
    # A wide start survives noise; a narrow one is not drawn away by what moves nearly as the camera does.
    starts = []
    for width, first in ((tolerance, _WIDE * tolerance), (tolerance / 3, tolerance)):
        for some in np.array_split(trials, _N_STARTS[model]):
            theta = some[_best_trial(some, *judging, width)]
            starts.append(_refined(model, theta, *judging, first, tolerance)[0])
    theta = starts[_best_trial(np.array(starts), *judging, tolerance / 2)]
    missed = np.empty(len(judges))
    _distances(theta, *judging[:2], missed)
    width = max(_NARROW * tolerance, _TUKEY * _spread(missed, tolerance))
    return _refined(model, theta, points, targets, votes, width, tolerance)


def _refined(
    model: str, theta: Numbers, points: Numbers, targets: Numbers, votes: Numbers, width: float, tolerance: float
) -> tuple[Numbers, Numbers]:
    """A better `theta`, by weights whose width falls from `width`, and how far each point misses then."""
    missed, n = np.empty(len(points)), len(theta)
    normal, right, basis = np.empty((n, n)), np.empty(n), _BASES[model]
    _distances(theta, points, targets, missed)
    for _ in range(_N_ROUNDS):
        total = _normal_equations(theta, points, targets, votes, missed, width, normal, right)
        small = basis.T @ normal @ basis
        small[np.diag_indices(len(small))] += 1e-9 * total + 1e-15  # keeps what is not known as it was
        try:
            change = basis @ np.linalg.solve(small, basis.T @ right)
        except np.linalg.LinAlgError:
            break
        theta = theta + change
        _distances(theta, points, targets, missed)
        last, wanted = width, max(_NARROW * tolerance, _TUKEY * _spread(missed, width))
        width = min(max(wanted, width / 2), width)
        if np.abs(change).max() < 0.01 * tolerance and width > 0.95 * last:
            break
    return theta, missed


def _spread(missed: Numbers, width: float) -> float:
    """The standard deviation, in x and in y, of the samples that miss by less than `width`."""
    near = missed[missed < width]
    return float(np.median(near)) / _RAYLEIGH if len(near) else 0.0


def _trials(model: str, points: Numbers, targets: Numbers, rng: np.random.Generator) -> Numbers:
    """Parameters (N, 8 or 12) of motions through a few samples each; the first are simple ones."""
    still = _STILL_QUADRATIC if model == "quadratic" else _STILL
    simple = np.tile(still, (2, 1))
    shift = np.median(targets - points, axis=0)
    simple[1, [0, 6] if model == "quadratic" else [2, 5]] += shift
    n, picked = _N_TRIALS[model], _PICKED[model]
    rows = rng.integers(0, len(points), (n, picked))
    p, q = points[rows], targets[rows]
    one = np.ones((n, picked))
    x, y, u, v = p[..., 0], p[..., 1], q[..., 0], q[..., 1]
    trials = np.tile(still, (n, 1))
    if model == "translation":
        trials[:, [2, 5]] = (q - p)[:, 0]
    elif model == "similarity":
        came, gone = x + 1j * y, u + 1j * v
        apart = came[:, 1] - came[:, 0]
        turn = (gone[:, 1] - gone[:, 0]) / np.where(apart == 0, 1, apart)
        moved = gone[:, 0] - turn * came[:, 0]
        trials[:, :6] = np.stack([turn.real, -turn.imag, moved.real, turn.imag, turn.real, moved.imag], axis=1)
    elif model == "homography":
        zero = np.zeros((n, picked))
        of_u = np.stack([x, y, one, zero, zero, zero, -x * u, -y * u], axis=2)
        of_v = np.stack([zero, zero, zero, x, y, one, -x * v, -y * v], axis=2)
        trials = _solved(np.concatenate([of_u, of_v], axis=1), np.concatenate([u, v], axis=1)[..., None])[..., 0]
    else:
        terms = [x, y, one] if model == "affine" else [one, x, y, x * x, x * y, y * y]
        found = _solved(np.stack(terms, axis=2), q).transpose(0, 2, 1).reshape(n, -1)
        trials[:, : found.shape[1]] = found
    return np.concatenate([simple, trials])


def _solved(left: Numbers, right: Numbers) -> Numbers:
    # Samples that are picked twice, or lie on a line, leave a system singular; the hair makes of it a bad trial.
    left = left + 1e-10 * np.eye(left.shape[1])
    try:
        return np.asarray(np.linalg.solve(left, right))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(left) @ right)


def _in_pixels(model: str, theta: Numbers, middle: Numbers, unit: float, support: float, scale: float) -> FlowFit:
    if model != "quadratic":
        to_small = np.array([[1 / unit, 0, -middle[0] / unit], [0, 1 / unit, -middle[1] / unit], [0, 0, 1]])
        transform = np.linalg.inv(to_small) @ np.append(theta, 1).reshape(3, 3) @ to_small
        transform /= transform[2, 2]
        if model != "homography":
            transform[2] = 0, 0, 1
        return FlowFit(model, "found", transform, None, support, scale, transform.ravel()[:8].copy())
    a, b = middle
    # 1, x, y, x², xy, y² of small places, in terms of those of pixels.
    terms = np.array([[1, 0, 0, 0, 0, 0], [-a, 1, 0, 0, 0, 0], [-b, 0, 1, 0, 0, 0], [a * a, -2 * a, 0, 1, 0, 0],
                      [a * b, -b, -a, 0, 1, 0], [b * b, 0, -2 * b, 0, 0, 1]])  # fmt: skip
    terms /= np.array([1, unit, unit, unit**2, unit**2, unit**2])[:, None]
    coefficients = unit * ((theta - _STILL_QUADRATIC).reshape(2, 6) @ terms)
    places = coefficients.copy()
    places[[0, 1], [1, 2]] += 1
    return FlowFit(model, "found", None, coefficients, support, scale, places.ravel())


def _keeps_the_picture(fit: FlowFit, shape: tuple[int, ...]) -> bool:
    if fit.transform is not None:
        return is_sane(fit.transform, shape)
    x, y, one = corners(shape)
    zero = np.zeros_like(x)
    # The slopes of 1, x, y, x², xy, y².
    along_x = fit.coefficients @ np.stack([zero, one, zero, 2 * x, y, zero]) + [[1], [0]]
    along_y = fit.coefficients @ np.stack([zero, zero, one, zero, x, 2 * y]) + [[0], [1]]
    growth = along_x[0] * along_y[1] - along_x[1] * along_y[0]
    return bool((growth > 0.25).all() and (growth < 4).all())
