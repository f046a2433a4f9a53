"""The camera's motion from a dense flow: every textured place of the picture votes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.camera._fit import FLOW_MODELS, fit_flow
from motionseg.camera._look import Look, is_same_scene, to_full
from motionseg.camera._warp import is_sane
from motionseg.camera.base import CameraMotion, Motion
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_choice

__all__ = ["DenseFlow"]

_SPACING = 5  # small pixels between votes
_SLOPE = 1.5  # grey levels a pixel in the flattest direction: what is weaker may be noise
_LEAST = 60  # votes on which a motion rests
_LEAST_SHARE = 0.01  # of the picture with something to hold on to
_SHARE = 0.3  # of the votes, that agree
_TOLERANCE = 0.7  # small pixels
_PADDING = 16  # small pixels a side, at the least, that the search needs
_N_PARTS = 24
_ALIKE = 0.5  # correlation of the two pictures, once the motion is taken off, where they agree


class DenseFlow(CameraMotion):
    """Steady where corners are rare: all textured places vote, by their dense flow.

    Parameters
    ----------
    model : "translation", "similarity", "affine" or "homography"
        What the camera may do: shift the picture; turn it and zoom, too; shear it; tilt it.

    Raises
    ------
    ParameterError
        There is no such model.

    Notes
    -----
    Both frames are reduced by a whole factor to about 240 rows and freed of slow changes of light. OpenCV's dense
    inverse search finds their flow, down to half of that; every fifth pixel votes, if its surroundings have slopes of
    at least 1.5 grey levels a pixel in both directions; `fit_flow` finds the motion that most votes follow. It is taken
    for found if 30 % do, and the pictures then correlate; if not, all is tried once more from the shift that phase
    correlation finds, which may be as far as a third of the frame. Votes count by area, so things that fill more than
    half of the textured picture are taken for the world. Depth is not modelled (see `epipolar_residual`).

    Where a dense flow is at hand anyway, `fit_flow` alone is faster, and has a quadratic model too.

    References
    ----------
    T. Kroeger, R. Timofte, D. Dai, L. Van Gool, Fast optical flow using dense inverse search, ECCV 2016,
    doi:10.1007/978-3-319-46493-0_29. J.-M. Odobez, P. Bouthemy, Robust multiresolution estimation of parametric motion
    models, JVCIR 6 (1995), doi:10.1006/jvci.1995.1029.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> world = cv2.GaussianBlur(rng.integers(0, 256, (140, 180), np.uint8), (0, 0), 2)
    >>> motion = DenseFlow(model="translation").estimate(world[10:130, 10:170], world[8:128, 13:173])
    >>> motion.verdict, motion.transform.round(1).tolist()
    ('found', [[1.0, 0.0, -3.0], [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]])
    """

    info = ModelInfo(
        paper="Odobez, Bouthemy 1995, Robust multiresolution estimation of parametric motion models, "
        "doi:10.1006/jvci.1995.1029",
        speed="fast",
        good_at="cameras before few corners: soft and repeated textures",
    )

    def __init__(self, *, model: str = "homography") -> None:
        self.model = check_choice("model", model, tuple(name for name in FLOW_MODELS if name != "quadratic"))

    def _estimate(
        self,
        previous: npt.NDArray[np.uint8],
        current: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.bool_] | None,
        guess: npt.NDArray[np.float64],
    ) -> Motion:
        before, now = Look(previous), Look(current)
        grow = to_full(before.factor)
        start = np.linalg.inv(grow) @ guess @ grow
        valid = _textured(before.flat)
        if exclude is not None:
            valid &= before.reduced(exclude.view(np.uint8)) == 0
        least = max(_LEAST, _LEAST_SHARE * valid.size / _SPACING**2)
        if np.count_nonzero(_thinned(valid)) < least:
            return Motion(guess, "textureless")
        found = self._behind(before.flat, now.flat, valid, start)
        if found is None:  # the leap may be too far for flow
            seen, _ = _upright(now.flat, start)
            found = self._behind(before.flat, now.flat, valid, start @ _leap(before.flat, seen))
            if found is None and np.count_nonzero(_thinned(_textured(now.flat))) < least:
                return Motion(guess, "textureless")
            if found is None:
                return Motion(guess, "lost" if is_same_scene(before.flat, seen) else "shot_change")
        moved, support = found
        y, x = (_SPACING // 2 + _SPACING * places for places in np.nonzero(_thinned(valid)))
        u, v, w = np.linalg.inv(start) @ moved @ np.stack([x, y, np.ones(len(x))])
        surprise = np.hypot(u / w - x, v / w - y)
        transform = grow @ moved @ np.linalg.inv(grow)
        return Motion(transform / transform[2, 2], "found", support, before.factor * float(np.median(surprise)))

    def _behind(
        self,
        before: npt.NDArray[np.uint8],
        now: npt.NDArray[np.uint8],
        valid: npt.NDArray[np.bool_],
        start: npt.NDArray[np.float64],
    ) -> tuple[npt.NDArray[np.float64], float] | None:
        """The motion near `start` from one small picture to the other, and its support, if there is one."""
        seen, in_sight = _upright(now, start)
        flow = _dense_flow(before, seen)
        height, width = before.shape
        to_x, to_y = flow[..., 0] + np.arange(width, dtype=np.float32), flow[..., 1] + _column(height)
        valid = valid & in_sight & (to_x >= 0) & (to_x < width) & (to_y >= 0) & (to_y < height)
        fit = fit_flow(flow, model=self.model, valid=valid, step=_SPACING, tolerance=_TOLERANCE)
        if not (fit.ok and fit.transform is not None and fit.support >= _SHARE):
            return None
        moved = start @ fit.transform
        if not (is_sane(moved, before.shape) and _agree(before, seen, fit.transform, valid)):
            return None
        return moved, fit.support


def _column(height: int) -> npt.NDArray[np.float32]:
    return np.arange(height, dtype=np.float32)[:, None]


def _thinned(places: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Every fifth row and column."""
    return places[_SPACING // 2 :: _SPACING, _SPACING // 2 :: _SPACING]


def _upright(
    picture: npt.NDArray[np.uint8], start: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """The picture as it would be, had the camera not moved by `start`, and where it is known."""
    if np.array_equal(start, np.eye(3)):
        return picture, np.ones(picture.shape, bool)
    size, back = picture.shape[::-1], cv2.WARP_INVERSE_MAP
    upright = cv2.warpPerspective(picture, start, size, flags=back | cv2.INTER_CUBIC, borderValue=128)
    known = cv2.warpPerspective(np.ones_like(picture), start, size, flags=back | cv2.INTER_NEAREST)
    return upright, known > 0


def _leap(before: npt.NDArray[np.uint8], now: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The shift, by phase correlation, of most of the picture."""
    window = cv2.createHanningWindow(before.shape[::-1], cv2.CV_32F) if min(before.shape) > 1 else None
    (dx, dy), _ = cv2.phaseCorrelate(before.astype(np.float32) - 128, now.astype(np.float32) - 128, window)
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], np.float64)


def _dense_flow(before: npt.NDArray[np.uint8], now: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The flow by OpenCV's dense inverse search; small pictures are padded to what it needs."""
    down, right = (max(0, _PADDING - n) for n in before.shape)
    if down or right:
        before, now = (cv2.copyMakeBorder(p, 0, down, 0, right, cv2.BORDER_REPLICATE) for p in (before, now))
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    # Finer than the preset and not smoothed: ten times as exact, since the fit averages better than smoothing does.
    search.setFinestScale(1)
    search.setVariationalRefinementIterations(0)
    flow = search.calc(before, now, None)
    return np.ascontiguousarray(flow[: flow.shape[0] - down, : flow.shape[1] - right])


def _textured(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Where there is structure in both directions, so that flow is known and not guessed."""
    return np.asarray(cv2.cornerMinEigenVal(picture, 7, ksize=3) > (2 * _SLOPE / 255) ** 2)


def _agree(
    before: npt.NDArray[np.uint8],
    now: npt.NDArray[np.uint8],
    transform: npt.NDArray[np.float64],
    valid: npt.NDArray[np.bool_],
) -> bool:
    """Whether the pictures show the same once the motion is taken off: flow finds something between any two."""
    back = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    aligned = cv2.warpPerspective(now, transform, now.shape[::-1], flags=back, borderValue=128)
    chosen = valid[::2, ::2]
    a, b = (picture[::2, ::2][chosen].astype(np.float32) for picture in (before, aligned))
    # The median of parts of the picture: one that moves otherwise must not spoil it.
    size = max(1, len(a) // _N_PARTS)
    n = min(_N_PARTS, len(a))
    a, b = (values[: n * size].reshape(n, size) for values in (a, b))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    alike = (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1) + 1e-3)
    return float(np.median(alike)) > _ALIKE
