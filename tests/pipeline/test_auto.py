"""Any camera: what it does is recognised, and each frame is segmented in the way that suits it."""

import cv2
import numpy as np
import pytest
from auto_films import (
    OTHER,
    REST,
    SHAPE,
    WAYS_OF_CAMERAS,
    WORLD,
    assert_same,
    film,
    noisy,
    overlap,
    panned,
    resting,
    run,
    seen,
    shaken,
    take_over,
    texture,
    turned,
    watched,
    wrong,
)

from motionseg.background import Adaptive
from motionseg.background._guarded import Guarded
from motionseg.camera import SparseCorners
from motionseg.core.errors import StateError, UnsupportedError
from motionseg.fuse.cues import score_cue
from motionseg.pipeline import Compensated, FlowFused
from motionseg.pipeline._camera_watch import WINDOW, CameraWatch
from motionseg.pipeline.auto import Auto


def test_a_camera_that_rests():
    assert set(watched(resting(30))) == {"still"}


def test_a_camera_that_shakes():
    assert set(watched(shaken(40, 0.7))[1:]) == {"shaking"}
    verdicts = watched(shaken(40, 1.5))  # may seem to pan at first
    assert set(verdicts[8:]) == {"shaking"}


def test_a_camera_that_pans_and_comes_to_rest():
    verdicts = watched(turned(10, 10, 40))
    assert set(verdicts[:10]) == {"still"}
    assert verdicts[10] == "shaking"  # 4 pixels may be a jolt
    assert set(verdicts[11 : 20 + WINDOW - 1]) == {"panning"}  # until the last step is forgotten
    assert set(verdicts[20 + WINDOW - 1 :]) == {"still"}


def test_a_camera_that_begins_slowly():
    steps = np.cumsum(np.linspace(0, 1, 21))  # 0.05 pixels more with each frame
    verdicts = watched([*resting(5), *((40 + s, 40) for s in steps)])
    assert verdicts[5] == "still"
    assert verdicts[-1] == "panning"
    away = [5 + i for i, s in enumerate(steps) if s > 6.5]
    assert all(verdicts[i] == "panning" for i in away)
    assert "panning" not in verdicts[: away[0] - 3]


def test_a_camera_that_returns_does_not_pan():
    rhythm = 3 * np.sin(np.arange(50) * 2 * np.pi / 12)
    verdicts = watched([(40 + s, 40) for s in rhythm])
    assert set(verdicts[18:]) == {"shaking"}


def test_zooming_is_panning():
    verdicts = watched(resting(16), [1.02**i for i in range(16)])
    assert set(verdicts[6:]) == {"panning"}


def test_large_frames_may_move_farther():
    sizes = []
    for factor in (1, 4):  # of 120 and of 480 rows: lengths grow beyond 240
        watch = None
        for i, place in enumerate(panned(6, 1.6)):
            frame = cv2.resize(noisy(seen(WORLD, *place), i), None, fx=factor, fy=factor)
            if watch is None:
                watch = CameraWatch(SparseCorners(), frame)
            else:
                assert watch.update(frame)
        sizes.append((watch.verdict, watch.step[0, 2]))
    assert [verdict for verdict, _ in sizes] == ["panning", "panning"]  # 8 pixels; 32, that count as 16
    np.testing.assert_allclose([step for _, step in sizes], [-1.6, -6.4], atol=0.3)
    watch = CameraWatch(SparseCorners(), np.zeros((480, 640, 3), np.uint8))
    for dx in (0.9, 1.1):  # counts as half of it
        watch._steps[-1][0, 2] = dx
        watch.n_frames = 2
        watch._judge((480, 640))
        assert watch.verdict == ("still" if dx < 1 else "shaking")


def test_another_shot_starts_anew():
    watch = CameraWatch(SparseCorners(), film(resting(1))[0][0])
    for frame in film(panned(8))[0]:
        watch.update(frame)
    assert watch.verdict == "panning"
    other = noisy(seen(OTHER, *REST), 1)
    assert not watch.update(other)
    assert (watch.verdict, watch.rests, watch.n_frames, watch.step) == ("still", True, 1, None)
    assert watch.update(noisy(seen(OTHER, *REST), 2))
    assert (watch.verdict, watch.n_frames) == ("still", 2)


def test_a_watch_goes_on_from_a_state():
    frames = film(turned(4, 6, 26))[0]
    watch, heir = (CameraWatch(SparseCorners(), frame) for frame in (frames[0], frames[20]))
    for frame in frames[1:8]:
        watch.update(frame)
    state = watch.state()
    heir.load_state(state)
    state["last"].fill(0)
    state["steps"].fill(0)
    for frame in frames[8:]:
        assert heir.update(frame) == watch.update(frame)
        assert (heir.verdict, heir.rests, heir.n_frames) == (watch.verdict, watch.rests, watch.n_frames)
        assert_same(heir.state(), watch.state())
    before = watch.state()
    for name, bad in (("words", np.array([1, 7, 0])), ("steps", np.eye(3)), ("last", frames[0][:9])):
        with pytest.raises((ValueError, IndexError)):
            watch.load_state({**before, name: bad})
        assert_same(watch.state(), before)


# --- each camera in its way ------------------------------------------------------------------------


def test_before_a_camera_that_rests_masks_are_those_of_the_model_inside():
    frames, truths = film(resting(60), first=10)
    auto, plain = Auto(), Compensated(Guarded(Adaptive()))
    for frame, truth in zip(frames, truths, strict=True):
        mask = auto.apply(frame)
        np.testing.assert_array_equal(mask, plain.apply(frame))
        np.testing.assert_array_equal(auto.score(), plain.score())
        assert (auto.behaviour, auto.way) == ("still", "background")
        assert overlap(mask, truth) > 0.8 or not truth.any()
    np.testing.assert_array_equal(auto.background(), plain.background())


def test_a_camera_in_a_hand():
    frames, truths = film(shaken(36), first=5)
    masks, words = run(Auto(), frames)
    assert words[0] == ("still", "background")
    assert {way for _, way in words[1:WINDOW]} == {"flow"}
    assert set(words[WINDOW + 6 :]) == {("shaking", "compensated")}
    for mask, truth in zip(masks[8:], truths[8:], strict=True):
        assert overlap(mask, truth) > 0.6
        assert wrong(mask, truth) < 0.02


def test_a_camera_that_looks_elsewhere_now_and_then():
    frames, truths = film(turned(40, 25, 60), first=10)
    masks, words = run(Auto(), frames)
    assert set(words[:40]) == {("still", "background")}
    assert set(words[42:65]) == {("panning", "flow")}
    settled = 65 + 2 * WINDOW  # it has to have come to rest, then a background is learned
    assert {way for _, way in words[65 : settled - 2]} == {"flow"}
    assert set(words[settled:]) == {("still", "background")}
    for i, (mask, truth) in enumerate(zip(masks[10:], truths[10:], strict=True), 10):
        assert overlap(mask, truth) > (0.6 if 40 <= i < 45 else 0.75), i
        assert 40 <= i < 45 or wrong(mask, truth) < 0.02, i


def test_flow_starts_from_what_the_background_knew(monkeypatch):
    taken = []
    monkeypatch.setattr(FlowFused, "take_over", lambda self, *seen: taken.append(seen) or take_over(self, *seen))
    frames = film(turned(12, 4, 0), first=5)[0]
    model = Auto()
    for frame in frames:
        lent = frame.copy()
        model.apply(lent)
        lent.fill(0)
        if model.way != "flow":
            last, score = frame, model.score()
            assert not taken
    assert len(taken) == 1
    np.testing.assert_array_equal(taken[0][0], last)
    np.testing.assert_array_equal(taken[0][1], score)
    assert score.max() > 0.5


def test_what_flow_sees_moving_is_not_taught_to_the_background(monkeypatch):
    known, apply = [], Compensated.apply

    def spied(self, frame, **how):
        known.append(how.get("known_foreground"))
        return apply(self, frame, **how)

    monkeypatch.setattr(Compensated, "apply", spied)
    frames, truths = film(shaken(10, 0.7), first=3)
    masks, words = run(Auto(), frames)
    assert set(words[1:]) == {("shaking", "flow")}
    assert len(known) == 10
    assert known[2] is None
    for kept, mask, truth in zip(known[4:], masks[4:], truths[4:], strict=True):
        np.testing.assert_array_equal(kept, mask == 255)
        assert overlap(mask, truth) > 0.6


def test_a_camera_that_travels():
    ground = texture((280, 480), 5) * np.float32([0.8, 1, 0.9])
    model = Auto()
    for i in range(20):
        picture = seen(WORLD, 40 + 1.5 * i, 40)
        picture[80:] = seen(ground, 40 + 5 * i, 40)[80:]  # the near third
        mask = model.apply(noisy(picture, i))
    assert (model.behaviour, model.way) == ("travelling", "flow")
    assert np.mean(mask == 255) < 0.02


def test_another_shot_is_a_new_start():
    model, fresh = Auto(), Auto()
    for frame in film(turned(6, 8, 0))[0]:
        model.apply(frame)
        assert not model.is_new_shot
    assert model.way == "flow"
    for i, frame in enumerate(film(resting(12), first=4, world=OTHER)[0]):
        np.testing.assert_array_equal(model.apply(frame), fresh.apply(frame))
        assert model.is_new_shot == (i == 0)
        assert (model.behaviour, model.way) == ("still", "background")
        assert (model.motion is None) == (i == 0)


def test_the_camera_is_told():
    model = Auto()
    assert model.motion is None
    frames = film(panned(4, 3))[0]
    model.apply(frames[0])
    assert model.motion is None
    for frame in frames[1:]:
        model.apply(frame)
    np.testing.assert_allclose(model.motion, [[1, 0, -3], [0, 1, 0], [0, 0, 1]], atol=0.1)
    model.motion[:] = 0
    assert model.motion[0, 0] != 0
    model.reset()
    assert model.motion is None


# --- what is known of the last frame -----------------------------------------------------------------


@pytest.mark.parametrize("camera", ["still", "panning"])
def test_reasons_and_background(camera):
    model = Auto()
    assert model.evidence() == {}
    with pytest.raises(StateError):
        model.background()
    frames = film(WAYS_OF_CAMERAS[camera][:15], first=4)[0]
    for frame in frames:
        mask = model.apply(frame)
    evidence, score = model.evidence(), model.score()
    assert score.dtype == np.float32
    np.testing.assert_array_equal(mask == 255, score >= 0.5)
    if camera == "still":
        assert evidence.keys() == {"background"}
        np.testing.assert_array_equal(evidence["background"], score_cue(score))
        clean = seen(WORLD, *REST)
        assert np.abs(model.background()[:, :8] - clean[:, :8]).mean() < 3
        return
    assert {"motion", "prior", "appearance", "neighbours"} <= evidence.keys()
    total = np.sum(list(evidence.values()), axis=0)
    np.testing.assert_allclose(1 / (1 + np.exp(-total)), score, atol=1e-4)
    with pytest.raises(UnsupportedError, match="no background"):
        model.background()


def test_memory():
    model = Auto()
    assert model.memory() == 0
    frames = film(turned(4, 4, 0))[0]
    model.apply(frames[0])
    background = Compensated(Guarded(Adaptive()))
    background.apply(frames[0])
    assert 0 < model.memory() - background.memory() <= frames[0].nbytes + SHAPE[0] * SHAPE[1] * 4 + 4096
    for frame in frames[1:]:
        model.apply(frame)
    assert model.way == "flow"
    assert (
        model._flow.memory()
        < model.memory()
        <= model._flow.memory() + frames[0].nbytes + SHAPE[0] * SHAPE[1] * 4 + 4096
    )
    model.reset()
    assert model.memory() == 0
