"""The camera's motion from corners that are tracked (Shi, Tomasi 1994; Lucas, Kanade 1981)."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.camera._look import Look, is_same_scene, to_full
from motionseg.camera._warp import is_sane
from motionseg.camera.base import CameraMotion, Motion
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice, check_integer

__all__ = ["SparseCorners"]

Points = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

_SLOPE = 1.5  # grey levels a pixel in the flattest direction: what is weaker may be noise
_LEAST = 8  # corners on which a motion rests
_SHARE = 0.15  # of the corners, too
_WINDOW, _LEVELS = (11, 11), 3
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
_ROUND_TRIP = 0.5  # small pixels by which a corner may miss itself on its way back
_N_PAIRS = 150
_TOLERANCE = 2.0  # small pixels, of a first similarity; perspective may add to the tracking's error
_SCALES = (1.0, 0.4, 0.2, 0.15)  # small pixels: the narrowing scale of the robust fit
_NEAR = 1.0  # small pixels: a corner that moves with the camera

_STILL = np.array([1, 0, 0, 0, 1, 0, 0, 0], np.float64)
# Which of the eight parameters (a b c; d e f; g h 1) a motion is free in: columns of unknowns.
_BASES = {
    "translation": np.eye(8)[:, [2, 5]],
    "similarity": np.column_stack([np.eye(8)[[0, 4]].sum(0), np.eye(8)[1] - np.eye(8)[3], *np.eye(8)[[2, 5]]]),
    "affine": np.eye(8)[:, :6],
    "homography": np.eye(8),
}


class SparseCorners(CameraMotion):
    """Fast and exact where there is texture: corners are tracked, and most of them vote for the camera.

    Parameters
    ----------
    model : "translation", "similarity", "affine" or "homography"
        What the camera may do: shift the picture; turn it and zoom, too; shear it; tilt it. A camera that turns
        about itself, or sees a plane, moves the picture by a homography.
    n_corners : int in [16, 2000]
        The picture is cut into about so many cells, and the strongest corner of each is tracked.

    Raises
    ------
    ParameterError
        There is no such model, or `n_corners` is out of range.

    Notes
    -----
    Frames are reduced by a whole factor to about 240 rows, and freed of slow changes of light. The corners (by
    the smaller eigenvalue of the structure tensor) are tracked there and back again over a pyramid; those that do not
    come back to within half a pixel are dropped. A similarity through two of them that most others are near to (least
    truncated distances over 150 pairs) is where a robust fit of the model begins: iteratively reweighted least
    squares with Tukey's weights, whose scale narrows to 0.15 pixels of the reduced picture.

    Every cell has one vote, so a small thing with strong edges counts for little, and what fills more than half
    of the picture is taken for the world. Depth is not modelled: before a camera that travels, near things move by
    themselves. Corners that are moving by themselves cost speed and do no harm while they are fewer than half.

    References
    ----------
    J. Shi, C. Tomasi, Good features to track, CVPR 1994, doi:10.1109/CVPR.1994.323794. J.-Y. Bouguet, Pyramidal
    implementation of the Lucas Kanade feature tracker, Intel 2000. Z. Kalal, K. Mikolajczyk, J. Matas,
    Forward-backward error, ICPR 2010, doi:10.1109/ICPR.2010.675. M. Fischler, R. Bolles, Random sample consensus,
    CACM 24 (1981), doi:10.1145/358669.358692.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> world = cv2.GaussianBlur(rng.integers(0, 256, (140, 180), np.uint8), (0, 0), 2)
    >>> motion = SparseCorners(model="translation").estimate(world[10:130, 10:170], world[8:128, 13:173])
    >>> motion.verdict, motion.transform.round(1).tolist()
    ('found', [[1.0, 0.0, -3.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]])
    """

    info = ModelInfo(
        paper="Shi, Tomasi 1994, Good features to track, doi:10.1109/CVPR.1994.323794",
        speed="very fast",
        good_at="shaking, panning and zooming cameras, in real time",
    )

    def __init__(self, *, model: str = "homography", n_corners: int = 150) -> None:
        self.model = check_choice("model", model, tuple(_BASES))
        self.n_corners = check_integer("n_corners", n_corners, 16, 2000)

    def _estimate(
        self,
        previous: npt.NDArray[np.uint8],
        current: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.bool_] | None,
        guess: Matrix,
    ) -> Motion:
        before, now = Look(previous), Look(current)
        grow = to_full(before.factor)
        start = np.linalg.inv(grow) @ guess @ grow
        seen = (
            now.flat
        )  # as it would be, had the camera moved as is guessed: corners are tracked best if they are upright
        if not np.array_equal(guess, np.eye(3)):
            seen = cv2.warpPerspective(
                seen, np.linalg.inv(start), seen.shape[::-1], flags=cv2.INTER_CUBIC, borderValue=128
            )
        points = _corners(
            before.flat, self.n_corners, None if exclude is None else before.reduced(exclude.view(np.uint8)) > 0
        )
        if len(points) < _LEAST:
            return Motion(guess, "textureless")
        came, gone = _track(before.flat, seen, points)
        inside = (_moved(start, gone) >= 0) & (_moved(start, gone) < seen.shape[::-1])
        came, gone = came[inside.all(axis=1)], gone[inside.all(axis=1)]
        transform, near = _most_common_motion(came, gone, self.model)
        n_near = int(np.count_nonzero(near))
        if n_near >= max(_LEAST, _SHARE * len(points)) and is_sane(start @ transform, seen.shape):
            transform = grow @ start @ transform @ np.linalg.inv(grow)
            surprise = before.factor * np.median(_distances(np.eye(3), came[near], gone[near]))
            return Motion(transform / transform[2, 2], "found", n_near / len(points), float(surprise))
        if len(_corners(now.flat, self.n_corners)) < _LEAST:
            return Motion(guess, "textureless")
        return Motion(guess, "lost" if is_same_scene(before.flat, seen) else "shot_change")


def _corners(picture: npt.NDArray[np.uint8], n: int, exclude: npt.NDArray[np.bool_] | None = None) -> Points:
    """The strongest corner (x, y) of each of about `n` cells that have one, float32 (N, 2)."""
    strength = cv2.cornerMinEigenVal(picture, 3)
    if exclude is not None:
        strength[exclude] = 0
    cell = max(4, round(np.sqrt(strength.size / n)))
    rows, columns = strength.shape[0] // cell, strength.shape[1] // cell
    cells = strength[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    cells = cells.transpose(0, 2, 1, 3).reshape(rows * columns, cell * cell)
    best = cells.argmax(axis=1)
    which = np.arange(rows * columns)
    strong = cells[which, best] > 4 * _SLOPE**2 / 255**2  # OpenCV's scale for a slope in grey levels a pixel
    y, x = which // columns * cell + best // cell, which % columns * cell + best % cell
    return np.stack([x, y], axis=1)[strong].astype(np.float32)


def _track(before: npt.NDArray[np.uint8], now: npt.NDArray[np.uint8], points: Points) -> tuple[Points, Points]:
    """Those of `points` that find their way there and back, and where they have gone."""
    options = {"winSize": _WINDOW, "maxLevel": _LEVELS, "criteria": _STOP}
    gone, there, _ = cv2.calcOpticalFlowPyrLK(before, now, points, None, **options)
    back, here, _ = cv2.calcOpticalFlowPyrLK(now, before, gone, None, **options)
    kept = (there.ravel() == 1) & (here.ravel() == 1) & (np.abs(back - points).max(axis=1) < _ROUND_TRIP)
    return points[kept], gone[kept]


def _moved(transform: Matrix, points: npt.NDArray[np.floating]) -> Matrix:
    x, y, w = transform @ np.column_stack([points, np.ones(len(points))]).T
    return np.stack([x / w, y / w], axis=1)


def _most_common_motion(came: Points, gone: Points, model: str) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """The motion of this model that takes most of the points `came` to `gone` (N, 2), and which."""
    best, followers, left = np.eye(3), np.zeros(len(came), bool), np.ones(len(came), bool)
    # A crowd that moves as one may fit a similarity better than the world does; then the world is the second.
    while np.count_nonzero(left) >= max(_LEAST, np.count_nonzero(followers) + 1):
        fit = _fit(came[left], gone[left], model)
        near = _distances(fit, came, gone) < _NEAR
        if np.count_nonzero(near) > np.count_nonzero(followers):
            best, followers = fit, near
        if not (near & left).any():
            break
        left &= ~near
    return best, followers


def _distances(transform: Matrix, came: Points, gone: Points) -> npt.NDArray[np.float64]:
    return np.hypot(*(_moved(transform, came) - gone).T)


def _fit(came: Points, gone: Points, model: str) -> Matrix:
    """A motion of this model from the points `came` to `gone` that is that of many of them."""
    # Positions are counted from the middle of the points, in units of their spread.
    middle, unit = came.mean(axis=0, dtype=np.float64), 1 + float(came.std())
    p, q = (came - middle) / unit, (gone - middle) / unit
    transform = _common_similarity(p @ [1, 1j], q @ [1, 1j], _TOLERANCE / unit, turns=model != "translation")
    (x, y), (u, v), one, zero = p.T, q.T, np.ones(len(p)), np.zeros(len(p))
    of_u, of_v = [x, y, one, zero, zero, zero, -x * u, -y * u], [zero, zero, zero, x, y, one, -x * v, -y * v]
    design = np.concatenate([of_u, of_v], axis=1).T  # (2N, 8): design @ parameters = (u, v)
    # Unknown is what is added to the identity, so that nothing is added where nothing is known.
    target = np.concatenate([u, v]) - design @ _STILL
    unknowns = design @ _BASES[model]
    for width in _SCALES:
        missed = unit / (4.685 * width) * _distances(transform, p, q)
        weight = np.where(missed < 1, (1 - missed**2) ** 2, 0) / (p @ transform[2, :2] + 1) ** 2
        weighted = unknowns * np.tile(weight, 2)[:, None]
        normal = weighted.T @ unknowns + (1e-6 * weight.sum() + 1e-12) * np.eye(unknowns.shape[1])
        found = _STILL + _BASES[model] @ np.linalg.solve(normal, weighted.T @ target)
        transform = np.append(found, 1).reshape(3, 3)
    to_small = np.array([[unit, 0, middle[0]], [0, unit, middle[1]], [0, 0, 1]])
    return to_small @ transform @ np.linalg.inv(to_small)


def _common_similarity(
    came: npt.NDArray[np.complex128], gone: npt.NDArray[np.complex128], tolerance: float, *, turns: bool
) -> Matrix:
    """The similarity (a shift, unless it `turns`) through one or two points of the plane that most are near to."""
    if turns:
        a, b = np.random.default_rng(0).integers(0, len(came), (2, _N_PAIRS))
        apart = np.abs(came[a] - came[b]) > 0.2
        a, b = a[apart], b[apart]
        turn = (gone[a] - gone[b]) / (came[a] - came[b])
    else:
        a, turn = np.arange(len(came)), np.ones(len(came))
    if not len(a):
        return np.eye(3)
    shift = gone[a] - turn * came[a]
    missed = np.abs(turn[:, None] * came + (shift[:, None] - gone))
    best = np.minimum(missed, tolerance).sum(axis=1).argmin()
    s, t = turn[best], shift[best]
    return np.array([[s.real, -s.imag, t.real], [s.imag, s.real, t.imag], [0, 0, 1]])
