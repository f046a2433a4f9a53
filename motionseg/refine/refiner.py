"""Sharper masks: a small network looks at the frame, the background and what a classical model says of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_choice, check_flow, check_frame, check_integer, check_mask, check_transform
from motionseg.core.errors import FrameError, MissingExtraError, StateError
from motionseg.core.params import Parametrized
from motionseg.core.types import FOREGROUND, Flow, Frame, Labels, Mask, Score
from motionseg.refine._cues import carried_along, motion_cues

if TYPE_CHECKING:
    from motionseg.refine._engine import Engine

__all__ = ["Refiner", "View", "refine_together"]

_DTYPES = ("auto", "float32", "bfloat16", "float16")
_LAST_SIDE = 240  # pixels of the shorter side at which the last answer is kept
_CUE_SCALE, _STRIDE = 4, 32

# How far a model is trusted that the network mostly agrees with: where both differ, its mask counts as log-odds.
_MEMORY = 0.99  # of how far they agreed, a frame
_DOUBT = 0.1  # of a frame's pixels: so much disagreement is supposed before anything was seen
_AGREES = 0.5, 0.9  # intersection over union of both: of a model that is not trusted, and of one that is fully
_TRUST = 2.0  # log-odds then


@dataclass(frozen=True, eq=False)
class View:
    """What is known of one frame of one camera; what is not, is None.

    Attributes
    ----------
    frame : uint8 (H, W) or (H, W, 3)
        Grey or BGR.
    background : uint8, of the frame's shape, optional
        The empty scene as the camera sees it now.
    score : float32 (H, W), optional
        How surely each pixel is foreground, in [0, 1], as a classical model says.
    mask : uint8 (H, W), optional
        Its mask: 0 background, 127 shadow, 255 foreground.
    flow_back : float32 (h, w, 2), optional
        Where the pixels of this frame were in the last one, in pixels of the flow's own size, which may be smaller.
    camera : float (3, 3), optional
        Motion of the camera from the last frame to this one, in pixels of the frame; None: it stood.
    """

    frame: Frame
    background: Frame | None = None
    score: Score | None = None
    mask: Mask | None = None
    flow_back: Flow | None = None
    camera: npt.NDArray[np.floating] | None = None


class Refiner(Parametrized):
    """Refines the masks of one camera, frame after frame.

    Parameters
    ----------
    weights : str or path
        ``"small"``, which comes with the package, or a file that `motionseg train` wrote.
    device : str
        ``"auto"`` (CUDA where there is one, else the CPU), or as torch names it: ``"cpu"``, ``"cuda:1"``.
    dtype : {"auto", "float32", "bfloat16", "float16"}
        What the network computes in. ``"auto"``: bfloat16 where the device is fast at it, else float16 on a GPU,
        float32 on a CPU.
    tile : int, at least 128, optional
        Larger frames are refined in overlapping tiles of at most so many pixels a side, which bounds the memory.
        Default: whole frames, and tiles where the memory does not suffice, with a warning.
    compile : bool
        Hand the network to ``torch.compile``: the first frame of each size takes long.

    Raises
    ------
    MissingExtraError
        torch or safetensors is not installed.
    ParameterError
        A parameter is none of these, or there is no such device.
    StateError
        The weights are not there, not ours, or cut short.

    Notes
    -----
    The network sees frame, background and their difference, score, mask, residual motion and its own last answer,
    carried along by the flow; every one of these but the frame may be missing. It never learned a frame of any
    benchmark: see docs/model_card.md. Weights are shared by all refiners of a process.

    Where the network's mask and the given one have agreed so far (an intersection over union above 0.5 over the last
    hundred frames or so), the given mask is counted in, by up to 2 log-odds: a good model keeps what the network is not
    sure of.

    Memory: a third of a megabyte for the last answer; while it runs, about 100 bytes a pixel on a CPU (small network).

    Examples
    --------
    >>> refiner = Refiner()
    >>> wall = np.full((96, 128, 3), 120, np.uint8)
    >>> frame = wall.copy()
    >>> frame[30:70, 40:80] = (30, 60, 200)
    >>> score = refiner.refine(frame, background=wall)
    >>> bool(score[50, 60] > 0.5), bool(score[10, 10] > 0.5)
    (True, False)
    """

    def __init__(
        self,
        *,
        weights: str | Path = "small",
        device: str = "auto",
        dtype: str = "auto",
        tile: int | None = None,
        compile: bool = False,
    ) -> None:
        self.weights, self.device = weights, device
        self.dtype = check_choice("dtype", dtype, _DTYPES)
        self.tile = tile if tile is None else check_integer("tile", tile, 128)
        self.compile = check_choice("compile", compile, (True, False))
        self._engine = _engine(self.weights, self.device, self.dtype, self.compile)
        self.reset()

    def reset(self) -> None:
        """Forget the last frame."""
        self._shape: tuple[int, ...] | None = None
        self._last: npt.NDArray[np.float32] | None = None
        self._agreed = np.zeros(2)  # pixels that both called foreground, and that one of them did, of late
        self._answer: Any = None

    def refine(
        self,
        frame: Frame,
        background: Frame | None = None,
        score: Score | None = None,
        *,
        mask: Mask | None = None,
        flow_back: Flow | None = None,
        camera: npt.NDArray[np.floating] | None = None,
    ) -> Score:
        """A sharper score of one frame, the next of this camera.

        Parameters
        ----------
        frame, background, score, mask, flow_back, camera
            See :class:`View`.

        Returns
        -------
        float32 (H, W)
            In [0, 1]; 0.5 is the decision.

        Raises
        ------
        FrameError
            An array has the wrong dtype or size, or holds NaN; the refiner is unchanged.
        ParameterError
            `camera` is not a finite 3x3 matrix that can be inverted; the refiner is unchanged.
        """
        return refine_together([self], [View(frame, background, score, mask, flow_back, camera)])[0]

    def shadow(self) -> Score:
        """How surely each pixel of the last frame is cast shadow, float32 (H, W) in [0, 1].

        Raises
        ------
        StateError
            No frame was refined yet.
        """
        return self._picture(self._require_answer().shadow)

    def classes(self) -> Labels:
        """The class of each pixel of the last frame, int32 (H, W): 0 background.

        Weights that were trained with ``n_classes`` above 1 tell as many apart; all others know class 1, foreground.

        Raises
        ------
        StateError
            No frame was refined yet.
        """
        mask = self._require_answer().mask
        assert self._shape is not None
        best = (mask > 0)[:, 0] if mask.shape[1] == 1 else mask.argmax(dim=1)
        return np.asarray(best[0, : self._shape[0], : self._shape[1]].cpu().numpy(), np.int32)

    def embed(self, labels: Labels) -> npt.NDArray[np.float32]:
        """A vector for each region of the last frame, by which it can be known again in others.

        Parameters
        ----------
        labels : int32 (H, W)
            0 background, 1..N regions.

        Returns
        -------
        float32 (N, 16)
            Of unit length; the likeness of two is their scalar product. Of a region without pixels: zeros.

        Raises
        ------
        FrameError
            `labels` has another size than the frame.
        StateError
            No frame was refined yet.
        """
        answer = self._require_answer()
        assert self._shape is not None
        labels = np.asarray(labels)
        if labels.shape != self._shape[:2]:
            raise FrameError(f"labels have shape {labels.shape}, the last frame {self._shape[:2]}")
        maps = answer.embedding[0].float().cpu().numpy()
        n = int(labels.max(initial=0))
        rows, columns = (np.arange(side) // _CUE_SCALE for side in labels.shape)
        places = (rows[:, None] * maps.shape[2] + columns)[labels > 0]  # every pixel counts for its place
        own = labels[labels > 0]
        flat = maps.reshape(len(maps), -1)
        sums = np.stack([np.bincount(own, flat[k][places], n + 1)[1:] for k in range(len(flat))], axis=1)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(sums / np.maximum(length, 1e-9), np.float32)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What is remembered of the last frame, as copies."""
        if self._shape is None or self._last is None:
            return {}
        return {"shape": np.array(self._shape, np.int64), "last": self._last.copy(), "agreed": self._agreed.copy()}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`state` gave.

        Raises
        ------
        StateError
            Not such a state; the refiner is unchanged.
        """
        if not state:
            self.reset()
            return
        try:
            shape, last = tuple(int(n) for n in state["shape"]), np.asarray(state["last"])
            agreed = np.array(state["agreed"], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"not a state of a Refiner: {error!r}") from error
        if last.dtype != np.float32 or last.shape != _small(shape):
            raise StateError(f"not a state of a Refiner: last is {last.dtype} {last.shape}")
        if agreed.shape != (2,) or not (0 <= agreed[0] <= agreed[1] < np.inf):
            raise StateError(f"not a state of a Refiner: agreed is {agreed}")
        self._shape, self._last, self._agreed, self._answer = shape, last.copy(), agreed, None

    # --- parts of a run ------------------------------------------------------------------------

    def _require_answer(self) -> Any:
        if self._answer is None:
            raise StateError("no frame was refined yet")
        return self._answer

    def _picture(self, logits: Any) -> Score:
        assert self._shape is not None
        rows, columns = self._shape[:2]
        return np.ascontiguousarray(logits[0, -1, :rows, :columns].float().sigmoid().cpu().numpy())

    def _checked(self, view: View) -> View:
        frame = _color(check_frame(view.frame, self._shape))
        shape = frame.shape[:2]
        background, score, mask, flow = view.background, view.score, view.mask, view.flow_back
        if background is not None:
            background = _color(check_frame(background, np.shape(view.frame)))
        if score is not None:
            score = np.asarray(score)
            if score.shape != shape or score.dtype.kind != "f":
                raise FrameError(f"score is {score.dtype} {score.shape}, and should be float32 {shape}")
            if not np.isfinite(score).all():
                raise FrameError("score holds NaN or infinite values")
            score = np.clip(score, 0, 1).astype(np.float32, copy=False)
        if mask is not None:
            mask = check_mask(mask, shape)
        if flow is not None:
            flow = check_flow(flow)
            if not np.isfinite(flow).all():
                raise FrameError("flow_back holds NaN or infinite values")
        camera = None if view.camera is None else check_transform(view.camera)
        return View(frame, background, score, mask, flow, camera)

    def _cues(self, view: View) -> npt.NDArray[np.float32]:
        """The small planes of the network's input, float32 (h, w, 6), for the frame filled up to the stride."""
        rows, columns = view.frame.shape[:2]
        inner = -(-rows // _CUE_SCALE), -(-columns // _CUE_SCALE)
        planes = np.zeros((*(-(-side // _STRIDE) * _STRIDE // _CUE_SCALE for side in (rows, columns)), 6), np.float32)
        for k, known in enumerate((view.background, view.score, view.flow_back), 3):
            planes[..., k] = known is not None
        if view.flow_back is not None:
            motion = motion_cues(view.flow_back, view.camera, view.frame.shape)
            planes[: inner[0], : inner[1], :2] = _fitted(motion, inner)
        if self._last is not None:
            size = self._last.shape
            flow = None if view.flow_back is None else _scaled_flow(view.flow_back, size)
            planes[: inner[0], : inner[1], 2] = _fitted(carried_along(self._last, flow), inner)
        return planes

    def _remember(self, view: View, shape: tuple[int, ...], answer: Any) -> Score:
        self._shape = shape
        self._answer = answer = answer if view.mask is None else self._trusting(view.mask, answer)
        score = self._picture(answer.foreground())
        size = _small(shape)
        self._last = np.asarray(cv2.resize(score, size[::-1], interpolation=cv2.INTER_AREA))
        return score

    def _trusting(self, mask: Mask, answer: Any) -> Any:
        """The answer, with the model's mask counted in as far as both have agreed until now."""
        if answer.mask.shape[1] > 1:
            return answer
        rows, columns = mask.shape
        own, found = mask == FOREGROUND, (answer.mask[0, 0, :rows, :columns] > 0).cpu().numpy()
        if not self._agreed.any():
            self._agreed[1] = _DOUBT * mask.size
        both = int(np.count_nonzero(own & found))
        self._agreed = _MEMORY * self._agreed + [both, np.count_nonzero(own) + np.count_nonzero(found) - both]
        low, high = _AGREES
        trust = _TRUST * min(max((self._agreed[0] / self._agreed[1] - low) / (high - low), 0.0), 1.0)
        return answer.leaning(own, trust) if trust else answer


def refine_together(refiners: Sequence[Refiner], views: Sequence[View]) -> list[Score]:
    """Refine the frames of several cameras at once: on a GPU, much faster than one after the other.

    Parameters
    ----------
    refiners : sequence of Refiner
        One for each camera. Those with the same weights, device and dtype, and frames of the same size, share a run.
    views : sequence of View
        The next frame of each.

    Returns
    -------
    list of float32 (H, W)
        As :meth:`Refiner.refine` gives.

    Raises
    ------
    FrameError
        Not as many views as refiners, or an array does not fit; no refiner is changed.
    ParameterError
        A camera's motion is no matrix that can be inverted; no refiner is changed.
    """
    if len(refiners) != len(views):
        raise FrameError(f"{len(refiners)} refiners have {len(views)} views")
    if len({id(refiner) for refiner in refiners}) < len(refiners):
        raise FrameError("a refiner is given twice: each camera has its own")
    checked = [refiner._checked(view) for refiner, view in zip(refiners, views, strict=True)]
    groups: dict[Any, list[int]] = {}
    for k, (refiner, view) in enumerate(zip(refiners, checked, strict=True)):
        groups.setdefault((id(refiner._engine), view.frame.shape, refiner.tile), []).append(k)
    scores: list[Any] = [None] * len(views)
    for rows in groups.values():
        engine: Engine = refiners[rows[0]]._engine
        answer = engine.answer_to([checked[k] for k in rows], [refiners[k]._cues(checked[k]) for k in rows],
                                  tile=refiners[rows[0]].tile)  # fmt: skip
        for place, k in enumerate(rows):
            own = type(answer)(*(part[place : place + 1] for part in answer))
            scores[k] = refiners[k]._remember(checked[k], np.shape(views[k].frame), own)
    return scores


def _engine(weights: str | Path, device: str, dtype: str, compile: bool) -> Engine:
    try:
        from motionseg.refine._engine import engine_for
        from motionseg.refine._weights import weights_path
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in {"torch", "safetensors"}:
            raise
        raise MissingExtraError("refinement", "pip install motionseg[refine]") from error
    return engine_for(weights_path(weights), device, dtype, compile)


def _color(frame: Frame) -> Frame:
    return np.ascontiguousarray(frame) if frame.ndim == 3 else cv2.merge([frame] * 3)


def _small(shape: tuple[int, ...]) -> tuple[int, int]:
    factor = min(1.0, _LAST_SIDE / min(shape[:2]))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _fitted(planes: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    if planes.shape[:2] == size:
        return planes
    shrinks = planes.shape[0] > size[0]
    return np.asarray(cv2.resize(planes, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def _scaled_flow(flow: Flow, size: tuple[int, ...]) -> Flow:
    if flow.shape[:2] == tuple(size):
        return flow
    ratio = np.array([size[1] / flow.shape[1], size[0] / flow.shape[0]], np.float32)
    return np.asarray(cv2.resize(flow, (size[1], size[0]), interpolation=cv2.INTER_LINEAR) * ratio)
