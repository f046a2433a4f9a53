"""Masks go along with the flow: what that finds, and what a camera and hiding change."""

import numpy as np
import pytest
from drawn_scenes import FPS, SHAPE, Thing, straight

from motionseg.core.errors import FrameError
from motionseg.core.types import TrackState
from motionseg.regions import find_regions
from motionseg.track import MaskFlow, Overlap


def frames(things, n, *, fps=FPS, pan=(0, 0)):
    """Labels, regions, exact flow and camera of n frames, in which the camera moves by `pan` from each to the next."""
    for i in range(n):
        time, corner, before = i / fps, np.multiply(pan, i), np.multiply(pan, i - 1)
        mask, flow = np.zeros(SHAPE, np.uint8), np.tile(np.float32(np.negative(pan)), (*SHAPE, 1))
        for thing in things:
            mask[thing.pixels(time, SHAPE, corner)] = 255
            if i and thing.way(time) and thing.way((i - 1) / fps):
                step = np.subtract(thing.way(time), thing.way((i - 1) / fps)) - pan
                flow[thing.pixels((i - 1) / fps, SHAPE, before)] = step
        camera = np.eye(3)
        camera[:2, 2] = np.negative(pan)
        yield time, *find_regions(mask), flow if i else None, camera if i else None


def test_what_jumps_farther_than_its_length_keeps_its_id():
    things = [Thing(lambda t: (30 + 40 * (round(5 * t) % 6), 60), size=(12, 40))]  # to and fro
    for linker, found in ((MaskFlow(min_hits=2), [1]), (Overlap(min_hits=2), [])):
        for time, labels, regions, flow, _ in frames(things, 12, fps=5):
            tracks = linker.update(regions, time, labels=labels, flow=flow)
        assert tracks.visible.ids.tolist() == found


def test_two_that_jump_past_each_other():
    things = [Thing(straight(40, 60, 150), size=(14, 30)), Thing(straight(206, 60, -150), size=(14, 30))]
    linker, ways = MaskFlow(min_hits=2), {}
    for time, labels, regions, flow, _ in frames(things, 6, fps=5):
        tracks = linker.update(regions, time, labels=labels, flow=flow)
        for identity, box in zip(tracks.ids.tolist(), tracks.boxes, strict=True):
            ways.setdefault(identity, []).append(float(box[0]))
    assert [(len(way), np.sign(np.diff(way)).tolist()) for way in ways.values()] == [(6, [1] * 5), (6, [-1] * 5)]


def test_flow_with_the_camera_in_it_counts_once():
    things = [Thing(straight(150, 60, 50), size=(12, 40))]
    linker = MaskFlow(min_hits=2, min_iou=0.9)  # exact flow: nothing is lost but by counting twice
    for time, labels, regions, flow, camera in frames(things, 12, pan=(9, 2)):
        tracks = linker.update(regions, time, labels=labels, flow=flow, camera=camera)
    assert tracks.visible.ids.tolist() == [1]
    assert abs(tracks.velocities[0, 0] - 50) < 5


@pytest.mark.parametrize("given", [True, False])
def test_what_is_not_seen_is_moved_by_its_filter(given):
    """It goes on unseen for 0.6 s; the flow where it was is that of nothing."""
    hidden = straight(30, 60, 60)
    things = [Thing(lambda t: None if 1 <= t < 1.6 else hidden(t), size=(12, 40))]
    linker = MaskFlow()
    for time, labels, regions, flow, _ in frames(things, 50):
        tracks = linker.update(regions, time, labels=labels, flow=flow if given else None)
        if 1 <= time < 1.6:
            assert tracks.states.tolist() == [TrackState.OCCLUDED]
    assert tracks.visible.ids.tolist() == [1]
    assert len(linker.state()["hits"]) == 1


def test_without_labels_boxes_are_compared():
    linker = MaskFlow(min_hits=2)
    for time, _, regions, flow, _ in frames([Thing(straight(30, 60, 60))], 10):
        tracks = linker.update(regions, time, flow=flow)
    assert tracks.visible.ids.tolist() == [1]


def test_flow_that_does_not_fit_is_refused_and_changes_nothing():
    linker = MaskFlow()
    for time, labels, regions, flow, _ in frames([Thing(straight(30, 60, 60))], 10):
        linker.update(regions, time, labels=labels, flow=flow)
    before = linker.state()
    for bad in (flow[:50], flow[..., 0], flow.astype(int), np.full_like(flow, np.nan)):
        with pytest.raises(FrameError, match="flow"):
            linker.update(regions, 1.0, labels=labels, flow=bad)
    for name, array in linker.state().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_wild_flow_takes_pixels_out_of_the_picture():
    linker = MaskFlow(min_hits=1)
    for time, labels, regions, flow, _ in frames([Thing(straight(30, 60, 60))], 4):
        wild = None if flow is None else np.full_like(flow, 1e30)
        tracks = linker.update(regions, time, labels=labels, flow=wild)
    assert len(tracks.visible) == 1
    assert tracks.visible.ids.tolist() == [4]  # nothing was where the flow said
