"""CountStability is its twin, and gives OpenCV's masks, pixel for pixel."""

import cv2
import numpy as np
import pytest
from reference.count_stability import count_stability
from reference.footage import footage

from motionseg.background import CountStability
from motionseg.core.errors import ParameterError

needs_contrib = pytest.mark.skipif(not hasattr(cv2, "bgsegm"), reason="OpenCV without its contrib modules")


def jumps(n, shape, seed=0):
    """Frames whose pixels stay, drift by a few levels, and jump now and then to one of a few greys."""
    rng = np.random.default_rng(seed)
    greys = np.array([0, 20, 48, 52, 90, 120, 255])
    level, frames = rng.choice(greys, shape), []
    for _ in range(n):
        level = np.where(rng.random(shape) < 0.1, rng.choice(greys, shape), level)
        level = np.where(rng.random(shape) < 0.2, level + rng.integers(-6, 7, shape), level).clip(0, 255)
        frames.append(level.astype(np.uint8))
    return frames


@pytest.mark.parametrize(
    ("shape", "numbers"),
    [
        ((9, 23, 3), {}),
        ((7, 19), {"min_stability": 1, "max_stability": 2}),
        ((8, 16, 3), {"min_stability": 3, "max_stability": 12}),
        ((5, 33), {"min_stability": 2, "max_stability": 300, "threshold": 12, "still_threshold": 2}),
    ],
)
def test_it_is_its_twin(shape, numbers):
    frames, model, answers = [*footage(30, shape, flicker=40), *jumps(60, shape)], CountStability(**numbers), []
    for frame, (mask, score, picture) in zip(frames, count_stability(frames, **numbers), strict=True):
        np.testing.assert_array_equal(model.apply(frame), mask)
        np.testing.assert_allclose(model.score(), score, rtol=1e-6)
        np.testing.assert_array_equal(model.background(), picture)
        answers.append(mask.mean())
    assert len(set(answers[20:])) > 20  # it has something to decide


@needs_contrib
@pytest.mark.parametrize("counts", [(15, 900), (1, 2), (3, 12), (4, 60)])
@pytest.mark.parametrize("shape", [(30, 40, 3), (40, 53)])
def test_masks_are_those_of_opencv(counts, shape):
    ours = CountStability(min_stability=counts[0], max_stability=counts[1])
    theirs = cv2.bgsegm.createBackgroundSubtractorCNT(counts[0], True, counts[1], False)
    for frame in jumps(200, shape):
        np.testing.assert_array_equal(ours.apply(frame), theirs.apply(frame))


@needs_contrib
@pytest.mark.data
def test_masks_are_those_of_opencv_on_a_road(data_root):
    road = data_root / "CDnet2014/dataset/baseline/highway"
    ours, theirs = CountStability(), cv2.bgsegm.createBackgroundSubtractorCNT()
    for i in range(1, 401):
        frame = cv2.imread(str(road / f"input/in{i:06d}.jpg"))
        np.testing.assert_array_equal(ours.apply(frame), theirs.apply(frame))


def test_what_stays_is_taken_over_when_it_has_stayed_half_as_long():
    model = CountStability(min_stability=5, max_stability=60)
    masks = [model.apply(np.full((2, 3), 60 if i < 100 else 160, np.uint8))[0, 0] for i in range(150)]
    assert masks[100:132] == [255] * 32
    assert masks[133:] == [0] * 17
    assert (model.background() == 160).all()


def test_a_rate_counts_frames_for_more():
    model = CountStability(max_stability=100)
    for i in range(40):
        mask = model.apply(np.full((2, 3), 60 if i < 20 else 160, np.uint8), learning_rate=0.2)
        if i == 21:
            assert (mask == 255).all()
    assert not mask.any()
    assert model.state()["credit"].max() == 100


def test_pixels_that_start_anew_among_settled_ones_need_not_wait():
    model, pixels = CountStability(), np.zeros((4, 6), bool)
    pixels[1:3, 1:3] = True
    for _ in range(20):
        model.apply(np.full((4, 6), 60, np.uint8))
    frame = np.where(pixels, 200, 60).astype(np.uint8)
    model.restart(frame, pixels)
    assert not model.apply(frame).any()


@pytest.mark.parametrize(
    "bad",
    [{"min_stability": 0}, {"max_stability": 15}, {"max_stability": 65536}, {"threshold": 0}, {"still_threshold": 256}],
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        CountStability(**bad)
