"""GSOC is its twin; its samples follow, are handed on and make way; and it finds what OpenCV's finds."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.gsoc import gsoc

from motionseg.background import GSOC
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers", "rate"),
    [
        ((12, 23, 3), {"hits_threshold": 4, "propagation_rate": 0.2, "n_samples": 4}, None),
        ((11, 18), {"replace_rate": 0.2, "blinking_multiplier": 0.9, "seed": 5}, None),
        ((10, 16, 3), {"n_samples": 3, "min_object": 0.03, "min_hole": 0.06, "alpha": 0.5, "beta": 0.0003}, None),
        ((13, 5), {"n_samples": 5, "hits_threshold": 0, "propagation_rate": 1.0, "blinking_decay": 0.6}, 0.02),
        ((9, 70, 3), {"n_samples": 6, "replace_rate": 0.5}, 1.0),
    ],
)
def test_it_is_its_twin(shape, numbers, rate):
    frames, model = footage(25, shape, block_from=5, flicker=25, noise=5), GSOC(**numbers)
    answers = gsoc(frames, **numbers, learning_rate=rate)
    for frame, (mask, score, _) in zip(frames, answers, strict=True):
        np.testing.assert_array_equal(model.apply(frame, learning_rate=rate), mask)
        np.testing.assert_allclose(model.score(), score, atol=1e-6)
    assert 0 < np.mean([score for _, score, _ in answers]) < 1


def test_the_films_of_the_twins_replace_samples_for_every_reason():
    frames = footage(25, (12, 23, 3), block_from=5, flicker=25, noise=5)
    numbers = {"hits_threshold": 4, "propagation_rate": 0.2, "replace_rate": 0.2, "blinking_multiplier": 0.9}
    assert (np.sum([counts for _, _, counts in gsoc(frames, **numbers)], axis=0) > 20).all()


def test_a_slow_change_of_light_is_followed():
    model, masks = GSOC(replace_rate=0), []
    for i in range(200):
        masks.append(model.apply(np.full((20, 30, 3), 40 + i // 2, np.uint8)))
    assert not np.any(masks)
    assert np.abs(model.background() - 139.0).max() < 20


def test_what_flickers_is_learned_sooner_than_what_stays():
    model = GSOC(seed=3)
    model.apply(np.full((40, 60), 60, np.uint8))
    for i in range(50):
        frame = np.full((40, 60), 60, np.uint8)
        frame[:, 40:] = 200
        if i % 2:
            frame[:, :20] = 200
        mask = model.apply(frame)
    assert not mask[:, :17].any()
    assert (mask[:, 43:] == 255).mean() > 0.5


def test_a_colour_spreads_to_the_neighbours():
    model, frame = GSOC(propagation_rate=1, hits_threshold=0, replace_rate=0), np.full((20, 40), 60, np.uint8)
    frame[:, 20:] = 200
    model.apply(frame)
    for _ in range(3):
        model.apply(frame)
    mask = model.apply(np.full((20, 40), 200, np.uint8), learning_rate=0)
    assert (mask[:, :14] == 255).all()
    assert not mask[:, 19:].any()


def test_specks_and_holes_are_swept_away():
    model, frame = GSOC(min_object=0.01, min_hole=0.01), np.full((40, 60, 3), 100, np.uint8)
    model.apply(frame)
    frame[5:9, 5:9], frame[15:32, 20:45] = 250, 250
    frame[20:24, 30:34] = 100
    mask = model.apply(frame)
    assert not mask[:12].any()
    assert (mask[16:31, 21:44] == 255).all()


def test_the_picture_of_the_background_is_the_wall():
    frames, model = footage(80, (20, 50, 3), noise=2, block_from=75), GSOC()
    for frame in frames:
        model.apply(frame)
    assert np.abs(model.background() - np.median(frames, axis=0)).mean() < 3


@pytest.mark.data
@pytest.mark.peers
def test_it_finds_what_that_of_opencv_finds(data_root):
    road = data_root / "CDnet2014/dataset/baseline/highway"
    ours, theirs = GSOC(), cv2.bgsegm.createBackgroundSubtractorGSOC()
    counts, same = [ChangeCounts(), ChangeCounts()], []
    for i in range(371, 671):
        frame = cv2.imread(str(road / f"input/in{i:06d}.jpg"))
        truth = cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE)
        masks = ours.apply(frame), theirs.apply(frame)
        if i >= 470:
            same.append(np.mean(masks[0] == masks[1]))
        counts = [count + count_change(mask, truth) for count, mask in zip(counts, masks, strict=True)]
    assert np.mean(same) > 0.985
    assert counts[0].f_measure > counts[1].f_measure - 0.01


@pytest.mark.parametrize(
    "bad", [{"n_samples": 1}, {"beta": 1.5}, {"hits_threshold": 255}, {"blinking_decay": 0}, {"seed": -1}]
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        GSOC(**bad)
