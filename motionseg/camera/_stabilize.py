"""Films without the shake of the hand that held the camera (Matsushita et al. 2006)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.camera._warp import displacement, is_sane
from motionseg.camera.base import CameraMotion
from motionseg.camera.sparse_corners import SparseCorners
from motionseg.core.checks import check_choice, check_frame, check_number
from motionseg.core.errors import ParameterError
from motionseg.core.params import Parametrized
from motionseg.core.types import Frame

__all__ = ["Stabilized", "Stabilizer"]

Matrix = npt.NDArray[np.float64]

_REACH = 2.5  # standard deviations of the window that are looked at
_BORDERS = {"black": cv2.BORDER_CONSTANT, "nearest": cv2.BORDER_REPLICATE}


@dataclass(frozen=True, eq=False)
class Stabilized:
    """A frame on its smooth path.

    Attributes
    ----------
    frame : uint8, as the frame that came in
        The caller's.
    transform : float64 (3, 3)
        Takes pixels (x, y, 1) of the frame that came in to those of `frame`.
    verdict : str
        Of the camera's motion since the frame before, as in `Motion`; ``"found"`` for the first frame.
    shift : float
        How far the frame was moved, root mean square, pixels (without `zoom`).
    """

    frame: Frame
    transform: Matrix
    verdict: str
    shift: float


class Stabilizer(Parametrized):
    """Takes the shake out of a film, and keeps what the camera was meant to do.

    Parameters
    ----------
    smoothness : float in [0.5, 250], frames
        Standard deviation of the Gaussian window over which the path is averaged: shake that is faster goes.
    lookahead : bool
        Whether frames to come are looked at, too: exact, and 2.5 `smoothness` frames late. Without it a film is
        stabilised as it comes, and lags behind in a pan.
    zoom : float in [1, 2]
        The picture is enlarged so, about its middle, to hide the border that comes into view.
    border : "nearest" or "black"
        What is shown where the frame does not reach: its nearest pixels, or nothing.
    camera : CameraMotion, optional
        Finds the motion; default ``SparseCorners(model="similarity")``.

    Raises
    ------
    ParameterError
        A parameter is out of range, or `camera` does not find motions.

    Notes
    -----
    With M(i, j) the motion from frame i to frame j, the product of the motions between neighbours, frame i is warped
    by the mean of M(i, j) over the frames j around it, weighted by exp(-(i - j)² / (2 smoothness²)). Windows end at a
    change of shot; where a motion is not found the camera is believed to have stood still. A mean that would
    tear the picture is not followed.

    Memory: the frames of half a window, 2.5 `smoothness` of them.

    References
    ----------
    Y. Matsushita, E. Ofek, W. Ge, X. Tang, H.-Y. Shum, Full-frame video stabilization with motion inpainting, PAMI 28
    (2006), doi:10.1109/TPAMI.2006.141.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> world = cv2.GaussianBlur(rng.integers(0, 256, (140, 180), np.uint8), (0, 0), 2)
    >>> film = [world[10 + y : 130 + y, 10:170] for y in (0, 4, -4, 3, -3, 0)]
    >>> steady = [result.frame for result in Stabilizer().stabilize(film)]
    >>> spread = [np.std([frame[60, 80] for frame in frames]) for frames in (film, steady)]
    >>> len(steady), bool(spread[1] < spread[0] / 3)
    (6, True)
    """

    def __init__(
        self,
        *,
        smoothness: float = 15.0,
        lookahead: bool = True,
        zoom: float = 1.0,
        border: str = "nearest",
        camera: CameraMotion | None = None,
    ) -> None:
        self.smoothness = check_number("smoothness", smoothness, 0.5, 250)
        self.lookahead = bool(check_choice("lookahead", lookahead, (True, False)))
        self.zoom = check_number("zoom", zoom, 1, 2)
        self.border = check_choice("border", border, tuple(_BORDERS))
        if not (camera is None or isinstance(camera, CameraMotion)):
            raise ParameterError(f"camera is a CameraMotion, not {camera!r}")
        self.camera = SparseCorners(model="similarity") if camera is None else camera

    def stabilize(self, frames: Iterable[Frame]) -> Iterator[Stabilized]:
        """The frames of a film, one for each of `frames` and in their order, on a smooth path.

        Parameters
        ----------
        frames : iterable of uint8 (H, W) or (H, W, 3)
            All of one shape; none is changed, none kept longer than the window is.

        Raises
        ------
        FrameError
            While iterating: not a frame, or of another shape than the first.
        """
        reach = max(1, round(_REACH * self.smoothness))
        ahead = reach if self.lookahead else 0
        waiting: deque[tuple[Frame, str]] = deque()
        # Motions between neighbours: motions[i] leads from frame first + i to the next; None: a change of shot.
        motions: deque[Matrix | None] = deque()
        first = done = 0
        last: Frame | None = None
        for frame in frames:
            frame = check_frame(frame, None if last is None else last.shape)
            verdict = "found"
            if last is not None:
                motion = self.camera.estimate(last, frame)
                verdict = motion.verdict
                motions.append(None if verdict == "shot_change" else motion.transform)
            last = frame.copy()
            waiting.append((last, verdict))
            while len(waiting) > ahead:
                yield self._warped(*waiting.popleft(), done - first, motions, reach)
                done += 1
            while done - first > reach:
                motions.popleft()
                first += 1
        while waiting:
            yield self._warped(*waiting.popleft(), done - first, motions, reach)
            done += 1

    def _warped(self, frame: Frame, verdict: str, here: int, motions: deque[Matrix | None], reach: int) -> Stabilized:
        """The frame `here`, counted from where the first of `motions` begins, on the path's mean."""
        total, weights = np.eye(3), 1.0
        for step in (1, -1) if self.lookahead else (-1,):
            to_there = np.eye(3)
            for n in range(1, reach + 1):
                link = here + n - 1 if step > 0 else here - n
                motion = motions[link] if 0 <= link < len(motions) else None
                if motion is None:
                    break
                to_there = (motion if step > 0 else np.linalg.inv(motion)) @ to_there
                to_there = to_there / to_there[2, 2]
                weight = np.exp(-0.5 * (n / self.smoothness) ** 2)
                total, weights = total + weight * to_there, weights + weight
        mean = total / weights
        if not (np.isfinite(mean).all() and is_sane(mean, frame.shape)):
            mean = np.eye(3)
        shift = displacement(mean, frame.shape)
        x, y = (frame.shape[1] - 1) / 2, (frame.shape[0] - 1) / 2
        z = self.zoom
        transform = np.array([[z, 0, (1 - z) * x], [0, z, (1 - z) * y], [0, 0, 1]]) @ mean
        size, border = (frame.shape[1], frame.shape[0]), _BORDERS[self.border]
        moved = cv2.warpPerspective(frame, transform, size, flags=cv2.INTER_LINEAR, borderMode=border)
        return Stabilized(np.asarray(moved), transform, verdict, shift)
