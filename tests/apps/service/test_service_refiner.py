"""Refiners that share runs: what they say, whom an error reaches, and that nobody waits for ever."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from motionseg.apps.config import build_segmenter
from motionseg.apps.service import shared_refiner
from motionseg.apps.service.shared_refiner import SharedRefiner, SharedRuns, share_refiner
from motionseg.core.errors import FrameError, ParameterError

pytest.importorskip("torch")

from motionseg.refine import Refiner


def scene(seed, n=4, shape=(96, 128)):
    """Frames in which a square moves over a wall, the wall, and rough scores."""
    rng = np.random.default_rng(seed)
    wall = rng.integers(60, 120, (*shape, 3)).astype(np.uint8)
    frames, scores = [], []
    for i in range(n):
        frame, score = wall.copy(), np.zeros(shape, np.float32)
        frame[30:70, 20 + 8 * i : 60 + 8 * i] = (20, 40, 220)
        score[28:66, 24 + 8 * i : 60 + 8 * i] = 0.9
        frames.append(frame)
        scores.append(score)
    return frames, wall, scores


def all_at_once(*jobs):
    """Run every job in a thread of its own; their results, or what they raised."""
    results = [None] * len(jobs)
    barrier = threading.Barrier(len(jobs))

    def run(k):
        barrier.wait(60)
        try:
            results[k] = jobs[k]()
        except Exception as error:
            results[k] = error

    threads = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return results


def refined(refiner, frames, wall, scores):
    return lambda: [refiner.refine(frame, wall, score) for frame, score in zip(frames, scores, strict=True)]


def expect_all(runs, refiners):
    """As if each of them had had a frame a moment ago, for a long time."""
    runs._seen = {id(refiner): time.monotonic() + 1e6 for refiner in refiners}


def test_each_says_what_it_says_alone():
    runs = SharedRuns()
    scenes = [scene(0), scene(1), scene(2), scene(3, shape=(64, 90))]
    together = all_at_once(*(refined(SharedRefiner(runs, dtype="float32"), *s) for s in scenes))
    for found, (frames, wall, scores) in zip(together, scenes, strict=True):
        alone = refined(Refiner(dtype="float32"), frames, wall, scores)()
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)
    status = runs.status()
    assert status["frames"] == 16
    assert 4 <= status["runs"] <= 16


def test_frames_of_all_cameras_are_one_run():
    runs = SharedRuns(wait=1.0)
    refiners = [SharedRefiner(runs) for _ in range(3)]
    expect_all(runs, refiners)
    results = all_at_once(*(refined(r, *scene(k, n=1)) for k, r in enumerate(refiners)))
    assert [len(found) for found in results] == [1, 1, 1]
    assert runs.status() == {"runs": 1, "frames": 3}


def test_nobody_waits_for_a_camera_that_is_dead():
    runs = SharedRuns(wait=0.01)
    alive, dead = SharedRefiner(runs), SharedRefiner(runs)
    expect_all(runs, [alive, dead])
    assert len(all_at_once(refined(alive, *scene(0, n=3)))[0]) == 3
    assert runs.status() == {"runs": 3, "frames": 3}


def test_a_frame_that_does_not_fit_concerns_its_own_camera():
    runs = SharedRuns()
    frames, wall, scores = scene(0)
    good, bad = SharedRefiner(runs), SharedRefiner(runs)
    found, error = all_at_once(refined(good, frames, wall, scores), refined(bad, frames, wall[:50], scores))
    assert len(found) == 4
    assert isinstance(error, FrameError)
    assert bad.refine(frames[0], wall, scores[0]).shape == (96, 128)  # and it is as before


def test_a_network_that_fails_concerns_the_camera_with_which_it_fails(monkeypatch):
    runs = SharedRuns(wait=1.0)
    refiners = [SharedRefiner(runs, dtype="float32") for _ in range(3)]
    expect_all(runs, refiners)
    together = shared_refiner.refine_together

    def failing(of, views):
        if refiners[1] in of:
            raise RuntimeError("no memory")
        return together(of, views)

    monkeypatch.setattr(shared_refiner, "refine_together", failing)
    frames, wall, scores = scene(0, n=1)
    found = all_at_once(*(refined(r, frames, wall, scores) for r in refiners))
    assert isinstance(found[1], RuntimeError)
    alone = Refiner(dtype="float32").refine(frames[0], wall, scores[0])
    for k in (0, 2):
        np.testing.assert_allclose(found[k][0], alone, atol=1e-3)
    monkeypatch.undo()
    assert all(len(scores) == 1 for scores in all_at_once(*(refined(r, *scene(1, n=1)) for r in refiners)))


@pytest.mark.parametrize("wait", [-0.1, 2.0, float("nan"), "long"])
def test_waits_are_checked(wait):
    with pytest.raises(ParameterError, match="wait"):
        SharedRuns(wait=wait)


def test_a_segmenter_refines_with_others_and_goes_on_from_its_state():
    runs = SharedRuns()
    plain = build_segmenter("running_average+refine", {"refine.dtype": "float32"})
    shared = share_refiner(build_segmenter("running_average+refine", {"refine.dtype": "float32"}), runs)
    assert shared.background.params()["refiner"].params() == plain.background.refiner.params()
    frames, wall, _ = scene(0, n=5)
    for i, frame in enumerate([wall, wall, *frames[:3]]):
        one, other = plain.step(frame, i / 10), shared.step(frame, i / 10)
        assert np.mean(one.mask != other.mask) < 1e-3
    assert runs.status()["frames"] == 5
    later = share_refiner(build_segmenter("running_average+refine", {"refine.dtype": "float32"}), runs)
    later.load_state(shared.state())
    np.testing.assert_array_equal(later.step(frames[3], 1.0).mask, shared.step(frames[3], 1.0).mask)
    assert runs.status()["frames"] == 7  # the one that was loaded shares, too


def test_what_does_not_refine_stays_as_it_is():
    segmenter = build_segmenter("running_average")
    background = segmenter.background
    assert share_refiner(segmenter, SharedRuns()).background is background


def test_a_clone_shares_and_its_changes_are_checked():
    refiner = SharedRefiner(SharedRuns(), tile=256)
    assert refiner.clone().runs is refiner.runs
    assert refiner.clone(tile=512).params() == {**refiner.params(), "tile": 512}
    with pytest.raises(ParameterError, match="runs"):
        refiner.clone(runs=None)


def test_who_runs_the_network_for_many_others_also_gets_an_answer(monkeypatch):
    runs = SharedRuns(wait=0)
    monkeypatch.setattr(shared_refiner, "_MOST", 2)
    frames, wall, scores = scene(0, n=1)
    refiners = [SharedRefiner(runs) for _ in range(4)]
    views = [shared_refiner.View(frames[0], wall, scores[0], None, None, None) for _ in refiners]
    others = [shared_refiner._Turn(refiner, view) for refiner, view in zip(refiners[:3], views, strict=False)]
    runs._waiting += others  # they came first
    score = refiners[3].refine(frames[0], wall, scores[0])
    assert score.shape == frames[0].shape[:2]
    assert all(turn.is_done for turn in others)
    assert runs.status() == {"runs": 2, "frames": 4}
