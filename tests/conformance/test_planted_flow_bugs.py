"""A check that cannot fail is none: each is shown a flow estimator with the fault it looks for."""

import threading

import numpy as np
import pytest

from motionseg.core.errors import FrameError
from motionseg.core.parallel import get_num_threads
from motionseg.flow import OpenCVDIS
from motionseg.testing import FLOW_CHECKS, check_flow_estimator
from motionseg.testing import flow_estimators as checks


class Ours(OpenCVDIS):
    """Without a fault."""


class ForgetsParameter(OpenCVDIS):
    def params(self):
        return {"preset": "fast" if self.preset == "medium" else "medium"}


class WrongDtype(OpenCVDIS):
    def _estimate(self, *args):
        return super()._estimate(*args).astype(np.float64)


class WrongShape(OpenCVDIS):
    def _estimate(self, *args):
        return super()._estimate(*args).transpose(2, 0, 1)


class NotFinite(OpenCVDIS):
    def _estimate(self, previous, current):
        flow = super()._estimate(previous, current)
        flow[(previous == 0) & (current == 255)] = np.nan
        return flow


class NeverMoves(OpenCVDIS):
    def _estimate(self, *args):
        return super()._estimate(*args) * 0


class Backwards(OpenCVDIS):
    def _estimate(self, previous, current):
        return super()._estimate(current, previous)


class RowsFirst(OpenCVDIS):
    def _estimate(self, *args):
        return np.ascontiguousarray(super()._estimate(*args)[..., ::-1])


class OfTheSecondFrame(OpenCVDIS):
    def _estimate(self, previous, current):
        return -super()._estimate(current, previous)


class TooShort(OpenCVDIS):
    def _estimate(self, *args):
        return super()._estimate(*args) * np.float32(0.8)


class Drifts(OpenCVDIS):
    def _estimate(self, *args):
        return super()._estimate(*args) + np.float32(0.06)


class Guesses(OpenCVDIS):
    def _estimate(self, previous, current):
        flow = super()._estimate(previous, current)
        return flow + np.float32(1) if previous.min() == previous.max() else flow


class Scribbles(OpenCVDIS):
    def estimate(self, previous, current):
        flow = super().estimate(previous, current)
        if current.flags.writeable:
            current[0] = 0
        return flow


class WantsWriteable(OpenCVDIS):
    def _estimate(self, previous, current):
        previous.flags.writeable = True  # of a view that does not own its memory: ValueError
        return super()._estimate(previous, current)

    def estimate(self, previous, current):
        if isinstance(previous, np.ndarray) and not previous.flags.writeable:
            raise FrameError("cannot take a read-only frame")
        return super().estimate(previous, current)


class KeepsFrame(OpenCVDIS):
    _kept = None

    def _estimate(self, previous, current):
        if self._kept is None:
            self._kept = current
        return super()._estimate(previous, self._kept if self._kept.shape == current.shape else current)


class LendsBuffer(OpenCVDIS):
    _buffer = np.zeros(0, np.float32)

    def _estimate(self, *args):
        flow = super()._estimate(*args)
        if self._buffer.shape != flow.shape:
            self._buffer = np.empty_like(flow)
        self._buffer[:] = flow
        return self._buffer


class ReadOnly(OpenCVDIS):
    def _estimate(self, *args):
        flow = super()._estimate(*args)
        flow.flags.writeable = False
        return flow


class Caches(OpenCVDIS):
    def _estimate(self, previous, current):
        answers, key = self.__dict__.setdefault("_answers", {}), (previous.tobytes(), current.tobytes())
        if key not in answers:
            answers[key] = super()._estimate(previous, current)
        return answers[key]


class WarmStart(OpenCVDIS):
    _last = np.float32(0)

    def _estimate(self, *args):
        flow = super()._estimate(*args) + np.float32(0.01) * self._last
        self._last = flow.mean()
        return flow


class Random(OpenCVDIS):
    def _estimate(self, *args):
        flow = super()._estimate(*args)
        return flow + np.random.default_rng().normal(0, 1e-3, flow.shape).astype(np.float32)


class WantsContiguous(OpenCVDIS):
    def estimate(self, previous, current):
        if isinstance(previous, np.ndarray) and previous.ndim == 2 and not previous.flags.c_contiguous:
            previous = previous.ravel(order="K").reshape(previous.shape)
        return super().estimate(previous, current)


class BoundToItsThread(OpenCVDIS):
    def __init__(self, *, preset="medium"):
        super().__init__(preset=preset)
        self._home = threading.get_ident()

    def _estimate(self, *args):
        return super()._estimate(*args) if threading.get_ident() == self._home else super()._estimate(*args) * 0


class SeesItsStrip(OpenCVDIS):
    def _estimate(self, *args):
        flow = super()._estimate(*args)
        flow[len(flow) // get_num_threads() - 1] += 0.01
        return flow


class TakesAnything(OpenCVDIS):
    def estimate(self, previous, current):
        try:
            return super().estimate(previous, current)
        except FrameError:
            return np.zeros((*np.shape(previous)[:2], 2), np.float32)


class TakesFloats(OpenCVDIS):
    def estimate(self, previous, current):
        if isinstance(previous, np.ndarray) and previous.dtype == np.float32:
            previous, current = previous.astype(np.uint8), current.astype(np.uint8)
        return super().estimate(previous, current)


class CropsToFit(OpenCVDIS):
    def estimate(self, previous, current):
        if isinstance(current, np.ndarray) and current.ndim == previous.ndim == 2 and current.size:
            height, width = np.minimum(previous.shape, current.shape)
            previous, current = previous[:height, :width], current[:height, :width]
        return super().estimate(previous, current)


class WrongError(OpenCVDIS):
    def estimate(self, previous, current):
        try:
            return super().estimate(previous, current)
        except FrameError as error:
            raise RuntimeError("something went wrong") from error


PLANTED = [
    (checks.check_parameters, ForgetsParameter),
    (checks._check_flow_contract, WrongDtype),
    (checks._check_flow_contract, WrongShape),
    (checks._check_flow_contract, NotFinite),
    (checks._check_shifts_found, NeverMoves),
    (checks._check_shifts_found, Backwards),
    (checks._check_shifts_found, RowsFirst),
    (checks._check_shifts_found, TooShort),
    (checks._check_zoom_found, OfTheSecondFrame),
    (checks._check_zoom_found, NeverMoves),
    (checks._check_stillness, Drifts),
    (checks._check_stillness, Guesses),
    (checks._check_frames_left_alone, Scribbles),
    (checks._check_frames_left_alone, WantsWriteable),
    (checks._check_frames_left_alone, KeepsFrame),
    (checks._check_flow_is_the_callers, LendsBuffer),
    (checks._check_flow_is_the_callers, ReadOnly),
    (checks._check_flow_is_the_callers, Caches),
    (checks._check_same_answers, WarmStart),
    (checks._check_same_answers, Random),
    (checks._check_same_answers, WantsContiguous),
    (checks._check_same_answers, BoundToItsThread),
    (checks._check_any_thread_count, SeesItsStrip),
    (checks._check_bad_frames_refused, TakesAnything),
    (checks._check_bad_frames_refused, TakesFloats),
    (checks._check_bad_frames_refused, CropsToFit),
    (checks._check_bad_frames_refused, WrongError),
]


def test_an_estimator_without_a_fault_passes():
    check_flow_estimator(Ours())


@pytest.mark.parametrize(("check", "fault"), PLANTED, ids=lambda value: value.__name__.removeprefix("_check_"))
def test_a_planted_bug_is_caught(check, fault):
    with pytest.raises(AssertionError, match=fault.__name__):
        check(fault())


def test_every_check_has_its_bug():
    assert {check for check, _ in PLANTED} == set(FLOW_CHECKS)
