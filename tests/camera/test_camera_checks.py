"""A check that cannot fail is none: each is shown an estimator with the fault it looks for."""

from dataclasses import replace

import numpy as np
import pytest

from motionseg.camera import Motion, SparseCorners
from motionseg.core.errors import FrameError
from motionseg.testing import camera_models as checks
from motionseg.testing import check_camera_motion


class Ours(SparseCorners):
    """Without a fault."""


class ForgetsParameter(SparseCorners):
    def params(self):
        return {"model": "affine" if self.model == "homography" else "homography", "n_corners": self.n_corners}


class Inverts(SparseCorners):
    def _estimate(self, *args):
        motion = super()._estimate(*args)
        return replace(motion, transform=np.linalg.inv(motion.transform))


class NeverMoves(SparseCorners):
    def _estimate(self, *args):
        return Motion(np.eye(3), "found", 1.0, 0.0)


class WrongDtype(SparseCorners):
    def _estimate(self, *args):
        motion = super()._estimate(*args)
        return replace(motion, transform=motion.transform.astype(np.float32))


class DeafToGuess(SparseCorners):
    def _estimate(self, previous, current, exclude, guess):
        return super()._estimate(previous, current, exclude, np.eye(3))


class CountsFromStandstill(SparseCorners):
    def _estimate(self, previous, current, exclude, guess):
        motion = super()._estimate(previous, current, exclude, guess)
        return replace(motion, surprise=motion.surprise + float(np.hypot(*guess[:2, 2])))


class DeafToExclude(SparseCorners):
    def _estimate(self, previous, current, exclude, guess):
        return super()._estimate(previous, current, None, guess)


class MeanOfAll(SparseCorners):
    def _estimate(self, previous, current, exclude, guess):
        motion = super()._estimate(previous, current, exclude, guess)
        moved = motion.transform.copy()
        moved[:2, 2] *= 1 - 0.8 * (1 - motion.support)
        return replace(motion, transform=moved)


class AlwaysFinds(SparseCorners):
    def _estimate(self, *args):
        motion = super()._estimate(*args)
        return motion if motion.found else Motion(motion.transform, "found", 0.1)


class KnowsNoShots(SparseCorners):
    def _estimate(self, *args):
        motion = super()._estimate(*args)
        return replace(motion, verdict="lost") if motion.verdict == "shot_change" else motion


class Remembers(SparseCorners):
    def _estimate(self, previous, current, exclude, guess):
        motion = super()._estimate(getattr(self, "_last", previous), current, exclude, guess)
        self._last = current
        return motion


class Scribbles(SparseCorners):
    def estimate(self, previous, current, **options):
        motion = super().estimate(previous, current, **options)
        current[:] = 0
        return motion


class TakesAnything(SparseCorners):
    def estimate(self, previous, current, **options):
        try:
            return super().estimate(previous, current, **options)
        except FrameError:
            return Motion(np.eye(3), "lost")


FAULTS = [
    (checks.check_parameters, ForgetsParameter),
    (checks._check_shifts, Inverts),
    (checks._check_shifts, NeverMoves),
    (checks._check_shifts, WrongDtype),
    (checks._check_guess, DeafToGuess),
    (checks._check_guess, CountsFromStandstill),
    (checks._check_exclude, DeafToExclude),
    (checks._check_movers, MeanOfAll),
    (checks._check_degenerate, AlwaysFinds),
    (checks._check_degenerate, KnowsNoShots),
    (checks._check_manners, Remembers),
    (checks._check_manners, Scribbles),
    (checks._check_bad_input, TakesAnything),
]


def test_an_estimator_without_a_fault_passes():
    check_camera_motion(Ours())


@pytest.mark.parametrize("model", ["translation", "similarity", "affine"])
def test_every_model_passes(model):
    check_camera_motion(SparseCorners(model=model))


@pytest.mark.parametrize(("check", "fault"), FAULTS, ids=lambda value: value.__name__)
def test_a_fault_is_found(check, fault):
    with pytest.raises(AssertionError, match=fault.__name__):
        check(fault())


def test_every_check_is_shown_a_fault():
    assert {check for check, _ in FAULTS} == set(checks.CAMERA_CHECKS)
