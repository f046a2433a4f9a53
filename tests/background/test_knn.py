"""KNN is its twin, whose turns are the same; and what it says of real scenes is what OpenCV's says."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.knn import knn

from motionseg.background import KNN
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers"),
    [
        ((9, 23, 3), {}),
        ((11, 18), {}),
        ((8, 16, 3), {"history": 12, "n_samples": 3, "k": 1, "seed": 5}),
        ((5, 13, 3), {"threshold": 150.5, "k": 4, "shadow_threshold": 0.8}),
        ((6, 11), {"detect_shadows": False, "history": 30, "threshold": 21609}),
    ],
)
def test_it_is_its_twin(shape, numbers):
    frames, model = footage(70, shape, block_from=10, flicker=8), KNN(**numbers)
    seen = set()
    for frame, (mask, score) in zip(frames, knn(frames, **numbers), strict=True):
        np.testing.assert_array_equal(model.apply(frame), mask)
        sure = mask != 0  # elsewhere the score is an upper bound
        np.testing.assert_allclose(model.score()[sure], score[sure], rtol=1e-6)
        assert (model.score()[~sure] >= score[~sure] - 1e-6).all()
        assert (model.score()[~sure] < 0.5).all()
        seen |= set(np.unique(mask))
    if not numbers:
        assert seen == {0, 127, 255}


def test_shadows_score_below_one_half_and_can_be_foreground():
    frames = footage(60, (30, 60, 3), block_from=50)
    with_shadows, without = KNN(), KNN(detect_shadows=False)
    for frame in frames:
        a, b = with_shadows.apply(frame), without.apply(frame)
    assert (a == 127).sum() > 40
    assert (with_shadows.score()[a == 127] < 0.5).all()
    np.testing.assert_array_equal(b == 255, a != 0)


def test_backgrounds_of_two_colors_are_learned():
    model = KNN(history=60)
    for i in range(150):
        mask = model.apply(np.full((8, 16, 3), (60, 60, 60) if i % 2 else (180, 190, 60), np.uint8))
    assert not mask.any()
    assert {tuple(color) for color in model.background().reshape(-1, 3)} <= {(60, 60, 60), (180, 190, 60)}


def test_something_that_stays_is_learned_at_the_end_of_the_history():
    model, masks = KNN(history=40), []
    for i in range(120):
        masks.append(model.apply(np.full((8, 16), 60 if i < 40 else 180, np.uint8)))
    assert (masks[41] == 255).all()
    assert not masks[-1].any()
    assert (model.background() == 180).all()


def test_the_picture_of_the_background_is_the_wall():
    frames, model = footage(80, (20, 50, 3), noise=2, block_from=75), KNN()
    for frame in frames:
        model.apply(frame)
    assert np.abs(model.background() - np.median(frames, axis=0)).mean() < 3


def test_the_seed_chooses_the_turns():
    frames = footage(60, (20, 50, 3), noise=12)
    pictures = []
    for seed in (0, 0, 1):
        model = KNN(seed=seed)
        for frame in frames:
            model.apply(frame)
        pictures.append(model.state()["samples"])
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert (pictures[0] != pictures[2]).any()


@pytest.mark.parametrize("shape", [(60, 80, 3), (60, 80)])
def test_it_agrees_with_opencv(shape):
    frames = footage(120, shape, noise=4)
    ours, theirs, same = KNN(), cv2.createBackgroundSubtractorKNN(), []
    for i, frame in enumerate(frames):
        a, b = ours.apply(frame), theirs.apply(frame)
        if i >= 30:  # the first frame is foreground there
            same.append(np.mean((a == 255) == (b == 255)))
    assert np.mean(same) > 0.985


@pytest.mark.data
def test_it_agrees_with_opencv_on_a_road(data_root):
    road = data_root / "CDnet2014/dataset/baseline/highway"
    ours, theirs = KNN(), cv2.createBackgroundSubtractorKNN()
    counts, same = [ChangeCounts(), ChangeCounts()], []
    for i in range(371, 671):
        frame = cv2.imread(str(road / f"input/in{i:06d}.jpg"))
        truth = cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE)
        masks = ours.apply(frame), theirs.apply(frame)
        if i >= 470:
            same.append(np.mean(masks[0] == masks[1]))
        counts = [count + count_change(mask, truth) for count, mask in zip(counts, masks, strict=True)]
    assert np.mean(same) > 0.975
    assert counts[0].f_measure > counts[1].f_measure - 0.03


@pytest.mark.parametrize(
    "bad", [{"history": 0}, {"threshold": 0}, {"threshold": 21610}, {"k": 8}, {"n_samples": 41}, {"seed": -1}]
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        KNN(**bad)
