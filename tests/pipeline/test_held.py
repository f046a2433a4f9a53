"""What has come to stand is kept from being learned, and no longer than it stands."""

import cv2
import numpy as np
import pytest
from drawn_scenes import BLUE, FPS, RED, Thing, straight, through

from motionseg.background import RunningAverage
from motionseg.core.errors import ParameterError
from motionseg.core.types import FOREGROUND, TrackState
from motionseg.flow import OpenCVDIS
from motionseg.pipeline import MotionSegmenter
from motionseg.pipeline._held import Held
from motionseg.track import Linker, MaskFlow

SHAPE = (120, 260)
WALL = np.random.default_rng(0).integers(110, 140, (*SHAPE, 3)).astype(np.uint8)


def film(things, seconds):
    for i in range(round(seconds * FPS)):
        frame = WALL.copy()
        for thing in things:
            frame[thing.pixels(i / FPS)] = thing.color
        yield i / FPS, frame


def car(*, leaves=1e9):
    """Comes from the left, stands at (120, 60) from 2 s on, and may leave to the right."""
    way = through((0.4, -20, 60), (2, 120, 60), (min(leaves, 90), 120, 60), (min(leaves, 90) + 2, 300, 60))
    return Thing(way, RED, (40, 30))


def segmenter(hold):
    return MotionSegmenter(background=RunningAverage(learning_rate=0.02), linker=Linker(hold=hold, stop_time=0.2))


def core():
    """Where the car stands, without the rim that is not held."""
    return cv2.erode(car().pixels(5.0).view(np.uint8), np.ones((7, 7), np.uint8)).view(bool)


def shares(own, things, seconds):
    """Of the pixels where the car stands: how many are foreground, frame by frame."""
    there = core()
    return [float((own.step(frame, time).mask[there] == FOREGROUND).mean()) for time, frame in film(things, seconds)]


def test_what_stands_is_held_for_so_long_and_no_longer():
    without, held = (shares(segmenter(hold), [car()], 16) for hold in (0, 6))
    at = {second: round(second * FPS) for second in (3, 8, 15)}
    assert (without[at[3]] > 0.9, without[at[8]] < 0.1) == (True, True)
    assert (held[at[3]] > 0.9, held[at[8]] > 0.9, held[at[15]] < 0.1) == (True, True, True)


def test_what_leaves_is_let_go_at_once():
    after = shares(segmenter(60), [car(leaves=6.0)], 9)
    assert after[round(5.9 * FPS)] > 0.9
    assert max(after[round(6.6 * FPS) :]) < 0.05


def test_what_passes_before_it_is_not_held():
    walker = Thing(through((4, 120, -30), (6, 120, 160)), BLUE, (16, 30))
    own, place = segmenter(60), walker.pixels(4.4)
    masks = {round(time * FPS): own.step(frame, time).mask for time, frame in film([car(), walker], 7)}
    assert (masks[round(4.4 * FPS)][place] == FOREGROUND).mean() > 0.9
    assert (masks[round(6.8 * FPS)][place] == FOREGROUND).mean() < 0.05
    assert (masks[round(6.8 * FPS)][core()] == FOREGROUND).mean() > 0.9


def test_a_restart_goes_on_holding():
    things, one = [car()], segmenter(60)
    frames = list(film(things, 8))
    for time, frame in frames[:150]:
        one.step(frame, time)
    heir = segmenter(60)
    heir.load_state(one.state())
    assert {"held", "held_looks"} <= one.state().keys()
    for time, frame in frames[150:]:
        a, b = one.step(frame, time), heir.step(frame, time)
        np.testing.assert_array_equal(a.mask, b.mask)
        np.testing.assert_array_equal(a.identities, b.identities)
    assert TrackState.STOPPED in a.tracks.states
    one.reset()
    assert "held" not in one.state()


def test_a_model_that_cannot_hold_is_left_alone():
    from motionseg.background import OpenCVMOG

    own = MotionSegmenter(background=OpenCVMOG(), linker=Linker(stop_time=0.2))
    states = [own.step(frame, time).tracks.states for time, frame in film([car()], 4)]
    assert TrackState.STOPPED in np.concatenate(states)


def test_a_camera_that_moves_takes_it_away():
    held, frame = Held(), WALL
    wanted = np.zeros(SHAPE, bool)
    wanted[40:60, 50:80] = True
    held.update(frame, wanted, None)
    assert held.known(frame).sum() == 16 * 26  # without its rim
    held.update(frame, wanted, np.eye(3))
    assert held.known(frame).sum() == 16 * 26  # without its rim
    pan = np.eye(3)
    pan[0, 2] = 5
    held.update(frame, wanted, pan)
    assert held.known(frame) is None


def test_grey_pictures_after_coloured_ones_begin_anew():
    held, wanted, grey = Held(), np.ones(SHAPE, bool), WALL[..., 0].copy()
    held.update(WALL, wanted, None)
    assert held.known(grey) is None
    held.update(grey, wanted, None)
    assert held.known(grey).any()


def test_light_that_fades_slowly_changes_nothing():
    held, wanted = Held(), np.ones(SHAPE, bool)
    for i in range(200):
        frame = (WALL * (1 - 0.002 * i)).astype(np.uint8)
        if i:
            assert held.known(frame).mean() > 0.9
        held.update(frame, wanted, None)
    assert held.known(WALL) is None


def test_flow_for_linkers_that_carry_masks():
    own = MotionSegmenter(background=RunningAverage(), linker=MaskFlow(min_hits=2), estimator=OpenCVDIS())
    found = [own.step(frame, time) for time, frame in film([Thing(straight(30, 60, 100), RED, (40, 40))], 1.6)]
    assert found[0].flow is None
    assert found[-1].flow.shape == (*SHAPE, 2)
    assert len(found[-1].tracks.visible) == 1
    assert 2 < np.median(found[-1].flow[found[-1].mask == FOREGROUND][:, 0]) < 6
    heir = MotionSegmenter(background=RunningAverage(), linker=MaskFlow(min_hits=2), estimator=OpenCVDIS())
    heir.load_state(own.state())
    time, frame = list(film([Thing(straight(30, 60, 100), RED, (40, 40))], 1.64))[-1]
    np.testing.assert_array_equal(own.step(frame, time).flow, heir.step(frame, time).flow)
    with pytest.raises(ParameterError, match="estimator is a FlowEstimator"):
        MotionSegmenter(estimator="dis")
