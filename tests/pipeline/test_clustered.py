"""Any clusterer finds what moves, frame after frame, where it is now, and its parts keep their numbers."""

import cv2
import numpy as np
import pytest
from reference.clustered import reverse

from motionseg.cluster import FlowClusterer, QuadraticLayers, ResidualThreshold, SpectralTrajectories
from motionseg.core import catalog
from motionseg.core.errors import ParameterError, StateError, UnsupportedError
from motionseg.flow.base import FlowEstimator
from motionseg.pipeline import Clustered, MotionSegmenter, clustered
from motionseg.testing import BACKGROUND_CHECKS

SHAPE = (96, 128)
# A model of frame pairs sees things move, not that they are new: what asks for that is left out.
SLOW = {"any_thread_count", "cv2_names", "input_left_alone", "interleaved", "memory_layouts", "same_seed", "threads"}
APART = {"mask_contract", "known_foreground", "bootstrap", "memory_bounded", "light", "ghosts", "shadows"}


def texture(rng, *shape):
    noise = rng.normal(0, 1, (*shape, 3)).astype(np.float32)
    return (128 + 200 * cv2.GaussianBlur(noise, (0, 0), 1.5)).clip(0, 255).astype(np.uint8)


def film(n=6):
    """(frame, where the thing is), before a camera that goes to the right by 2 pixels a frame."""
    rng = np.random.default_rng(0)
    world, thing = texture(rng, SHAPE[0], SHAPE[1] + 2 * n), texture(rng, 36, 36)
    for i in range(n):
        frame, where = world[:, 2 * i : 2 * i + SHAPE[1]].copy(), np.zeros(SHAPE, bool)
        where[30:66, 20 + 4 * i : 56 + 4 * i] = True
        frame[30:66, 20 + 4 * i : 56 + 4 * i] = thing
        yield frame, where


class Told(FlowEstimator):
    """Things are of a grey level each; their flow goes from middle to middle, and the rest stands still."""

    def _estimate(self, previous, current):
        flow = np.zeros((*previous.shape, 2), np.float32)
        for level in set(np.unique(previous)) & set(np.unique(current)) - {0}:
            middles = [np.argwhere(frame == level).mean(axis=0)[::-1] for frame in (previous, current)]
            flow[previous == level] = middles[1] - middles[0]
        return flow


def told(*boxes):
    """A frame for `Told` of things (level, x, y, width)."""
    frame = np.zeros((60, 160), np.uint8)
    for level, x, y, width in boxes:
        frame[y : y + 10, x : x + width] = level
    return frame


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def name(check):
    return check.__name__.removeprefix("_").removeprefix("check_")


def case(check):
    return pytest.param(check, id=name(check), marks=[pytest.mark.slow] * (name(check) in SLOW))


@pytest.mark.parametrize("check", [case(check) for check in BACKGROUND_CHECKS if name(check) not in APART])
def test_it_is_a_background_model(check):
    check(Clustered(ResidualThreshold()))


def test_a_look_and_a_reset_leave_no_trace_where_the_clusterer_remembers():
    frames = [frame for frame, _ in film(5)]
    one, other = (Clustered(SpectralTrajectories()) for _ in range(2))
    for frame in (frames[3], frames[1], frames[3]):
        one.apply(frame)
    one.reset()
    for frame in frames:
        np.testing.assert_array_equal(one.apply(frame), other.apply(frame))
        np.testing.assert_array_equal(one.labels, other.labels)
        one.apply(frame[:, ::-1], learning_rate=0)
    assert (one.labels > 0).any()


@pytest.mark.parametrize("clusterer", catalog.names("cluster"))
def test_every_clusterer_finds_the_thing_where_it_is_now(clusterer):
    model = Clustered(catalog.find("cluster", clusterer)())
    for frame, where in film():  # noqa: B007 - the last one is looked at
        mask = model.apply(frame)
    there, before = iou(mask == 255, where), iou(mask == 255, np.roll(where, -4, axis=1))
    assert there > max(0.5, before), (there, before)
    assert model.labels.dtype == np.int32
    np.testing.assert_array_equal(model.labels > 0, mask == 255)
    np.testing.assert_array_equal(model.score(), np.float32(mask == 255))
    np.testing.assert_allclose(model.motion, [[1, 0, -2], [0, 1, 0], [0, 0, 1]], atol=0.3)


def test_numbers_go_with_what_speeds_up_and_shrinks():
    model = Clustered(ResidualThreshold(), estimator=Told())
    names = []
    for i, x in enumerate((2, 8, 20, 44, 80, 120)):  # 10 pixels wide: by the last step it would not be found again
        model.apply(told((200, x, 5, 10), (100, 150 - x, 40, 20 - 3 * i)))
        names.append((model.labels[8, x + 5], model.labels[44, 151 - x]))
    assert names[0] == (0, 0)
    assert set(names[1:]) == {(2, 1)}


def test_labels_of_the_last_frame_are_taken_to_where_its_things_are_now():
    class Remembering(ResidualThreshold):
        def reset(self):
            """It would forget."""

    model = Clustered(Remembering(), estimator=Told())
    for x in (10, 30, 70):
        frame = told((200, x, 20, 24))
        mask = model.apply(frame)
        assert x == 10 or iou(mask == 255, frame > 0) > 0.8  # the mask has round corners


def test_numbers_go_on_after_a_state_that_lacks_a_thing():
    films = [told((200, 10 + 4 * i, 5, 10), *([] if i in (3, 4) else [(100, 80, 5 + 3 * i, 12)])) for i in range(7)]
    one, other = (Clustered(ResidualThreshold(), estimator=Told()) for _ in range(2))
    for frame in films[:5]:
        one.apply(frame)
    state = one.state()
    assert len(state["identity.missing"]) == 2
    other.load_state(state)
    assert other.labels is None
    for frame in films[5:]:
        np.testing.assert_array_equal(one.apply(frame), other.apply(frame))
        np.testing.assert_array_equal(one.labels, other.labels)
        one.apply(frame, learning_rate=0)  # the number of a look is not used up
    with pytest.raises(StateError):
        other.load_state({**state, "identity.missing": np.zeros((2, 3), np.int64)})


def test_large_frames_have_labels_of_their_own_size(monkeypatch):
    small = Clustered(ResidualThreshold())
    monkeypatch.setattr(clustered, "_FLOW_SIDE", 64)
    model = Clustered(ResidualThreshold())
    for frame, where in film(3):  # noqa: B007 - the last one is looked at
        model.apply(frame)
        mask = small.apply(frame)
    assert model.labels.shape == SHAPE == mask.shape
    assert iou(model.labels > 0, where) > 0.5
    assert model.state()["parts"].shape == (64, 85)


def test_the_clusterer_sees_the_camera_and_a_frame_of_the_flows_size(monkeypatch):
    monkeypatch.setattr(clustered, "_FLOW_SIDE", 48)
    seen = []

    class Watching(ResidualThreshold):
        def _segment(self, flow, residual, valid, frame):
            seen.append((flow.mean(axis=(0, 1)), np.median(residual, axis=(0, 1)), frame.shape))
            return super()._segment(flow, residual, valid, frame)

    class Remembering(Watching):
        def reset(self):
            """It would forget."""

    frames = [frame for frame, _ in film(2)]
    for kind, x in ((Watching, 1), (Remembering, -1)):  # back in time the world goes right; at half the size
        model = Clustered(kind())
        for frame in frames:
            model.apply(frame)
        flow, residual, shape = seen.pop()
        assert shape == (48, 64, 3)
        assert flow[0] * x > 0.3
        assert np.abs(residual).max() < 0.3


def test_what_cannot_tell_its_memory_says_so():
    model = Clustered(SpectralTrajectories())
    with pytest.raises(UnsupportedError):
        model.state()
    assert "state" not in Clustered(QuadraticLayers())._unsupported
    with pytest.raises(ParameterError, match="clusterer is a FlowClusterer"):
        Clustered(None)
    with pytest.raises(ParameterError, match="estimator is a FlowEstimator"):
        Clustered(QuadraticLayers(), estimator=QuadraticLayers())


def test_only_parts_of_this_package_are_saved(tmp_path):
    with pytest.raises(StateError, match="Told is not of this package"):
        Clustered(ResidualThreshold(), estimator=Told()).save(tmp_path / "model.npz")


def test_clones_share_no_memory():
    frames = [frame for frame, _ in film(4)]
    clusterer = SpectralTrajectories()
    one, alone = Clustered(clusterer), Clustered(SpectralTrajectories())
    for frame in frames:
        one.clone().apply(frame[::-1])
        clusterer.segment(np.ones((*SHAPE, 2), np.float32))
        np.testing.assert_array_equal(one.apply(frame), alone.apply(frame))
    assert one.memory() > one.clone().memory()
    assert isinstance(one.clusterer, FlowClusterer)


def test_it_goes_through_a_segmenter():
    segmenter = MotionSegmenter(background=Clustered(QuadraticLayers()))
    for i, (frame, where) in enumerate(film(5)):  # noqa: B007 - the last one is looked at
        found = segmenter.step(frame, time=i / 25)
    assert len(found.regions) == 1
    assert iou(found.mask == 255, where) > 0.6
    segmenter.reset()
    assert segmenter.background.labels is None


@pytest.mark.parametrize("seed", range(5))
def test_flow_is_turned_round(seed):
    flow, camera = np.random.default_rng(seed).normal(0, 3, (2, 13, 17, 2)).astype(np.float32)
    found, expected = -flow, -flow
    clustered._reverse(flow, camera, np.full((13, 17), -1, np.float32), found)
    reverse(flow, camera, expected)
    np.testing.assert_array_equal(found, expected)
