"""The checks of flow clusterers can fail: each is shown one with the fault it looks for."""

import cv2
import numpy as np
import pytest

from motionseg.cluster import FlowClusterer
from motionseg.core.catalog import ModelInfo
from motionseg.testing import CLUSTER_CHECKS, check_flow_clusterer
from motionseg.testing import flow_clusterers as checks


class Fast(FlowClusterer):
    """What is faster than a threshold and does not fill the picture; without a fault."""

    info = ModelInfo(paper="none", speed="fast", good_at="nothing")

    def __init__(self, *, threshold: float = 1.0) -> None:
        self.threshold = threshold

    def _segment(self, flow, residual, valid, frame):
        fast = (np.hypot(residual[..., 0], residual[..., 1]) > self.threshold) & valid
        if fast[valid].mean() > 0.9 if valid.any() else True:
            return np.zeros(flow.shape[:2], np.int32)
        return cv2.connectedComponents(fast.astype(np.uint8))[1]


def test_a_clusterer_without_a_fault_passes():
    check_flow_clusterer(Fast())


class ForgetsParameter(Fast):
    def __init__(self, *, threshold=1.0):
        super().__init__(threshold=threshold + 1)


class LabelsConstantFlow(Fast):
    def _segment(self, flow, residual, valid, frame):
        return (np.hypot(residual[..., 0], residual[..., 1]) > self.threshold).astype(np.int32)


class LabelsNoise(Fast):
    def _segment(self, flow, residual, valid, frame):
        return super()._segment(flow, residual * 30, valid, frame)


class IgnoresCamera(Fast):
    def _segment(self, flow, residual, valid, frame):
        return super()._segment(flow, flow - np.median(flow, axis=(0, 1)), valid, frame)


class IgnoresCameraFlow(Fast):
    def segment(self, flow, *, camera=None, **more):
        return super().segment(flow, camera=np.eye(3) if np.ndim(camera) == 3 else camera, **more)


class Blind(Fast):
    def _segment(self, flow, residual, valid, frame):
        return np.zeros(flow.shape[:2], np.int32)


class NeedsNoFrame(Fast):
    def _segment(self, flow, residual, valid, frame):
        return (
            np.zeros(flow.shape[:2], np.int32) if frame is not None else super()._segment(flow, residual, valid, None)
        )


class Crumbles(Fast):
    def _segment(self, flow, residual, valid, frame):
        labels = super()._segment(flow, residual, valid, frame)
        columns = np.arange(labels.shape[1])
        return np.where(labels > 0, 1 + columns // 5, 0)


class OnePart(Fast):
    def _segment(self, flow, residual, valid, frame):
        return np.minimum(super()._segment(flow, residual, valid, frame), 1)


class LargestOnly(Fast):
    def segment(self, *args, **more):
        labels = super().segment(*args, **more)
        labels[labels > 1] = 0
        return labels


class IgnoresValid(Fast):
    def segment(self, flow, *, valid=None, **more):
        return super().segment(flow, **more)


class SpoiledByInvalid(Fast):
    def _segment(self, flow, residual, valid, frame):
        speed = np.hypot(residual[..., 0], residual[..., 1])
        return super()._segment(flow, residual if speed.max() < 50 else 0 * residual, valid, frame)


class Unordered(Fast):
    def segment(self, *args, **more):
        labels = super().segment(*args, **more)
        return np.where(labels > 0, labels.max() + 1 - labels, 0).astype(np.int32)


class Gaps(Fast):
    def segment(self, *args, **more):
        return 2 * super().segment(*args, **more)


class WrongType(Fast):
    def segment(self, *args, **more):
        return super().segment(*args, **more).astype(np.uint8)


class BreaksWhenSmall(Fast):
    def _segment(self, flow, residual, valid, frame):
        if min(flow.shape[:2]) < 2:
            raise AssertionError("BreaksWhenSmall: a picture has two rows")
        return super()._segment(flow, residual, valid, frame)


class ChangesFlow(Fast):
    def segment(self, flow, **more):
        labels = super().segment(flow, **more)
        flow[0, 0] += 1
        return labels


class ChangesCamera(Fast):
    def segment(self, flow, *, camera=None, **more):
        labels = super().segment(flow, camera=camera, **more)
        if isinstance(camera, np.ndarray):
            camera[0, 0] = 7
        return labels


class KeepsOutput(Fast):
    _labels = None

    def segment(self, flow, **more):
        labels = super().segment(flow, **more)
        if self._labels is None or self._labels.shape != labels.shape:
            self._labels = np.zeros_like(labels)
        self._labels[...] = labels
        return self._labels


class DrawsLots(Fast):
    def _segment(self, flow, residual, valid, frame):
        labels = super()._segment(flow, residual, valid, frame)
        labels[np.random.rand(*labels.shape) < 0.01] = 0  # noqa: NPY002
        return labels


class Remembers(Fast):
    _last = None

    def _segment(self, flow, residual, valid, frame):
        labels = super()._segment(flow, residual, valid, frame)
        if self._last is not None and labels.any():
            labels[:, 60:] = 0
        self._last = labels
        return labels


class LooksAtLayout(Fast):
    def segment(self, flow, **more):
        labels = super().segment(flow, **more)
        if not flow.flags.c_contiguous:
            labels[:, 60:] = 0
        return labels


class TakesAnything(Fast):
    def segment(self, flow, **more):
        if not isinstance(flow, np.ndarray) or flow.dtype.kind != "f":
            return np.zeros((3, 3), np.int32)
        return super().segment(flow, **more)


class TakesAnyCamera(Fast):
    def segment(self, flow, *, camera=None, **more):
        return super().segment(flow, camera=None if np.shape(camera) == (2, 2) else camera, **more)


class TakesAnyFrame(Fast):
    def segment(self, flow, *, frame=None, **more):
        return super().segment(flow, **more)


CAUGHT_BY = {
    ForgetsParameter: "check_parameters",
    LabelsConstantFlow: "_check_rest",
    LabelsNoise: "_check_rest",
    IgnoresCamera: "_check_camera",
    IgnoresCameraFlow: "_check_camera",
    Blind: "_check_square",
    NeedsNoFrame: "_check_square",
    Crumbles: "_check_square",
    OnePart: "_check_two",
    LargestOnly: "_check_two",
    IgnoresValid: "_check_valid",
    SpoiledByInvalid: "_check_valid",
    Unordered: "_check_two",
    Gaps: "_check_square",
    WrongType: "_check_square",
    BreaksWhenSmall: "_check_sizes",
    ChangesFlow: "_check_manners",
    ChangesCamera: "_check_manners",
    KeepsOutput: "_check_manners",
    DrawsLots: "_check_manners",
    Remembers: "_check_manners",
    LooksAtLayout: "_check_manners",
    TakesAnything: "_check_bad_input",
    TakesAnyCamera: "_check_bad_input",
    TakesAnyFrame: "_check_bad_input",
}


@pytest.mark.parametrize("faulty", CAUGHT_BY, ids=lambda faulty: faulty.__name__)
def test_the_check_sees_the_fault(faulty):
    with pytest.raises(AssertionError, match=faulty.__name__):
        getattr(checks, CAUGHT_BY[faulty])(faulty())


def test_every_check_is_shown_a_fault():
    assert {check.__name__ for check in CLUSTER_CHECKS} == set(CAUGHT_BY.values())
