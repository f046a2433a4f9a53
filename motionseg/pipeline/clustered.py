"""Any flow clusterer behind a camera that moves: from frame to frame, with parts that keep their numbers."""

from __future__ import annotations

import copy
import math
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.background._parts import matching_arrays
from motionseg.background.base import BackgroundModel
from motionseg.cluster import LabelIdentity
from motionseg.cluster.base import FlowClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.core.channels import channel_max
from motionseg.core.errors import ParameterError
from motionseg.core.jit import kernel
from motionseg.core.types import BACKGROUND, FOREGROUND, Flow, Frame, Labels, Mask, Score
from motionseg.flow.base import FlowEstimator
from motionseg.pipeline._frame_pairs import _FLOW_SIDE, FramePairs, resized

__all__ = ["Clustered"]

C = TypeVar("C", bound="Clustered")

_ASTRAY = 1.0  # pixels: what comes back farther from where it left has only come into view


@kernel
def _reverse(flow, camera, surprise, out):
    """Where `flow` leads, `out` leads back; elsewhere it stays. Not for strips.

    Of several that arrive in one place that one counts which moves least like the `camera`: the others are what it has
    uncovered. surprise (H, W), -1 at first, is that difference, squared.
    """
    height, width = flow.shape[:2]
    for y in range(height):
        for x in range(width):
            u, v = flow[y, x, 0], flow[y, x, 1]
            to_x, to_y = math.floor(x + u + 0.5), math.floor(y + v + 0.5)
            if 0 <= to_x < width and 0 <= to_y < height:
                row, column = int(to_y), int(to_x)
                du, dv = u - camera[y, x, 0], v - camera[y, x, 1]
                own = du * du + dv * dv
                if own > surprise[row, column]:
                    surprise[row, column] = own
                    out[row, column, 0], out[row, column, 1] = -u, -v


class Clustered(FramePairs):
    """Lets any flow clusterer find what moves by itself while the camera moves, from the second frame on.

    Parameters
    ----------
    clusterer : FlowClusterer
        Tells the parts apart: a clone of it.
    estimator : FlowEstimator, optional
        Default ``OpenCVDIS()``.

    Raises
    ------
    ParameterError
        A part is of another kind.

    Attributes
    ----------
    labels : int32 (H, W) or None
        The parts of the last frame: 0 for what moves with the camera, else numbers from 1, with gaps, that stay with
        their part from frame to frame; the caller's. None before the first frame, and after a state was loaded.

    Notes
    -----
    Flow goes from the new frame back to the last one, at a shorter side of at most 480 pixels; a homography, fitted to
    most of it, is the camera; the clusterer sees both, and the new frame. Labels are enlarged by nearest pixels.
    Numbers are kept by `LabelIdentity`, with the same flow turned round: where several pixels meet, that one counts
    which moves least like the camera, and where none arrives the place is believed to move on as it did.

    A clusterer that follows points (`SpectralTrajectories`) needs flow forward in time: it is given the flow turned
    round and the last frame, and its labels are fetched along the flow. Such ones cannot tell what they remember, so
    there is no state then.

    Clusterers decide and do not weigh: the score is 1 in parts and 0 elsewhere, and says no more than the mask. Curves
    over thresholds are single points.

    Nothing but the last frame is looked at: what rests for a frame is background in it, and what differs in depth may
    move by itself. Memory: two frames and 4 bytes a pixel of the flow, and the labels.

    Examples
    --------
    >>> from motionseg.cluster import QuadraticLayers
    >>> rng = np.random.default_rng(0)
    >>> world = cv2.GaussianBlur(rng.integers(0, 256, (140, 220, 3), np.uint8), (0, 0), 2) * np.uint8(2)
    >>> thing = cv2.GaussianBlur(rng.integers(0, 256, (40, 40, 3), np.uint8), (0, 0), 2) * np.uint8(2)
    >>> model = Clustered(QuadraticLayers())
    >>> for i in range(4):
    ...     frame = world[10:130, 2 * i : 2 * i + 160].copy()  # the camera pans to the right
    ...     frame[40:80, 30 + 3 * i : 70 + 3 * i] = thing
    ...     mask = model.apply(frame)
    >>> int(mask[60, 60]), int(mask[100, 20]), int(model.labels[60, 60])
    (255, 0, 1)
    """

    info = ModelInfo(
        paper="see the clusterer inside", speed="slow", good_at="cameras that move; telling things apart by motion"
    )
    _arrays = ("_last", "_parts")
    _global_arrays = _arrays

    labels: Labels | None

    def __init__(self, clusterer: FlowClusterer, *, estimator: FlowEstimator | None = None) -> None:
        if not isinstance(clusterer, FlowClusterer):
            raise ParameterError(f"clusterer is a FlowClusterer, not {clusterer!r}")
        super().__init__(estimator)
        self.clusterer = clusterer
        self._clusterer = clusterer.clone()
        self._remembers = type(clusterer).reset is not FlowClusterer.reset
        if self._remembers:
            self._unsupported = FramePairs._unsupported | {"state"}
        self._identity = LabelIdentity()  # has seen all labels but those of the last frame
        self.labels = None

    def params(self) -> dict[str, Any]:
        return {"clusterer": self.clusterer, **super().params()}

    # --- one frame -------------------------------------------------------------------------

    def _start_pairs(self, frame: Frame) -> None:
        self._parts = np.zeros(resized(frame, _FLOW_SIDE).shape[:2], np.int32)  # of the last frame, as they were found
        self.labels = np.zeros(frame.shape[:2], np.int32)

    def _compare(self, frame: Frame, mask: Mask, score: Score, *, learn: bool) -> None:
        small, last = resized(frame, _FLOW_SIDE), resized(self._last, _FLOW_SIDE)
        back = self.estimator.estimate(small, last)
        fit = self._fit(back)
        camera, forward = fit.flow(back.shape), -back
        _reverse(back, camera, np.full(back.shape[:2], -1, np.float32), forward)
        if self._remembers:
            assert fit.transform is not None
            clusterer = self._clusterer if learn else copy.deepcopy(self._clusterer)
            before = clusterer.segment(forward, camera=np.linalg.inv(fit.transform), frame=last)
            parts = _fetched(before, back, forward)
        else:
            parts = self._clusterer.segment(back, camera=camera, frame=small)
        # Only now it is known where the last frame's parts have gone. An identity changes no array in place, so shallow
        # copies do; one of them says which numbers the parts of this frame have.
        identity = copy.copy(self._identity)
        identity.update(self._parts, forward)
        numbered = copy.copy(identity).update(parts, np.zeros_like(back))
        self.labels = numbered
        if numbered.shape != mask.shape:
            self.labels = np.asarray(cv2.resize(numbered, mask.shape[::-1], interpolation=cv2.INTER_NEAREST))
        mask[...] = np.where(self.labels > 0, np.uint8(FOREGROUND), np.uint8(BACKGROUND))
        score[...] = self.labels > 0
        if learn:
            self._parts, self._identity = parts, identity

    # --- state -------------------------------------------------------------------------------

    def reset(self) -> None:
        super().reset()
        self._clusterer.reset()
        self._identity.reset()
        self.labels = None

    def memory(self) -> int:
        held = [vars(self._clusterer), vars(self._identity)]
        return super().memory() + sum(
            value.nbytes for part in held for value in part.values() if isinstance(value, np.ndarray)
        )

    def state(self) -> dict[str, npt.NDArray[Any]]:
        state = super().state()
        if self._shape is not None:
            state |= _told(self._identity, self._parts)
        return state

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        fresh = self.clone()
        BackgroundModel.load_state(fresh, state)
        if fresh._shape is not None:
            _tell(fresh._identity, state, fresh._parts)
        self.reset()
        vars(self).update(vars(fresh))


def _fetched(labels: Labels, flow: Flow, back: Flow) -> Labels:
    """`labels` (H, W) from where `flow` leads; 0 from outside, and where `back` does not lead back from there."""
    x = flow[..., 0] + np.arange(flow.shape[1], dtype=np.float32)
    y = flow[..., 1] + np.arange(flow.shape[0], dtype=np.float32)[:, None]
    # OpenCV knows no int32 here; numbers of parts are exact in float32.
    found = np.asarray(cv2.remap(labels.astype(np.float32), x, y, cv2.INTER_NEAREST), np.int32)
    astray = channel_max(np.abs(np.asarray(cv2.remap(back, x, y, cv2.INTER_NEAREST)) + flow))
    return np.where(astray <= _ASTRAY, found, 0)


def _told(identity: LabelIdentity, parts: Labels) -> dict[str, npt.NDArray[Any]]:
    """What an identity of labels like `parts` knows, as arrays."""
    carried = np.zeros_like(parts) if identity._carried is None else identity._carried.copy()
    missing = np.array(sorted(identity._missing.items()), np.int64).reshape(-1, 2)
    return {"identity.carried": carried, "identity.missing": missing, "identity.next": np.array(identity._next)}


def _tell(identity: LabelIdentity, state: dict[str, npt.NDArray[Any]], parts: Labels) -> None:
    """Let it know what was `_told`."""
    born, missing = _told(identity, parts), state.get("identity.missing")
    if isinstance(missing, np.ndarray) and missing.ndim == 2:  # as many rows as there were parts
        born["identity.missing"] = np.zeros((len(missing), 2), np.int64)
    found = matching_arrays(identity, born, state)
    identity._carried, identity._next = found["identity.carried"], int(found["identity.next"])
    identity._missing = {int(number): int(gap) for number, gap in found["identity.missing"]}
