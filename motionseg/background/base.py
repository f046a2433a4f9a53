"""The protocol of background models, and all that they share.

A model is one file: kernels, a class that derives from :class:`BackgroundModel` and says which
arrays it learns (`_arrays`), how it starts on a first frame (`_start`) and what it does with the
next (`_step`). Frame checks, freezing, known foreground, state, score, cv2's names, a start from many
frames, fresh starts of single pixels and moving cameras come from here.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from motionseg.background._bootstrap import emptied_frames, robust_picture, spread_frames
from motionseg.background._parts import matching_arrays
from motionseg.background._warp import pixel_sources
from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_frame, check_number, check_pixels, check_transform
from motionseg.core.errors import StateError, UnsupportedError
from motionseg.core.params import Parametrized
from motionseg.core.state import read_state, write_state
from motionseg.core.types import FOREGROUND, Frame, Mask, Score

__all__ = ["BackgroundModel"]

M = TypeVar("M", bound="BackgroundModel")
Pixels = tuple[npt.NDArray[np.intp], ...]

_REFUSALS = {
    "state": "tell or take what was learned (state, load_state, save, load)",
    "freeze": "classify a frame without learning from it (learning_rate=0)",
    "learning_rate": "learn at a rate given from outside (learning_rate)",
    "known_foreground": "keep pixels from being learned (known_foreground)",
    "background": "show the background (background)",
    "reset": "start anew (reset, clone)",
    "restart": "start single pixels anew (restart, warp)",
    "memory": "tell how much memory it takes (memory)",
}


class BackgroundModel(Parametrized, ABC):
    """Learns what a fixed camera sees when nothing moves, and tells from it what does.

    One object is one camera. Subclasses take keyword-only numbers, check them in ``__init__``, and
    allocate nothing before the first frame.
    """

    info: ClassVar[ModelInfo]
    """What `motionseg models` prints."""
    _arrays: ClassVar[tuple[str, ...]]
    """Attributes that hold everything learned: numpy arrays, first axes (H, W) unless `_cells` says otherwise."""
    _global_arrays: ClassVar[tuple[str, ...]] = ()
    """Those of `_arrays` that do not belong to pixels (counters, random states)."""
    _unsupported: ClassVar[frozenset[str]] = frozenset()
    """What a wrapped library cannot do: keys of `_REFUSALS`, and ``"determinism"``."""

    _shape: tuple[int, ...] | None = None
    _frames_seen: int = 0
    _score: Score | None = None

    # --- what a model writes ---------------------------------------------------------------

    @abstractmethod
    def _start(self, frame: Frame) -> None:
        """Allocate the arrays and initialise them from the first frame (shape as in `self._shape`).

        `self._frames_seen` is not 0 where single pixels start anew later (:meth:`restart`).
        """

    @abstractmethod
    def _step(self, frame: Frame, mask: Mask, score: Score, learning_rate: float | None) -> None:
        """Classify `frame` into `mask` and `score` (both to be filled), then learn from it.

        `learning_rate` is None for the model's own choice, else in [0, 1]. With 0 nothing that
        `_arrays` names may change. `self._frames_seen` is the number of frames learned before this one.
        """

    @abstractmethod
    def background(self) -> Frame:
        """The learned picture of the empty scene, uint8, of the frame's shape.

        Raises
        ------
        StateError
            Before the first frame.
        """

    def _cells(self, pixels: Pixels) -> dict[str, Any]:
        """For every per-pixel array the index of `pixels` (rows, columns) in it."""
        return {name: pixels for name in self._arrays if name not in self._global_arrays}

    def _restored(self, pixels: Pixels) -> None:
        """Called when the cells of `pixels` were written from outside: bring what is derived from them up to date."""

    # --- what everybody calls --------------------------------------------------------------

    def apply(
        self,
        frame: Frame,
        fgmask: Mask | None = None,
        learningRate: float = -1.0,  # noqa: N803 - cv2's name
        *,
        learning_rate: float | None = None,
        known_foreground: npt.NDArray[np.bool_] | None = None,
    ) -> Mask:
        """Classify one frame, and learn from it.

        Parameters
        ----------
        frame : uint8 (H, W) or (H, W, 3)
            Grey or BGR; neither kept nor changed.
        fgmask : uint8 (H, W), optional
            cv2's way to get the mask: it is written here too.
        learningRate : float
            cv2's name of `learning_rate`; negative: automatic.
        learning_rate : float in [0, 1], optional
            Share of the new frame in what is known. 0 changes nothing at all; default: the model's own choice.
        known_foreground : bool (H, W), optional
            Pixels that are foreground for sure: reported so, and not learned (but by the first frame,
            since a model has nothing else to start from).

        Returns
        -------
        uint8 (H, W)
            0 background, 127 shadow (models that know shadows), 255 foreground; the caller's to keep.

        Raises
        ------
        FrameError
            Wrong dtype, channels or size; the model is unchanged.
        ParameterError
            `learning_rate` out of range; the model is unchanged.
        UnsupportedError
            The model wraps a library that cannot do this; the model is unchanged.

        Notes
        -----
        A first frame with ``learning_rate=0`` is all background: an unborn model knows no better, and stays unborn.
        """
        frame = check_frame(frame, self._shape)
        if learning_rate is None and learningRate >= 0:
            learning_rate = learningRate
        if learning_rate is not None:
            learning_rate = check_number("learning_rate", learning_rate, 0, 1)
            self._require_supported("freeze" if learning_rate == 0 else "learning_rate")
        if known_foreground is not None:
            self._require_supported("known_foreground")
            known_foreground = check_pixels(known_foreground, frame.shape[:2], "known_foreground")
        mask = np.zeros(frame.shape[:2], np.uint8)
        if self._shape is not None:
            self._learn(frame, mask, learning_rate, known_foreground)
        elif learning_rate != 0:
            try:
                self._shape = frame.shape
                self._start(frame)
                self._learn(frame, mask, learning_rate, known_foreground)
            except BaseException:
                BackgroundModel.reset(self)  # as unborn as before
                raise
        else:
            self._score = np.zeros(mask.shape, np.float32)
        if fgmask is not None:
            fgmask[...] = mask
        return mask

    def _learn(
        self, frame: Frame, mask: Mask, learning_rate: float | None, known: npt.NDArray[np.bool_] | None
    ) -> None:
        if self._score is None or self._score.shape != mask.shape:
            self._score = np.zeros(mask.shape, np.float32)
        if known is None:
            self._step(frame, mask, self._score, learning_rate)
        else:
            pixels = np.nonzero(known)
            kept = {name: (cell, getattr(self, name)[cell]) for name, cell in self._cells(pixels).items()}
            self._step(frame, mask, self._score, learning_rate)
            for name, (cell, values) in kept.items():
                getattr(self, name)[cell] = values
            self._restored(pixels)
            mask[pixels], self._score[pixels] = FOREGROUND, 1.0
        if learning_rate != 0:
            self._frames_seen += 1

    def score(self) -> Score:
        """How surely each pixel of the last frame is foreground.

        Returns
        -------
        float32 (H, W)
            In [0, 1]; 0.5 is the decision. The caller's to keep.

        Raises
        ------
        StateError
            No frame has been applied since the model was made, reset or loaded.
        """
        if self._score is None:
            raise StateError("there is no score before the first frame")
        return self._score.copy()

    def getBackgroundImage(self) -> Frame:  # noqa: N802 - cv2's name
        """cv2's name of :meth:`background`."""
        return self.background()

    def reset(self) -> None:
        """Forget everything learned; the next frame, of any size, is a first one."""
        for name in self._arrays:
            if name in vars(self):
                delattr(self, name)
        self._shape, self._frames_seen, self._score = None, 0, None

    # --- fresh starts and moving cameras ---------------------------------------------------

    def bootstrap(self: M, frames: Iterable[Frame]) -> M:
        """Start anew, from many frames at once: what moves in most of them leaves no ghost.

        Up to 100 frames, evenly spread over `frames`, are kept: their robust picture
        (:func:`~motionseg.background.background_picture`) is the first frame, and what they show of the empty
        scene is then learned in their order, so that noise and swaying are known from the beginning.

        Parameters
        ----------
        frames : iterable of uint8 (H, W) or (H, W, 3)
            Best from a whole clip. Of a sequence only the frames that are kept are asked for.

        Returns
        -------
        BackgroundModel
            The model itself.

        Raises
        ------
        FrameError
            There is no frame, or one differs from the first in size; the model is unchanged.
        """
        kept = spread_frames(frames)
        picture = robust_picture(kept)
        self.reset()
        self.apply(picture)
        for frame in emptied_frames(kept, picture):
            self.apply(frame)
        self._score = None
        return self

    def restart(self, frame: Frame, pixels: npt.NDArray[np.bool_]) -> None:
        """Let `pixels` forget what they learned and start anew from `frame`; all others remain as they are.

        Parameters
        ----------
        frame : uint8 (H, W) or (H, W, 3)
            Read at `pixels` (and beside them, by models that describe neighbourhoods).
        pixels : bool (H, W)
            Which.

        Raises
        ------
        FrameError
            Wrong dtype or size of `frame` or `pixels`; the model is unchanged.
        StateError
            Before the first frame.
        UnsupportedError
            The model wraps a library that keeps its memory to itself.
        """
        self._require_supported("restart")
        shape = self._require_started()
        frame = check_frame(frame, shape)
        pixels = check_pixels(pixels, (shape[0], shape[1]), "pixels")
        if pixels.any():
            self._copy_cells(self._newborn(frame, self._frames_seen), np.nonzero(pixels), np.nonzero(pixels))

    def warp(self, transform: npt.ArrayLike, frame: Frame) -> npt.NDArray[np.bool_]:
        """Follow a camera that has moved: what was learned of every pixel goes to where the pixel has gone.

        Parameters
        ----------
        transform : float (3, 3)
            Takes pixels (x, y, 1) of the previous frame to the current one.
        frame : uint8 (H, W) or (H, W, 3)
            The current frame; pixels that were not in sight before start anew from it.

        Returns
        -------
        bool (H, W)
            Those pixels: what moves there is not known yet.

        Raises
        ------
        FrameError
            Wrong dtype or size of `frame`; the model is unchanged.
        ParameterError
            `transform` is not a finite 3x3 matrix that can be inverted; the model is unchanged.
        StateError
            Before the first frame.
        UnsupportedError
            The model wraps a library that keeps its memory to itself.

        Notes
        -----
        A pixel takes over all that the nearest one had learned: memories of different pixels are never mixed.
        So a move by less than half a pixel changes nothing; add up small moves instead of passing each on.
        """
        self._require_supported("restart")
        shape, matrix = self._require_started(), check_transform(transform)
        frame = check_frame(frame, shape)
        sources, outside = pixel_sources(matrix, (shape[0], shape[1]))
        rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
        moved = np.nonzero((sources[0] != rows) | (sources[1] != columns))
        if len(moved[0]):
            self._copy_cells(self, (sources[0][moved], sources[1][moved]), moved)
        self.restart(frame, outside)
        return outside

    def _newborn(self: M, frame: Frame, frames_seen: int = 0) -> M:
        """A fresh model that `frame` has started."""
        fresh = self.clone()
        fresh._shape, fresh._frames_seen = frame.shape, frames_seen
        fresh._start(frame)
        return fresh

    def _copy_cells(self, model: BackgroundModel, source: Pixels, target: Pixels) -> None:
        """Overwrite the cells of the pixels `target` with those that `model` has at `source`."""
        cells, places = model._cells(source), self._cells(target)
        for name in places:
            getattr(self, name)[places[name]] = getattr(model, name)[cells[name]]
        self._restored(target)

    def _require_started(self) -> tuple[int, ...]:
        if self._shape is None:
            raise StateError(f"{type(self).__name__} has seen no frame yet")
        return self._shape

    def _require_supported(self, what: str) -> None:
        if what in self._unsupported:
            raise UnsupportedError(f"{type(self).__name__}: the wrapped library cannot {_REFUSALS[what]}")

    # --- state -----------------------------------------------------------------------------

    def memory(self) -> int:
        """Bytes of all arrays that the model holds at present, the last score aside.

        Raises
        ------
        UnsupportedError
            The model wraps a library that does not tell.
        """
        self._require_supported("memory")
        return sum(v.nbytes for k, v in vars(self).items() if isinstance(v, np.ndarray) and k != "_score")

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything learned, as copies: load it into an equal model and it continues bit for bit.

        Returns
        -------
        dict of str to array
            ``shape`` and ``frames_seen``, and, after the first frame, the model's own arrays.

        Raises
        ------
        UnsupportedError
            The model wraps a library that does not tell what it learned.
        """
        self._require_supported("state")
        shape = np.array(self._shape or (), np.int64)
        state: dict[str, npt.NDArray[Any]] = {"shape": shape, "frames_seen": np.array(self._frames_seen, np.int64)}
        if self._shape is not None:
            state |= {name.lstrip("_"): getattr(self, name).copy() for name in self._arrays}
        return state

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` of a model with the same parameters gave.

        Raises
        ------
        StateError
            Arrays are missing, or of a shape or dtype that does not fit; the model is unchanged.
        UnsupportedError
            The model wraps a library that cannot be told what it learned.
        """
        self._require_supported("state")
        try:
            shape = tuple(int(n) for n in state["shape"])
            frames_seen = int(state["frames_seen"])
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"not a state of a background model: {error!r}") from error
        fresh = self.clone()
        if shape:
            try:
                first = check_frame(np.zeros(shape, np.uint8))
            except ValueError as error:
                raise StateError(f"the state's frame shape {shape} is impossible: {error}") from error
            fresh = self._newborn(first)  # says which shape and dtype each array must have
        names = self._arrays if shape else ()
        found = matching_arrays(self, {name.lstrip("_"): getattr(fresh, name) for name in names}, state)
        self.reset()
        vars(self).update({name: found[name.lstrip("_")] for name in names})
        self._shape, self._frames_seen = shape or None, frames_seen

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`state` and the parameters to an .npz file, atomically.

        Raises
        ------
        OutputError
            It cannot be written; an older file at `path` is untouched.
        """
        write_state(path, self.state(), {"class": type(self).__name__, "params": self.params()})

    @classmethod
    def load(cls: type[M], path: str | os.PathLike[str]) -> M:
        """A model of this class as :meth:`save` left it, parameters and all.

        Raises
        ------
        StateError
            Not a state file, or of another class.
        """
        arrays, head = read_state(path)
        if head.get("class") != cls.__name__:
            raise StateError(f"{path} holds a {head.get('class')}, not a {cls.__name__}")
        model = cls(**head["params"])
        model.load_state(arrays)
        return model
