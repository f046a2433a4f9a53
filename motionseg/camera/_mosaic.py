"""One wide picture from a camera that turns: frames laid over one another (Irani et al. 1996)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.camera._warp import corners, displacement, is_sane
from motionseg.camera.base import CameraMotion
from motionseg.camera.sparse_corners import SparseCorners
from motionseg.core.checks import check_choice, check_frame, check_integer, check_pixels
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.params import Parametrized
from motionseg.core.types import Frame

__all__ = ["Mosaic"]

Matrix = npt.NDArray[np.float64]

_ROOM = 64  # pixels by which the canvas grows beyond what is needed, so that it grows seldom
_NEAR = 0.1  # of the frame's shorter side: how far laying a frame onto the mosaic may move it
_KNOWN = 0.3  # share of the view that has to be known for a frame to be laid onto it


class Mosaic(Parametrized):
    """Lays the frames of a camera that turns and zooms into one wide picture, without what moved in them.

    Parameters
    ----------
    method : "median" or "mean"
        Of what was seen at each place. The median keeps things that pass out of the picture.
    n_samples : int in [3, 99]
        Of the values at each place, so many are kept for the median; the newest takes the place of a random older one.
    max_side : int in [64, 32768], pixels
        Frames that would make the picture longer are left out.
    camera : CameraMotion, optional
        Finds the motion; default ``SparseCorners()``.

    Raises
    ------
    ParameterError
        A parameter is out of range, or `camera` does not find motions.

    Notes
    -----
    Each frame is first followed from the one before, then laid onto what the mosaic already shows there: errors do
    not add up along a pan there and back. The first frame gives the plane of the picture, so that a camera that has
    turned by more than some 50 degrees from it is left out, as are frames whose motion is not found. Where the camera
    travels, near things are smeared.

    Memory per pixel of the picture: 3 `n_samples` + 7 bytes (mean: 19 bytes), BGR.

    References
    ----------
    M. Irani, P. Anandan, J. Bergen, R. Kumar, S. Hsu, Efficient representations of video sequences and their
    applications, Signal Processing: Image Communication 8 (1996), doi:10.1016/0923-5965(95)00055-0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> world = cv2.GaussianBlur(rng.integers(0, 256, (120, 300, 3), np.uint8), (0, 0), 2)
    >>> mosaic = Mosaic()
    >>> for x in range(0, 101, 10):  # a pan
    ...     transform = mosaic.add(world[:, x : x + 160])
    >>> picture, known = mosaic.image()
    >>> picture.shape[1] >= 258, bool(known.any(axis=0).sum() in range(258, 264))
    (True, True)
    """

    def __init__(
        self,
        *,
        method: str = "median",
        n_samples: int = 15,
        max_side: int = 8192,
        camera: CameraMotion | None = None,
    ) -> None:
        self.method = check_choice("method", method, ("median", "mean"))
        self.n_samples = check_integer("n_samples", n_samples, 3, 99)
        self.max_side = check_integer("max_side", max_side, 64, 32768)
        if not (camera is None or isinstance(camera, CameraMotion)):
            raise ParameterError(f"camera is a CameraMotion, not {camera!r}")
        self.camera = SparseCorners() if camera is None else camera
        self.n_frames = 0
        self._last: Frame | None = None  # that was laid down
        self._pose = np.eye(3)  # takes its pixels to those of the first frame
        self._low, self._high = np.zeros(2, int), np.zeros(2, int)  # of what is shown, in pixels of the first frame
        self._start = np.zeros(2, int)  # of the canvas, likewise
        self._random = np.random.default_rng(0)

    def add(self, frame: Frame, *, exclude: npt.NDArray[np.bool_] | None = None) -> Matrix | None:
        """Lay one frame into the picture.

        Parameters
        ----------
        frame : uint8 (H, W) or (H, W, 3)
            Of one shape; neither kept nor changed.
        exclude : bool (H, W), optional
            Pixels that are not to be shown, as what moves by itself.

        Returns
        -------
        float64 (3, 3) or None
            Takes pixels (x, y, 1) of this frame to those of the first one; add `origin` for those of `image`. None
            where the frame was left out.

        Raises
        ------
        FrameError
            Not a frame, of another shape than the first, or `exclude` does not fit it.
        """
        frame = check_frame(frame, None if self._last is None else self._last.shape)
        shown = np.ones(frame.shape[:2], bool)
        if exclude is not None:
            shown = ~check_pixels(exclude, (frame.shape[0], frame.shape[1]), "exclude")
        pose = self._find(frame)
        if pose is None:
            return None
        outer = pose @ corners(frame.shape)
        low = np.floor((outer[:2] / outer[2]).min(axis=1)).astype(int)
        high = np.ceil((outer[:2] / outer[2]).max(axis=1)).astype(int) + 1
        if self._last is None:
            self._low, self._high, self._start = low, high, low
            self._canvas = self._empty(high - low, frame)
        low_of_all, high_of_all = np.minimum(self._low, low), np.maximum(self._high, high)
        if (high_of_all - low_of_all > self.max_side).any():
            return None
        self._grow(low_of_all, high_of_all, frame)
        self._low, self._high = low_of_all, high_of_all
        self._lay(frame, shown, pose, low, high)
        self._last, self._pose = frame.copy(), pose
        self.n_frames += 1
        return pose.copy()

    def _find(self, frame: Frame) -> Matrix | None:
        """Takes the frame's pixels to those of the first frame, if it can be told."""
        if self._last is None:
            return np.eye(3)
        motion = self.camera.estimate(self._last, frame)
        if not motion.found:
            return None
        pose = self._pose @ np.linalg.inv(motion.transform)
        pose /= pose[2, 2]
        if not is_sane(pose, frame.shape):
            return None
        view, known = self._view(pose, frame.shape)
        if np.mean(known) >= _KNOWN:
            motion = self.camera.estimate(view, frame, exclude=~known)
            if motion.found and displacement(motion.transform, frame.shape) < _NEAR * min(frame.shape[:2]):
                pose = pose @ np.linalg.inv(motion.transform)
                pose /= pose[2, 2]
        return pose if is_sane(pose, frame.shape) else None

    def _view(self, pose: Matrix, shape: tuple[int, ...]) -> tuple[Frame, npt.NDArray[np.bool_]]:
        """What the mosaic shows to a camera of this pose, and where."""
        to_canvas, size = _shift(-self._start) @ pose, (shape[1], shape[0])
        back = cv2.WARP_INVERSE_MAP
        view = cv2.warpPerspective(self._canvas["newest"], to_canvas, size, flags=back | cv2.INTER_LINEAR)
        seen = (self._canvas["count"] > 0).astype(np.uint8)
        known = cv2.warpPerspective(seen, to_canvas, size, flags=back | cv2.INTER_NEAREST) > 0
        return np.asarray(view), np.asarray(known)

    def _empty(self, size: npt.NDArray[np.int_], frame: Frame) -> dict[str, npt.NDArray[Any]]:
        shape = (int(size[1]), int(size[0]), *frame.shape[2:])
        canvas: dict[str, npt.NDArray[Any]] = {"count": np.zeros(shape[:2], np.int32)}
        canvas["newest"] = np.zeros(shape, np.uint8)
        if self.method == "mean":
            canvas["total"] = np.zeros(shape, np.float32)
        else:
            canvas["samples"] = np.zeros((*shape[:2], self.n_samples, *shape[2:]), np.uint8)
        return canvas

    def _grow(self, low: npt.NDArray[np.int_], high: npt.NDArray[np.int_], frame: Frame) -> None:
        """Make the canvas reach from `low` to `high` at the least."""
        size = np.array(self._canvas["count"].shape[::-1])
        short_before, short_behind = self._start - low, high - self._start - size
        if (short_before <= 0).all() and (short_behind <= 0).all():
            return
        before = np.where(short_before > 0, short_before + _ROOM, 0)
        behind = np.where(short_behind > 0, short_behind + _ROOM, 0)
        larger = self._empty(size + before + behind, frame)
        for name, old in self._canvas.items():
            larger[name][before[1] : before[1] + size[1], before[0] : before[0] + size[0]] = old
        self._canvas, self._start = larger, self._start - before

    def _lay(
        self,
        frame: Frame,
        shown: npt.NDArray[np.bool_],
        pose: Matrix,
        low: npt.NDArray[np.int_],
        high: npt.NDArray[np.int_],
    ) -> None:
        """Add the frame to what was seen in its part, `low` to `high`, of the canvas."""
        size, to_part = (int(high[0] - low[0]), int(high[1] - low[1])), _shift(-low) @ pose
        warped = cv2.warpPerspective(frame, to_part, size, flags=cv2.INTER_LINEAR)
        full = cv2.warpPerspective(shown.astype(np.uint8) * 255, to_part, size, flags=cv2.INTER_LINEAR) == 255
        x, y = low - self._start
        part = {name: array[y : y + size[1], x : x + size[0]] for name, array in self._canvas.items()}
        part["newest"][full] = warped[full]
        if self.method == "mean":
            part["total"][full] += warped[full]
        else:
            # A reservoir: every value that was seen is as likely to be kept.
            rows, columns = np.nonzero(full)
            count = part["count"][full]
            # One number for the whole frame: what passes is then taken or left as one, without speckles.
            chosen = (self._random.random() * (count + 1)).astype(np.int32)
            slot = np.where(count < self.n_samples, count, chosen)
            kept = slot < self.n_samples
            rows, columns, slot = rows[kept], columns[kept], slot[kept]
            part["samples"][rows, columns, slot] = warped[rows, columns]
        part["count"][full] += 1

    @property
    def origin(self) -> tuple[int, int]:
        """Where the first frame's pixel (0, 0) is in `image`: x, y."""
        return int(-self._low[0]), int(-self._low[1])

    def image(self) -> tuple[Frame, npt.NDArray[np.bool_]]:
        """The picture so far, uint8 (H, W) or (H, W, 3), 0 where nothing is known, and where something is, bool (H, W).

        Raises
        ------
        StateError
            Before the first frame.
        """
        if self._last is None:
            raise StateError("there is no picture before the first frame")
        (x, y), (width, height) = self._low - self._start, self._high - self._low
        part = {name: array[y : y + height, x : x + width] for name, array in self._canvas.items()}
        count = part["count"]
        if self.method == "mean":
            total = part["total"]
            picture = np.rint(total / np.maximum(count, 1).reshape(*count.shape, *[1] * (total.ndim - 2)))
            return picture.astype(np.uint8), count > 0
        rows = [_median(samples, seen) for samples, seen in zip(part["samples"], count, strict=True)]
        return np.stack(rows), count > 0


def _shift(by: npt.NDArray[np.int_]) -> Matrix:
    return np.array([[1, 0, by[0]], [0, 1, by[1]], [0, 0, 1]], np.float64)


def _median(samples: npt.NDArray[np.uint8], count: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """The median of the first `count` (W,) of `samples` (W, n) or (W, n, 3); 0 where there are none."""
    n = samples.shape[1]
    kept = np.minimum(count, n)
    values = samples.astype(np.int16)
    values[np.arange(n) >= kept[:, None]] = 256  # behind all colours
    middle = np.sort(values, axis=1)[np.arange(len(values)), np.maximum(kept - 1, 0) // 2]
    middle[kept == 0] = 0
    return middle.astype(np.uint8)
