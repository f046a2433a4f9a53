"""A check that cannot fail is none: each is shown an object with the fault it looks for."""

from contextlib import suppress

import numpy as np
import pytest

from motionseg.background.base import BackgroundModel
from motionseg.core.catalog import ModelInfo
from motionseg.core.errors import FrameError
from motionseg.core.parallel import run_strips
from motionseg.testing import BACKGROUND_CHECKS, LINKER_CHECKS, check_background_model, check_linker
from motionseg.testing import background_models as checks
from motionseg.testing import linkers as linker_checks
from motionseg.track import KalmanIoU


class Mean(BackgroundModel):
    """A running mean without a fault."""

    info = ModelInfo(paper="none", speed="fast", good_at="nothing")
    _arrays = ("_mean",)

    def __init__(self, *, threshold: float = 40.0) -> None:
        self.threshold = threshold

    def _start(self, frame):
        self._mean = frame.astype(np.float32)

    def _step(self, frame, mask, score, learning_rate):
        rate = 0.05 if learning_rate is None else learning_rate
        run_strips(self._rows, len(frame), frame, mask, score, np.float32(rate), pixels_per_unit=frame.shape[1])

    def _rows(self, start, stop, frame, mask, score, rate):
        rows = slice(start, stop)
        distance = np.abs(frame[rows] - self._mean[rows]).reshape(stop - start, frame.shape[1], -1).max(axis=2)
        score[rows] = distance / (distance + np.float32(self.threshold))
        mask[rows] = np.where(score[rows] >= 0.5, 255, 0)
        self._mean[rows] += rate * (frame[rows] - self._mean[rows])

    def background(self):
        self._require_started()
        return self._mean.round().astype(np.uint8)


def test_a_model_without_a_fault_passes():
    check_background_model(Mean())


class WrongValues(Mean):
    def _step(self, *args):
        super()._step(*args)
        args[1][args[1] == 255] = 1


class ScoreBesideMask(Mean):
    def _step(self, *args):
        super()._step(*args)
        args[2][...] *= 0.9


class Blind(Mean):
    def _step(self, *args):
        super()._step(*args)
        args[1][...], args[2][...] = 0, 0


class Alarmist(Mean):
    def _step(self, *args):
        super()._step(*args)
        args[1][...], args[2][...] = 255, 1


class DeafToMaskArgument(Mean):
    def apply(self, frame, fgmask=None, learningRate=-1.0, **kwargs):  # noqa: N803
        return super().apply(frame, None, learningRate, **kwargs)


class ForgetsParameter(Mean):
    def __init__(self, *, threshold=40.0):
        super().__init__(threshold=threshold + 1)


class ChangesFrame(Mean):
    def apply(self, frame, *args, **kwargs):
        mask = super().apply(frame, *args, **kwargs)
        if isinstance(frame, np.ndarray) and frame.flags.writeable:
            frame[0, 0] = 0
        return mask


class KeepsFrame(Mean):
    _arrays = ("_mean", "_last")
    _last = None

    def _start(self, frame):
        super()._start(frame)
        self._last = frame

    def _step(self, frame, mask, score, learning_rate):
        super()._step(self._last, mask, score, learning_rate)  # one frame late, if it was not changed meanwhile
        self._last = frame


class KeepsMask(Mean):
    _kept = None

    def apply(self, frame, *args, **kwargs):
        mask = super().apply(frame, *args, **kwargs)
        if self._kept is not None and self._kept.shape == mask.shape:
            mask |= self._kept
        self._kept = mask
        return mask

    def reset(self):
        super().reset()
        self._kept = None


class LearnsWhenFrozen(Mean):
    def _step(self, frame, mask, score, learning_rate):
        super()._step(frame, mask, score, 0.001 if learning_rate == 0 else learning_rate)


class CountsWhenFrozen(Mean):
    _arrays = ("_mean", "_calls")
    _global_arrays = ("_calls",)

    def _start(self, frame):
        super()._start(frame)
        self._calls = np.zeros(1, np.int64)

    def _step(self, *args):
        super()._step(*args)
        self._calls += 1


class LearnsKnown(Mean):
    def apply(self, frame, *args, known_foreground=None, **kwargs):
        mask = super().apply(frame, *args, **kwargs)
        if known_foreground is not None:
            mask[known_foreground] = 255
            self._score[known_foreground] = 1
        return mask


class ForgetsArray(Mean):
    """Has a second array that its state does not name."""

    def _start(self, frame):
        super()._start(frame)
        self._offset = 0.0

    def _step(self, frame, mask, score, learning_rate):
        self._offset += 0.2
        rate = 0.05 if learning_rate is None else learning_rate
        super()._step(frame, mask, score, rate and min(1, rate * self._offset))

    def reset(self):
        super().reset()
        self._offset = 0.0


class TakesAnyState(Mean):
    def load_state(self, state):
        if "mean" in state:
            self._mean = state["mean"]
            self._shape, self._frames_seen = tuple(state["mean"].shape), 1


class Random(Mean):
    def _step(self, *args):
        super()._step(*args)
        noise = np.random.default_rng().random(args[1].shape) < 0.01
        args[1][noise], args[2][noise] = 255, 0.9


class SeesItsStrip(Mean):
    def _rows(self, start, stop, frame, mask, score, rate):
        super()._rows(start, stop, frame, mask, score, rate)
        mask[start], score[start] = 0, 0  # as a filter does that stops at the strip's edge


class WantsContiguous(Mean):
    def apply(self, frame, *args, **kwargs):
        if isinstance(frame, np.ndarray) and not frame.flags.c_contiguous:
            frame = frame.ravel(order="K")[: frame.size].reshape(frame.shape)
        return super().apply(frame, *args, **kwargs)


class WantsWriteable(Mean):
    def apply(self, frame, *args, **kwargs):
        if isinstance(frame, np.ndarray) and not frame.flags.writeable:
            raise FrameError("cannot take a read-only frame")
        return super().apply(frame, *args, **kwargs)


class ResetsHalf(Mean):
    def reset(self):
        seen = self._frames_seen
        super().reset()
        self._frames_seen = seen

    def _step(self, frame, mask, score, learning_rate):
        rate = 1 / (1 + self._frames_seen) if learning_rate is None else learning_rate
        super()._step(frame, mask, score, rate)


class Shared(Mean):
    common = np.zeros((), np.float32)

    def _step(self, frame, mask, score, learning_rate):
        Shared.common = (self.common + frame.mean()) / 2
        super()._step(frame, mask, score, learning_rate)
        score[...] = score * 0.999 + 0.0001 * (Shared.common % 1)
        mask[...] = np.where(score >= 0.5, 255, 0)


class TakesAnyFrame(Mean):
    def apply(self, frame, *args, **kwargs):
        if isinstance(frame, np.ndarray) and frame.dtype == np.float32:
            frame = frame.astype(np.uint8)
        return super().apply(frame, *args, **kwargs)


class CountsRefused(Mean):
    _refused = 0

    def apply(self, frame, *args, **kwargs):
        try:
            return super().apply(frame, *args, **kwargs)
        except FrameError:
            self._mean += 3
            raise


class Hoards(Mean):
    def _step(self, frame, mask, score, learning_rate):
        super()._step(frame, mask, score, learning_rate)
        self.__dict__.setdefault("_history", []).append(frame.copy())


class LeaksSlowly(Mean):
    def _step(self, frame, mask, score, learning_rate):
        super()._step(frame, mask, score, learning_rate)
        self.__dict__.setdefault("_times", []).append(np.zeros(20))


class BoundToItsThread(Mean):
    def __init__(self, *, threshold: float = 40.0) -> None:
        import threading

        super().__init__(threshold=threshold)
        self._home = threading.get_ident()

    def _step(self, *args):
        import threading

        if threading.get_ident() != self._home:
            raise RuntimeError("used from another thread")
        super()._step(*args)


class RestartsAll(Mean):
    def restart(self, frame, pixels):
        super().restart(frame, np.asarray(pixels) | np.any(pixels))


class RestartsNone(Mean):
    def restart(self, frame, pixels):
        super().restart(frame, np.zeros_like(pixels))


class CellsOfNeighbours(Mean):
    def _cells(self, pixels):
        return {"_mean": (pixels[0], (pixels[1] + 9) % self._shape[1])}


class WarpsBack(Mean):
    def warp(self, transform, frame):
        with suppress(np.linalg.LinAlgError, ValueError):
            super().warp(np.linalg.inv(transform), frame)
        return super().warp(transform, frame)


class KeepsUncovered(Mean):
    def warp(self, transform, frame):
        return super().warp(transform, np.repeat(frame[:1], len(frame), axis=0))


class SaysNothingOfUncovered(Mean):
    def warp(self, transform, frame):
        return np.zeros_like(super().warp(transform, frame))


class StartsOnTheFirst(Mean):
    def bootstrap(self, frames):
        super().bootstrap(frames)
        return super().bootstrap(frames[:1])


class LearnsObjects(Mean):
    def bootstrap(self, frames):
        super().bootstrap(frames)
        for frame in frames:
            self.apply(frame, learning_rate=0.3)
        self._score = None
        return self


class ShowsNoBackground(Mean):
    def background(self):
        return np.full_like(super().background(), 110)


class KeepsGhosts(Mean):
    def _step(self, frame, mask, score, learning_rate):
        super()._step(frame, mask, score, 0.01 if learning_rate is None else learning_rate)

    def restart(self, frame, pixels):
        super().restart(frame, np.zeros_like(pixels))


class HidesFromGuard(Mean):
    """Knows no foreground but what a guard leaves to it: nothing dark."""

    def _step(self, frame, mask, score, learning_rate):
        super()._step(frame, mask, score, learning_rate)
        dark = frame.max(axis=-1) < 100
        mask[dark], score[dark] = 0, 0


PLANTED = [
    (WrongValues, checks._check_mask_contract),
    (ScoreBesideMask, checks._check_mask_contract),
    (Blind, checks._check_mask_contract),
    (Alarmist, checks._check_mask_contract),
    (DeafToMaskArgument, checks._check_cv2_names),
    (ForgetsParameter, checks.check_parameters),
    (ChangesFrame, checks._check_input_left_alone),
    (KeepsFrame, checks._check_input_left_alone),
    (KeepsMask, checks._check_input_left_alone),
    (LearnsWhenFrozen, checks._check_freeze),
    (CountsWhenFrozen, checks._check_freeze),
    (LearnsKnown, checks._check_known_foreground),
    (ForgetsArray, checks._check_state_round_trip),
    (TakesAnyState, checks._check_state_round_trip),
    (Random, checks._check_same_seed),
    (SeesItsStrip, checks._check_any_thread_count),
    (WantsContiguous, checks._check_memory_layouts),
    (WantsWriteable, checks._check_memory_layouts),
    (ResetsHalf, checks._check_reset),
    (Shared, checks._check_interleaved),
    (TakesAnyFrame, checks._check_bad_input_refused),
    (CountsRefused, checks._check_bad_input_refused),
    (Hoards, checks._check_memory_bounded),
    (LeaksSlowly, checks._check_memory_bounded),
    (BoundToItsThread, checks._check_threads),
    (RestartsAll, checks.check_restart),
    (RestartsNone, checks.check_restart),
    (CellsOfNeighbours, checks.check_restart),
    (WarpsBack, checks.check_warp),
    (KeepsUncovered, checks.check_warp),
    (SaysNothingOfUncovered, checks.check_warp),
    (StartsOnTheFirst, checks.check_bootstrap),
    (LearnsObjects, checks.check_bootstrap),
    (ShowsNoBackground, checks.check_light),
    (KeepsGhosts, checks.check_ghosts),
    (ShowsNoBackground, checks.check_shadows),
    (HidesFromGuard, checks.check_shadows),
]


@pytest.mark.parametrize(("model", "check"), PLANTED, ids=lambda x: x.__name__.removeprefix("_check_"))
def test_a_planted_bug_is_caught(model, check):
    with pytest.raises(AssertionError, match=model.__name__):
        check(model())


def test_every_check_has_its_bug():
    assert {check for _, check in PLANTED} == set(BACKGROUND_CHECKS)


# --- linkers -----------------------------------------------------------------------------------


class ReusesIds(KalmanIoU):
    def update(self, regions, time):
        tracks = super().update(regions, time)
        if not len(tracks):
            self._next_id = 1
        return tracks


class NeverEnds(KalmanIoU):
    def __init__(self, *, max_gap=1e9):
        super().__init__(max_gap=max_gap)


class LosesParameter(KalmanIoU):
    def params(self):
        return {**super().params(), "margin": np.random.default_rng().random()}


class ByRow(KalmanIoU):
    """Takes the regions' order for their identity."""

    def _assign(self, regions, labels):
        n = min(len(self._tracks), len(regions))
        return np.arange(n), np.arange(n)


class ChangesRegions(KalmanIoU):
    def update(self, regions, time, **more):
        tracks = super().update(regions, time, **more)
        regions.boxes[:] += 1
        return tracks


class LendsState(KalmanIoU):
    def state(self):
        return {**super().state(), "means": self._rows["means"]}


class ForgetsIds(KalmanIoU):
    def load_state(self, state):
        super().load_state(state)
        self._next_id = 1


class KeepsIds(KalmanIoU):
    def reset(self):
        next_id = getattr(self, "_next_id", 1)
        super().reset()
        self._next_id = next_id


class AnyTime(KalmanIoU):
    def update(self, regions, time, **more):
        return super().update(regions, max(time or 0, self._time + 0.01), **more)


class StandsStill(KalmanIoU):
    """Believes that no camera moves."""

    def _move(self, camera):
        pass


class OwnsAll(KalmanIoU):
    """Says of every pixel that it is the first track's."""

    def update(self, regions, time, *, labels=None, **more):
        self._size = None if labels is None else labels.shape
        return super().update(regions, time, labels=labels, **more)

    def identities(self):
        return None if self._size is None else np.ones(self._size, np.int32)


class HoardsTracks(KalmanIoU):
    def update(self, regions, time, **more):
        self.__dict__.setdefault("_past", []).append(time)
        return super().update(regions, time, **more)

    def state(self):
        return {**super().state(), "past": np.array(getattr(self, "_past", []))}

    def load_state(self, state):
        super().load_state(state)
        self._past = state["past"].tolist()


PLANTED_LINKERS = [
    (ReusesIds, linker_checks._check_tracks_contract),
    (NeverEnds, linker_checks._check_tracks_contract),
    (LosesParameter, linker_checks.check_parameters),
    (ByRow, linker_checks._check_ids_last),
    (ChangesRegions, linker_checks._check_regions_left_alone),
    (LendsState, linker_checks._check_regions_left_alone),
    (ForgetsIds, linker_checks._check_linker_state),
    (KeepsIds, linker_checks._check_linker_reset),
    (AnyTime, linker_checks._check_time_increases),
    (StandsStill, linker_checks._check_camera_is_taken_off),
    (OwnsAll, linker_checks._check_pixels),
    (HoardsTracks, linker_checks._check_linker_memory),
]


def test_a_linker_without_a_fault_passes():
    check_linker(KalmanIoU())


@pytest.mark.parametrize(("linker", "check"), PLANTED_LINKERS, ids=lambda x: x.__name__.removeprefix("_check_"))
def test_a_planted_bug_in_a_linker_is_caught(linker, check):
    with pytest.raises(AssertionError, match=linker.__name__):
        check(linker())


def test_every_linker_check_has_its_bug():
    assert {check for _, check in PLANTED_LINKERS} == set(LINKER_CHECKS)
