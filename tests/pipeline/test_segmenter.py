import cv2
import numpy as np
import pytest

import motionseg
from motionseg import MotionSegmenter, Segmentation
from motionseg.background import FrameDifference, GaussianMixture, Guarded, OpenCVMOG2, RunningAverage
from motionseg.core.errors import FrameError, ParameterError, StateError, UnsupportedError
from motionseg.io import write_image
from motionseg.pipeline import Auto, Compensated
from motionseg.track import KalmanIoU


def film(n=60, shape=(90, 120), seed=0):
    """A wall, and from frame 20 on a box that walks over it, 2 pixels a frame."""
    rng = np.random.default_rng(seed)
    wall = rng.integers(60, 160, (*shape, 3))
    for i in range(n):
        frame = wall + rng.normal(0, 2, wall.shape)
        if i >= 20:
            x = 2 * (i - 20)
            frame[30:60, x : x + 16] = (250, 30, 20)
        yield i, i / 25, frame.clip(0, 255).astype(np.uint8)


def same(a: Segmentation, b: Segmentation) -> bool:
    arrays = [(a.mask, b.mask), (a.score, b.score), (a.labels, b.labels)]
    arrays += [(getattr(a.regions, c), getattr(b.regions, c)) for c in vars(a.regions)]
    arrays += [(getattr(a.tracks, c), getattr(b.tracks, c)) for c in vars(a.tracks) if c != "time"]
    return (a.index, a.time) == (b.index, b.time) and all(np.array_equal(x, y) for x, y in arrays)


def test_a_walker_is_found_and_followed():
    results = list(motionseg.segment_stream(film()))
    assert [r.index for r in results] == list(range(60))
    last = results[-1]
    assert last.time == 59 / 25
    assert last.tracks.visible.ids.tolist() == [1]
    np.testing.assert_allclose(last.tracks.boxes[0], [78, 30, 94, 60], atol=2)
    np.testing.assert_allclose(last.tracks.velocities[0], [50, 0], atol=6)
    np.testing.assert_allclose(last.regions.colors[0], [250, 30, 20], atol=25)  # the rim is of the wall
    assert set(np.unique(last.mask)) <= {0, 127, 255}
    assert ((last.mask == 255) == (last.labels > 0)).all()
    assert last.flow is None
    np.testing.assert_allclose(last.camera, np.eye(3), atol=0.01)
    assert (last.behaviour, last.way) == ("still", "background")


def test_offline_the_empty_scene_is_known_from_the_first_frame(tmp_path):
    frames = [frame for _, _, frame in film()][20:]  # the box is there from the start
    for i, frame in enumerate(frames):
        write_image(tmp_path / f"{i:03d}.png", frame)
    online, offline = (next(motionseg.segment(tmp_path, offline=whole)) for whole in (False, True))
    assert not (online.mask == 255).any()
    assert np.mean(offline.mask[31:59, 1:15] == 255) > 0.9
    assert np.mean(offline.mask[:, 30:] == 255) < 0.01


def test_every_slot_may_be_another_or_none():
    segmenter = MotionSegmenter(background=FrameDifference(), cleaner=None, linker=None, min_area=3)
    results = list(motionseg.segment_stream(film(30), segmenter=segmenter))
    assert results[-1].tracks is None
    assert len(results[-1].regions)


def test_small_regions_are_in_nothing():
    frames = list(film(30))
    kept = MotionSegmenter(min_area=10)
    dropped = MotionSegmenter(min_area=5000)
    for index, time, frame in frames:
        a, b = kept.step(frame, time, index=index), dropped.step(frame, time, index=index)
    assert len(a.regions) == 1
    assert len(b.regions) == len(b.tracks) == 0
    assert not (b.mask == 255).any()


def test_known_foreground_reaches_the_model():
    segmenter = MotionSegmenter(cleaner=None)
    known = np.zeros((90, 120), bool)
    known[10:40, 10:40] = True
    for _, time, frame in film(10):
        result = segmenter.step(frame, time, known_foreground=known)
    assert (result.mask[known] == 255).all()


def test_bad_input_changes_nothing():
    plain, tried = MotionSegmenter(), MotionSegmenter()
    for index, time, frame in film(40):
        expected = plain.step(frame, time, index=index)
        if index == 25:
            for bad in (float("nan"), time - 1, "now"):
                with pytest.raises(ParameterError, match="time"):
                    tried.step(frame, bad)
            with pytest.raises(FrameError):
                tried.step(frame[:-1], time)
            with pytest.raises(FrameError):
                tried.step(frame, time, known_foreground=np.zeros((2, 2), bool))
        assert same(expected, tried.step(frame, time, index=index))
    with pytest.raises(ParameterError, match=r"24.*after|after"):
        tried.step(frame, 0.0)


def test_wrong_parts_are_refused_at_once():
    with pytest.raises(ParameterError, match="background is a BackgroundModel"):
        MotionSegmenter(background="gaussian_mixture")
    with pytest.raises(ParameterError, match="min_area"):
        MotionSegmenter(min_area=0)


def test_state_continues_bit_for_bit():
    frames = list(film())
    one, heir = MotionSegmenter(), MotionSegmenter()
    for index, time, frame in frames[:35]:
        one.step(frame, time, index=index)
    heir.load_state(one.state())
    for index, time, frame in frames[35:]:
        assert same(one.step(frame, time, index=index), heir.step(frame, time, index=index))


def test_a_bad_state_changes_nothing():
    one = MotionSegmenter()
    for index, time, frame in film(30):
        one.step(frame, time, index=index)
    state = one.state()
    for name in state:
        with pytest.raises(StateError):
            one.load_state({k: v for k, v in state.items() if k != name})
    after = one.state()
    assert all(np.array_equal(after[name], state[name]) for name in state)


def test_what_wraps_a_library_has_no_state():
    segmenter = MotionSegmenter(background=OpenCVMOG2())
    with pytest.raises(UnsupportedError):
        segmenter.state()


def test_reset_is_as_good_as_new():
    segmenter = MotionSegmenter(background=GaussianMixture(history=100), linker=KalmanIoU())
    first = list(motionseg.segment_stream(film(30), segmenter=segmenter))
    segmenter.reset()
    segmenter.step(np.zeros((20, 30), np.uint8), 0.0)
    segmenter.reset()
    again = list(motionseg.segment_stream(film(30), segmenter=segmenter))
    assert all(same(a, b) for a, b in zip(first, again, strict=True))


def test_grey_frames_are_welcome():
    results = list(motionseg.segment_stream((i, t, f[..., 1].copy()) for i, t, f in film(30)))
    assert results[-1].mask.shape == (90, 120)


def test_one_line_segments_a_folder_of_pictures(tmp_path):
    from motionseg.io import write_image

    for index, _, frame in film(40):
        write_image(tmp_path / f"in{index}.png", frame)
    results = list(motionseg.segment(tmp_path, width=60, start=0.4))
    assert results[0].time == pytest.approx(0.4)
    assert len(results) == 30
    assert results[-1].mask.shape == (45, 60)


@pytest.mark.parametrize("wrap", [lambda model: model, Compensated, lambda model: Auto(fixed=Compensated(model))])
def test_says_what_it_takes_the_picture_for(wrap):
    room = cv2.resize(np.random.default_rng(0).integers(30, 110, (12, 16, 3), np.uint8), (160, 120))
    room += np.random.default_rng(1).integers(0, 12, room.shape, np.uint8)
    segmenter = MotionSegmenter(background=wrap(Guarded(RunningAverage())), linker=None)
    said = [segmenter.step(frame, i / 10).verdict for i, frame in enumerate([room] * 40 + [room * np.uint8(2)] * 3)]
    assert set(said[:40]) == {"none"}
    assert said[40] == "switch"
    covered = [segmenter.step(np.full_like(room, level), 5 + level).verdict for level in (0, 3, 90)]
    assert covered == ["camera_covered"] * 3


def test_a_model_that_does_not_judge_the_picture_says_nothing():
    assert MotionSegmenter(background=RunningAverage()).step(np.zeros((30, 40, 3), np.uint8), 0.0).verdict is None
