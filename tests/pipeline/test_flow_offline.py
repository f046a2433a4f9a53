"""A whole clip is seen once, and then the fused score of each of its frames is known, of the first ones too."""

import gc
import warnings

import cv2
import numpy as np
import pytest

import motionseg
from motionseg.core.errors import FrameError
from motionseg.pipeline import FlowFused, _flow_offline
from motionseg.pipeline._flow_offline import FlowOffline, fingerprint
from motionseg.pipeline.auto import Auto

SHAPE = (120, 160)


def texture(shape, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    coarse, fine = (cv2.GaussianBlur(noise, (0, 0), s).astype(float) - 128 for s in (6, 1.2))
    return (128 + 6 * coarse + 0.8 * fine).clip(20, 235).astype(np.float32)


WORLD, OTHER = texture((200, 420), 0), texture((200, 420), 7)
THING = texture((44, 28), 1) * np.float32([0.3, 0.5, 1.05])


def film(places, *, world=WORLD, size=1):
    """Frames of a camera at these columns, and where a thing is that goes to the right."""
    frames, truths = [], []
    for i, x in enumerate(places):
        shift = np.array([[1, 0, -x], [0, 1, -30]], float)
        picture, truth = cv2.warpAffine(world, shift, SHAPE[::-1], flags=cv2.INTER_CUBIC), np.zeros(SHAPE, bool)
        left = 10 + 2 * i % 120
        truth[40:84, left : left + 28] = True
        picture[truth] = THING.reshape(-1, 3)
        picture += np.random.default_rng(i).normal(0, 2, picture.shape)
        frames.append(cv2.resize(picture.clip(0, 255).astype(np.uint8), None, fx=size, fy=size))
        truths.append(truth)
    return frames, truths


def panned(n, step=3.0):
    return [20 + step * i for i in range(n)]


def overlap(mask, truth):
    found = mask == 255
    return np.count_nonzero(found & truth) / max(1, np.count_nonzero(found | truth))


def watched_offline(frames, model=None):
    offline = FlowOffline(FlowFused() if model is None else model)
    for frame in frames:
        offline.push(frame)
    offline.finish()
    return offline


def scores(offline, frames):
    return [offline.look_up(frame).score for frame in frames]


@pytest.fixture
def small_groups(monkeypatch):
    """Groups of 5, with 3 more on both sides."""
    monkeypatch.setattr(_flow_offline, "_CHUNK", 5)
    monkeypatch.setattr(_flow_offline, "_RUN_UP", 3)


def test_the_first_frame_is_done_too():
    frames, truths = film(panned(12))
    online, offline = FlowFused(), watched_offline(frames)
    assert len(offline) == len(frames)
    apart = []
    for i, (frame, truth) in enumerate(zip(frames, truths, strict=True)):
        fusion = offline.look_up(frame)
        apart.append((overlap(online.apply(frame), truth), overlap(np.uint8(fusion.score >= 0.5) * 255, truth)))
        assert apart[i][1] > 0.8, i
        assert {"forward", "backward", "prior", "appearance", "neighbours"} == fusion.evidence.keys()
        total = np.sum(list(fusion.evidence.values()), axis=0)
        np.testing.assert_allclose(fusion.score, 1 / (1 + np.exp(-total)), atol=1e-5)
        assert fusion.score.dtype == np.float32
        assert all(share.dtype == np.float32 for share in fusion.evidence.values())
    before, after = np.mean(apart, axis=0)
    assert after >= before
    assert np.mean([a for _, a in apart[1:]]) >= np.mean([b for b, _ in apart[1:]]) - 0.01


def test_other_frames_are_not_known():
    frames, _ = film(panned(4))
    offline = FlowOffline(FlowFused())
    assert offline.look_up(frames[0]) is None
    for frame in frames[:3]:
        offline.push(frame)
    assert (len(offline), offline.look_up(frames[0])) == (0, None)
    offline.finish()
    assert len(offline) == 3
    assert offline.look_up(frames[3]) is None
    changed = frames[1].copy()
    changed[3, 4, 1] ^= 1
    assert offline.look_up(changed) is None
    assert fingerprint(changed) != fingerprint(frames[1]) == fingerprint(frames[1].copy())
    np.testing.assert_array_equal(*scores(offline, [frames[1]] * 2))


def test_one_frame_is_no_clip():
    offline = watched_offline(film(panned(1))[0])
    assert len(offline) == 0
    offline.finish()
    assert len(offline) == 0


def test_finish_parts_shots():
    first, second = film(panned(4))[0], film(panned(4), world=OTHER)[0]
    both = FlowOffline(FlowFused())
    for shot in (first, second):
        for frame in shot:
            both.push(frame)
        both.finish()
    assert len(both) == 8
    for shot in (first, second):
        alone = watched_offline(shot)
        for one, other in zip(scores(both, shot), scores(alone, shot), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n", [12, *(pytest.param(n, marks=pytest.mark.slow) for n in (10, 11, 16, 23))])
def test_groups(n, small_groups, monkeypatch):
    frames, truths = film(panned(n))
    kept, held, carried = [], [], []
    keep, push, carry = FlowOffline._keep, FlowOffline.push, _flow_offline.carried
    monkeypatch.setattr(_flow_offline, "carried", lambda *a: carried.append(1) or carry(*a))
    monkeypatch.setattr(FlowOffline, "_keep", lambda self, key, fusion: kept.append(key) or keep(self, key, fusion))
    monkeypatch.setattr(FlowOffline, "push", lambda self, frame: push(self, frame) or held.append(len(self._items)))
    grouped = watched_offline(frames)
    assert kept == [fingerprint(frame) for frame in frames]  # each once, in their order
    assert len(carried) == 2 * n - 2  # all have heard the frames before and behind, over the bounds of groups
    assert max(held) < 5 + 2 * 3  # and so is memory, whatever the length of the clip
    monkeypatch.setattr(_flow_offline, "_CHUNK", 100)
    whole = watched_offline(frames)
    for i, (one, other) in enumerate(zip(scores(grouped, frames), scores(whole, frames), strict=True)):
        assert overlap(np.uint8(one >= 0.5) * 255, other >= 0.5) > 0.85, i
        assert overlap(np.uint8(one >= 0.5) * 255, truths[i]) > 0.75, i
        assert np.abs(one - other).mean() < 0.03


def test_roundings_do_not_add_up(monkeypatch):
    found, keep = {}, FlowOffline._keep
    monkeypatch.setattr(
        FlowOffline, "_keep", lambda self, key, fusion: found.update({key: fusion}) or keep(self, key, fusion)
    )
    frames = film(panned(4))[0]
    offline = watched_offline(frames)
    for frame in frames:
        kept, exact = offline.look_up(frame), found[fingerprint(frame)]
        apart = np.log(kept.score / (1 - kept.score)) - np.log(exact.score / (1 - exact.score))
        assert np.abs(apart).max() <= 1 / 16 + 0.01  # steps of an eighth; near 1 a float32 has none finer than a 0.01
        for name in list(exact.evidence)[:-1]:
            np.testing.assert_allclose(kept.evidence[name], exact.evidence[name], atol=1 / 16 + 1e-5)


def test_a_frame_seen_twice_is_kept_once():
    frames = film(panned(5))[0]
    offline = watched_offline([*frames[:3], frames[2], *frames[3:]])
    assert len(offline) == 5
    assert all(offline.look_up(frame) is not None for frame in frames)


def test_frames_are_neither_changed_nor_kept():
    frames = film(panned(6))[0]
    expected = watched_offline(frames)
    rude, lent = FlowOffline(FlowFused()), np.empty_like(frames[0])
    for frame in frames:
        lent[:] = frame
        rude.push(lent)
        np.testing.assert_array_equal(lent, frame)
        lent[:] = 0
    rude.finish()
    for one, other in zip(scores(rude, frames), scores(expected, frames), strict=True):
        np.testing.assert_array_equal(one, other)


def test_any_number_of_threads_gives_the_same():
    frames, results = film(panned(4))[0], []
    for n in (1, 3):
        motionseg.set_num_threads(n)
        results.append(scores(watched_offline(frames), frames))
    np.testing.assert_array_equal(results[0], results[1])


def test_the_file_is_closed():
    offline = watched_offline(film(panned(3))[0])
    file = offline._file
    assert not file.closed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del offline
        gc.collect()
    assert file.closed


# --- whole clips before any camera ------------------------------------------------------------------


def test_a_panning_clip_is_found_from_its_first_frame_on():
    frames, truths = film(panned(12))
    model, online = Auto().bootstrap(iter(frames)), Auto()
    overlaps = []
    for frame, truth in zip(frames, truths, strict=True):
        mask = model.apply(frame)
        overlaps.append((overlap(online.apply(frame), truth), overlap(mask, truth)))
        assert model.way == "flow"
        assert overlaps[-1][1] > 0.6
        np.testing.assert_array_equal(mask == 255, model.score() >= 0.5)
        evidence = model.evidence()
        assert "backward" in evidence
        total = np.sum(list(evidence.values()), axis=0)
        np.testing.assert_allclose(1 / (1 + np.exp(-total)), model.score(), atol=1e-5)
    before, after = np.mean(overlaps, axis=0)
    assert after >= before
    assert model.behaviour == "panning"
    assert [frame.shape for frame in frames] == [(*SHAPE, 3)] * 12


def test_other_frames_go_online():
    frames, truths = film(panned(9))
    model = Auto().bootstrap(frames[:6])
    for i, (frame, truth) in enumerate(zip(frames, truths, strict=True)):
        mask = model.apply(frame)
        assert ("forward" in model.evidence()) == (i < 6)
        assert overlap(mask, truth) > 0.6
    assert (model.behaviour, model.way) == ("panning", "flow")


def test_frozen_looks_are_of_the_clip_too():
    frames, truths = film(panned(8))
    model = Auto().bootstrap(frames[:6])
    for frame in frames[:5]:
        model.apply(frame)
    before = model.state()
    mask = model.apply(frames[4], learning_rate=0)
    assert overlap(mask, truths[4]) > 0.6
    assert "forward" in model.evidence()
    mask = model.apply(frames[7], learning_rate=0)  # nothing to know it by
    assert not mask.any()
    assert not model.score().any()
    assert all(np.array_equal(array, before[name]) for name, array in model.state().items())


def test_the_background_of_a_camera_that_rests_is_learned_from_all_frames(monkeypatch):
    pushed = []
    monkeypatch.setattr(FlowOffline, "push", lambda self, frame: pushed.append(frame))
    frames, truths = film([20] * 30)
    model = Auto().bootstrap(frames)
    assert not pushed
    assert model.memory() > 0
    for i, (frame, truth) in enumerate(zip(frames, truths, strict=True)):
        mask = model.apply(frame)
        assert (model.behaviour, model.way) == ("still", "background")
        assert overlap(mask, truth) > 0.7, i  # there is no ghost of the first frame
    clean = cv2.warpAffine(WORLD, np.array([[1, 0, -20.0], [0, 1, -30]]), SHAPE[::-1], flags=cv2.INTER_CUBIC)
    assert np.abs(model.background() - clean).mean() < 5


@pytest.mark.slow
def test_only_frames_near_a_moving_camera_are_done(monkeypatch):
    monkeypatch.setattr("motionseg.pipeline.auto.WINDOW", 4)  # of looking back; the watch keeps its own
    places = [20.0] * 12 + [20 + 3.0 * (k + 1) for k in range(8)] + [44.0] * 40
    frames, _truths = film(places)
    pushed, finished, push, finish = [], [], FlowOffline.push, FlowOffline.finish
    keys = [fingerprint(frame) for frame in frames]
    monkeypatch.setattr(
        FlowOffline, "push", lambda self, frame: pushed.append(keys.index(fingerprint(frame))) or push(self, frame)
    )
    monkeypatch.setattr(FlowOffline, "finish", lambda self: finished.append(len(pushed)) or finish(self))
    model = Auto().bootstrap(frame for frame in frames)
    assert pushed == list(range(pushed[0], pushed[-1] + 1))  # each once, in their order
    assert 8 <= pushed[0] <= 12
    assert 40 <= pushed[-1] <= 52
    assert finished[-1] == len(pushed)
    known = [model._offline.look_up(frame) is not None for frame in frames]
    assert known == [pushed[0] <= i <= pushed[-1] for i in range(len(frames))]


def test_shots_are_parted():
    frames = [*film(panned(5))[0], *film(panned(5), world=OTHER)[0]]
    model = Auto().bootstrap(frames)
    alone = watched_offline(frames[5:])
    for i, frame in enumerate(frames):
        model.apply(frame)
        assert model.way == "flow"
        assert (model.motion is None) == (i in (0, 5))
        if i >= 5:
            np.testing.assert_array_equal(model.score(), alone.look_up(frame).score)


def test_large_frames():
    frames, truths = film(panned(4), size=3)
    model = Auto().bootstrap(frames)
    for frame, truth in zip(frames, truths, strict=True):
        mask = model.apply(frame)
        assert mask.shape == (360, 480)
        assert overlap(mask, cv2.resize(np.uint8(truth), (480, 360)) > 0) > 0.6
        assert all(share.shape == (360, 480) for share in model.evidence().values())


def test_one_buffer_may_serve_all_frames():
    frames = film(panned(5))[0]

    def read():
        buffer = np.empty_like(frames[0])
        for frame in frames:
            buffer[:] = frame
            yield buffer
            buffer[:] = 0

    model, other = Auto().bootstrap(read()), Auto().bootstrap(frames)
    for frame in frames:
        np.testing.assert_array_equal(model.apply(frame), other.apply(frame))
        np.testing.assert_array_equal(model.score(), other.score())


def test_known_foreground_is_reported():
    known = np.zeros(SHAPE, bool)
    known[100:115, 5:45] = True
    frames = film(panned(6))[0]
    model = Auto().bootstrap(frames)
    for i in (0, 1, 2):
        mask = model.apply(frames[i], known_foreground=known)
        assert (mask[known] == 255).all()
        assert (model.score()[known] == 1).all()
    assert not model.apply(frames[3])[known].any()


def test_a_state_leaves_the_clip_known_and_a_reset_does_not():
    frames = film(panned(5))[0]
    model, heir = (Auto().bootstrap(frames) for _ in range(2))
    for frame in frames[:3]:
        model.apply(frame)
    heir.load_state(model.state())
    for frame in frames[3:]:
        np.testing.assert_array_equal(heir.apply(frame), model.apply(frame))
        assert "forward" in heir.evidence()
    heir.reset()
    assert (heir.memory(), heir.behaviour, heir.way) == (0, "still", "background")
    fresh = Auto()
    for frame in frames[:5]:
        np.testing.assert_array_equal(heir.apply(frame), fresh.apply(frame))


def test_bad_clips_are_refused():
    frames = film(panned(4))[0]
    model, undisturbed = Auto(), Auto()
    for frame in frames[:2]:
        model.apply(frame)
        undisturbed.apply(frame)
    for clip in ([], [frames[0].astype(float)], [*frames[:2], frames[2][:50]], [[1, 2]]):
        with pytest.raises(FrameError):
            model.bootstrap(clip)
    for frame in frames[2:]:
        np.testing.assert_array_equal(model.apply(frame), undisturbed.apply(frame))
        np.testing.assert_array_equal(model.score(), undisturbed.score())
