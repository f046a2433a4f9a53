"""Any background model behind a camera that shakes, pans, turns and zooms."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._bootstrap import spread_frames
from motionseg.background._warp import pixel_sources
from motionseg.background.base import BackgroundModel
from motionseg.camera._warp import displacement, warp_frame
from motionseg.camera.base import CameraMotion
from motionseg.camera.sparse_corners import SparseCorners
from motionseg.core.catalog import ModelInfo
from motionseg.core.channels import channel_max
from motionseg.core.checks import check_frame, check_pixels, check_transform
from motionseg.core.errors import ParameterError
from motionseg.core.types import BACKGROUND, FOREGROUND, UNKNOWN, Frame, Mask, Score
from motionseg.pipeline._described import load_described, save_described

__all__ = ["Compensated"]

C = TypeVar("C", bound="Compensated")
Matrix = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.bool_]

_STILL = np.eye(3)
_ROWS = 240  # of a frame for which lengths in pixels are meant; in larger frames they are longer
_STIR, _STIR_FRAMES = 0.3, 3  # pixels: a resting camera that is so far away for so many frames has begun to move
_JOLT = 0.5  # pixels: it has, at once
_REST_FRAMES = 25  # without a motion above _STIR, after which a camera rests
_MARGIN = 12.0  # pixels by which frame and model may be apart
_TRUST = 0.3  # support of a motion that is believed
_PICTURE_EVERY = 4  # frames after which the model is asked for its background anew
_SLACK = (10.0,) * 4  # grey levels (of a colour, as OpenCV wants it)
_EXPLAINED = 0.6  # share of a region's pixels
_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


class Compensated(BackgroundModel):
    """Keeps any background model valid while the camera shakes, pans, turns and zooms.

    Where the frame shows what the model has never seen, the mask is 85 (`UNKNOWN`). As long as the camera rests,
    masks and scores are those of the bare model, exactly.

    Parameters
    ----------
    model : BackgroundModel
        What it does the work with: a clone of it. It has to know its background and to forget single pixels, which
        OpenCV's models cannot. Guards go inside: ``Compensated(Guarded(Adaptive()))``.
    camera : CameraMotion, optional
        Finds the motion; default ``SparseCorners()``.

    Raises
    ------
    ParameterError
        `model` is not a background model, or `camera` does not find motions.
    UnsupportedError
        The model wraps a library that keeps its memory to itself.

    Attributes
    ----------
    motion : float64 (3, 3) or None
        The camera's motion to the last frame that was learned, pixels; of a camera that rests exactly none. None where
        it was not found.
    is_new_shot : bool
        Whether all has started anew with the last frame that was learned.

    Notes
    -----
    *Where the camera looks* is found by comparing each frame with the model's own background picture, so errors do
    not add up. If this fails (something large has come between), a moving camera is followed from the last frame,
    and a resting one is believed to rest. If neither the background nor the last frame is seen any more, the shot
    has changed: all starts anew, and all is unknown (frozen, it compares with what it knows).

    *Frames go to the model*, interpolated bicubically, so it may lie between its pixels; the mask comes back by
    nearest pixels. Where the frame does not reach, the model is shown its own background. Only when both are more than
    12 pixels apart, or the camera has come to rest elsewhere, is the model moved to the frame: by whole pixels, or,
    when it has turned or zoomed that far, by nearest ones. What comes into its sight starts anew then.

    *Interpolation leaves traces* along strong edges. A foreground region is dropped if for 60 % of its pixels the
    colour lies between those of the background's 3x3 surroundings, give or take 10 grey levels.

    A camera rests that has moved by less than 0.3 pixels from frame to frame for 25 of them; it has begun to
    move when it is off by 0.5 pixels, or by 0.3 in three frames in turn (the median of what is tracked). All these
    lengths are for 240 rows and grow with the frame.

    Not modelled is depth: before a camera that travels, near things are foreground.

    The score is the model's, 0 where nothing is known, and below 0.5 where a region was dropped.

    Memory: the model's, and 7 bytes a BGR pixel.

    Examples
    --------
    >>> from motionseg.background import RunningAverage
    >>> noise = np.random.default_rng(0).integers(0, 256, (150, 190, 3), np.uint8)
    >>> world = cv2.GaussianBlur(noise, (0, 0), 2) * np.uint8(2)
    >>> model = Compensated(RunningAverage())
    >>> for i in range(10):
    ...     mask = model.apply(world[:120, 2 * i : 2 * i + 160])  # a pan
    >>> int((mask == 255).sum()), np.unique(mask[:, :150]).tolist(), np.unique(mask[:, 159]).tolist()
    (0, [0], [85])
    """

    info = ModelInfo(
        paper="see the model inside", speed="medium", good_at="shaking, panning, zooming cameras; any model"
    )
    _arrays = ("_last", "_picture", "_seen", "_view", "_rest")
    _global_arrays = ("_view", "_rest")

    def __init__(self, model: BackgroundModel, *, camera: CameraMotion | None = None) -> None:
        if not isinstance(model, BackgroundModel):
            raise ParameterError(f"model is a BackgroundModel, not {model!r}")
        if not (camera is None or isinstance(camera, CameraMotion)):
            raise ParameterError(f"camera is a CameraMotion, not {camera!r}")
        for what in ("background", "restart", "reset"):
            model._require_supported(what)
        self.model = model
        self.camera = SparseCorners() if camera is None else camera
        self._unsupported = model._unsupported
        self._begun: BackgroundModel | None = None
        self.motion: Matrix | None = None
        self.is_new_shot = False

    def params(self) -> dict[str, Any]:
        return {"model": self.model, **super().params()}

    @property
    def verdict(self) -> str | None:
        """What is said of the whole picture: of the camera, or else what the model says, where it does."""
        return "camera_moved" if self.is_new_shot else getattr(self._begun, "verdict", None)

    # --- one frame -------------------------------------------------------------------------

    def _start(self, frame: Frame) -> None:
        self._begin(frame, self.model.clone())

    def _begin(self, frame: Frame, model: BackgroundModel) -> None:
        """`frame` is the first that is known of a shot; `model` is fresh, or has learned it already."""
        self._begun, self._last, self._picture = model, frame.copy(), frame.copy()
        self._seen = np.ones(frame.shape[:2], bool)  # pixels of the model that it has been shown
        self._view = _STILL.copy()  # takes pixels of the model to those of the last frame
        # Frames since the camera has moved; frames in turn in which, resting, it has seemed to.
        self._rest = np.array([_REST_FRAMES, 0], np.int64)

    def _learn(self, frame: Frame, mask: Mask, learning_rate: float | None, known: Pixels | None) -> None:
        self._known = known  # the model inside keeps it from its memory
        super()._learn(frame, mask, learning_rate, None)

    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        learn, unit = learning_rate != 0, _unit(frame.shape)
        view, way, same_shot = self._find(frame)
        if same_shot or not learn:
            view, rest = self._steadied(view, way / unit)
            if learn:
                self.motion = view @ np.linalg.inv(self._view) if self._is_found else None
                self.is_new_shot = False
                self._view, self._rest = view, rest
                self._bring_near(frame, _MARGIN * unit)
                view = self._view
            self._apply(frame, view, mask, score, learning_rate)
        else:
            self.motion, self.is_new_shot = None, True
            self._begin(frame, self.model.clone())
            self._begun.apply(frame, learning_rate=learning_rate, known_foreground=self._known)
            mask[...], score[...] = UNKNOWN, 0
        if self._known is not None:
            mask[self._known], score[self._known] = FOREGROUND, 1
        if learn:
            self._last = frame.copy()
            if self._frames_seen % _PICTURE_EVERY == 0 or self._frames_seen < _PICTURE_EVERY:
                self._picture = self._begun.background()

    def _find(self, frame: Frame) -> tuple[Matrix, float, bool]:
        """What takes pixels of the model to `frame`, how far the camera has moved, and whether the shot is the same."""
        self._is_found = True
        motion = self.camera.estimate(self._picture, frame, guess=self._view)
        if motion.found and motion.support >= _TRUST:
            return motion.transform, motion.surprise, True
        step = self.camera.estimate(self._last, frame)
        moves = self._rest[0] < _REST_FRAMES
        if moves and step.found and step.support >= _TRUST:
            return step.transform @ self._view, step.surprise, True
        self._is_found = False
        return self._view, 0.0, not step.verdict == motion.verdict == "shot_change"

    def _steadied(self, view: Matrix, way: float) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """`view`, or the last one if the camera rests, and for how long it does; `way` is between the two."""
        since, stirred = self._rest
        if since >= _REST_FRAMES:
            stirred = stirred + 1 if way > _STIR else 0
            if way <= _JOLT and stirred < _STIR_FRAMES:
                return self._view, np.array([since, stirred])
        return view, np.array([min(since, _REST_FRAMES - 1) + 1 if way <= _STIR else 0, 0])

    def _bring_near(self, frame: Frame, margin: float) -> None:
        """Move the model to `frame` if they are farther apart than that, or if the camera has come to rest."""
        away = displacement(self._view, frame.shape)
        has_stopped = self._rest[0] == _REST_FRAMES and away >= 1
        if away > margin or has_stopped:
            self._move(frame, margin)

    def _move(self, frame: Frame, margin: float) -> None:
        """Move the model to `frame`, by whole pixels if it comes as near as `margin` by that."""
        height, width = frame.shape[:2]
        middle = np.array([(width - 1) / 2, (height - 1) / 2, 1])
        x, y, w = self._view @ middle
        move = whole = _STILL.copy()
        whole[:2, 2] = np.rint(np.array([x, y]) / w - middle[:2])
        if displacement(self._view @ np.linalg.inv(whole), frame.shape) > margin:
            move = self._view
        self._view = self._view @ np.linalg.inv(move)
        if np.abs(self._view - _STILL).max() < 1e-9:
            self._view = _STILL.copy()
        aligned = self._aligned(frame, self._view)
        uncovered = self._begun.warp(move, aligned)
        self._seen = _nearest(self._seen, move) & ~uncovered
        self._picture = self._begun.background()
        if move is not whole:  # nearest pixels leave steps in what was smooth: these start anew
            differs = channel_max(cv2.absdiff(aligned, self._picture).reshape(height, width, -1)) > _SLACK[0]
            self._show(aligned, differs & self._seen & self._is_explained(aligned))

    def _apply(self, frame: Frame, view: Matrix, mask: Mask, score: Score, learning_rate: float | None) -> None:
        """Let the model classify `frame` as it would see it, and bring the answers back into the frame."""
        aligned = self._aligned(frame, view, fill=self._picture)
        unknown = ~self._seen
        if learning_rate != 0 and unknown.any():
            self._show(aligned, unknown & _reach(view, mask.shape))
        known = None if self._known is None else _nearest(self._known, np.linalg.inv(view))
        found = self._begun.apply(aligned, learning_rate=learning_rate, known_foreground=known)
        scores = self._begun.score()
        found[unknown], scores[unknown] = UNKNOWN, 0
        if np.array_equal(view, _STILL):
            mask[...], score[...] = found, scores
            return
        self._drop_traces(aligned, found, scores)
        nearest = {"flags": cv2.INTER_NEAREST, "borderMode": cv2.BORDER_CONSTANT}
        cv2.warpPerspective(found, view, mask.shape[::-1], mask, borderValue=UNKNOWN, **nearest)
        cv2.warpPerspective(scores, view, mask.shape[::-1], score, borderValue=0, **nearest)

    def _show(self, aligned: Frame, pixels: Pixels) -> None:
        """Let `pixels` of the model start anew from what they are seen to be."""
        if pixels.any():
            self._begun.restart(aligned, pixels)
            self._seen |= pixels
            self._picture = self._begun.background()

    def _aligned(self, frame: Frame, view: Matrix, fill: Frame | None = None) -> Frame:
        """`frame` as the model sees it."""
        return frame if np.array_equal(view, _STILL) else warp_frame(frame, np.linalg.inv(view), fill=fill)

    def _drop_traces(self, aligned: Frame, found: Mask, scores: Score) -> None:
        """Take regions that a shift by a pixel would explain out of the mask."""
        foreground = np.uint8(found == FOREGROUND)
        n, labels, stats, _ = cv2.connectedComponentsWithStats(foreground)
        if n == 1:
            return
        explained = np.bincount(labels[self._is_explained(aligned)], minlength=n)
        trace = explained > _EXPLAINED * stats[:, cv2.CC_STAT_AREA]
        trace[0] = False
        dropped = trace[labels]
        found[dropped] = BACKGROUND
        scores[dropped] = np.minimum(scores[dropped] / 2, _BELOW_HALF)

    def _is_explained(self, aligned: Frame) -> Pixels:
        """Whether the colours are those of the background, or between it and its neighbours'."""
        square = np.ones((3, 3), np.uint8)
        low, high = cv2.erode(self._picture, square), cv2.dilate(self._picture, square)
        return cv2.inRange(aligned, cv2.subtract(low, _SLACK), cv2.add(high, _SLACK)) > 0

    # --- what concerns the model inside ------------------------------------------------------

    def background(self) -> Frame:
        self._require_started()
        picture = self._begun.background()
        return picture if np.array_equal(self._view, _STILL) else warp_frame(picture, self._view, fill=self._last)

    def reset(self) -> None:
        super().reset()
        self._begun, self.motion, self.is_new_shot = None, None, False

    def memory(self) -> int:
        return 0 if self._begun is None else super().memory() + self._begun.memory()

    def bootstrap(self: C, frames: Iterable[Frame]) -> C:
        kept = spread_frames(frames)
        first, seen = kept[0], []
        quiet = _STIR * _unit(first.shape)
        for frame in kept:
            motion = self.camera.estimate(first, frame)
            if not motion.found or displacement(motion.transform, first.shape) <= quiet:
                seen.append(frame)
            elif motion.support >= _TRUST:
                seen.append(warp_frame(frame, np.linalg.inv(motion.transform), fill=first))
        model = self.model.clone().bootstrap(seen)
        self.reset()
        self._shape, self._frames_seen = first.shape, model._frames_seen
        self._begin(first, model)
        self._picture = model.background()
        return self

    def restart(self, frame: Frame, pixels: Pixels) -> None:
        self._require_supported("restart")
        shape = self._require_started()
        frame, pixels = check_frame(frame, shape), check_pixels(pixels, shape[:2], "pixels")
        self._show(self._aligned(frame, self._view, fill=self._picture), _nearest(pixels, np.linalg.inv(self._view)))

    def warp(self, transform: npt.ArrayLike, frame: Frame) -> Pixels:
        self._require_supported("restart")
        shape, matrix = self._require_started(), check_transform(transform)
        frame = check_frame(frame, shape)
        _, outside = pixel_sources(matrix, shape[:2])
        if not np.array_equal(matrix, _STILL):
            self._view, self._last = matrix @ self._view, frame.copy()
            self._move(frame, _MARGIN * _unit(shape))
            self._seen |= _reach(self._view, shape[:2])
        return outside

    # --- state -------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        state = super().state()
        if self._begun is not None:
            state |= {f"model.{name}": array for name, array in self._begun.state().items()}
        return state

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        fresh = self.clone()
        BackgroundModel.load_state(fresh, state)
        if fresh._shape is not None:
            fresh._begun = self.model.clone()
            inside = {k.removeprefix("model."): array for k, array in state.items() if k.startswith("model.")}
            fresh._begun.load_state(inside)
        self.reset()
        vars(self).update(vars(fresh))

    def save(self, path: str | os.PathLike[str]) -> None:
        save_described(self, path)

    @classmethod
    def load(cls: type[C], path: str | os.PathLike[str]) -> C:
        return load_described(cls, path)


def _unit(shape: tuple[int, ...]) -> float:
    """Pixels of a frame of `shape` that are one of a frame of 240 rows; small frames have no smaller ones."""
    return max(1.0, min(shape[:2]) / _ROWS)


def _nearest(pixels: Pixels, transform: Matrix) -> Pixels:
    """`pixels` where `transform` takes them."""
    if np.array_equal(transform, _STILL):
        return pixels
    moved = cv2.warpPerspective(pixels.view(np.uint8), transform, pixels.shape[::-1], flags=cv2.INTER_NEAREST)
    return moved > 0


def _reach(view: Matrix, shape: tuple[int, ...]) -> Pixels:
    """Pixels of the model that a frame shows which sees it by `view`."""
    return _nearest(np.ones(shape, bool), np.linalg.inv(view))
