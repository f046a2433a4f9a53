"""GaussianMixture is its twin, and OpenCV's MOG2 but for rounding."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.gaussian_mixture import gaussian_mixture

from motionseg.background import GaussianMixture
from motionseg.core.errors import ParameterError


@pytest.mark.parametrize(
    ("shape", "numbers"),
    [
        ((9, 23, 3), {}),
        ((11, 18), {}),
        ((8, 16, 3), {"n_components": 2, "history": 20, "complexity_reduction": 0.2}),
        ((5, 13, 3), {"n_components": 1, "background_ratio": 0.6}),
        ((6, 22), {"detect_shadows": False, "generate_threshold": 25.0, "var_max": 40.0}),
        ((7, 19, 3), {"shadow_threshold": 0.8, "threshold": 6.0, "var_init": 30.0, "var_min": 9.0}),
    ],
)
def test_it_is_its_twin(shape, numbers):
    frames, model = footage(60, shape, block_from=5, flicker=12), GaussianMixture(**numbers)
    same, near, seen = [], [], set()
    for frame, (mask, score) in zip(frames, gaussian_mixture(frames, **model.params()), strict=True):
        ours = model.apply(frame)
        same.append(np.mean(ours == mask))
        near.append(np.mean(np.abs(model.score() - score)[ours == mask] < 1e-3))
        np.testing.assert_array_equal(model.score() >= 0.5, ours == 255)
        seen |= set(np.unique(mask))
    # single against double precision: where a distance is its threshold, either may be right
    assert np.mean(same) > 0.999
    assert np.mean(near) > 0.995
    if not numbers:
        assert seen == {0, 127, 255}


@pytest.mark.parametrize("detect_shadows", [True, False])
@pytest.mark.parametrize("shape", [(61, 83, 3), (60, 90)])
def test_it_is_opencvs(shape, detect_shadows):
    frames = footage(150, shape, noise=5, flicker=10)
    ours = GaussianMixture(detect_shadows=detect_shadows)
    theirs = cv2.createBackgroundSubtractorMOG2(detectShadows=detect_shadows)
    same = [np.mean(ours.apply(frame) == theirs.apply(frame)) for frame in frames]
    assert np.mean(same[1:]) > 0.995


def test_shadows_are_labelled_or_foreground():
    frames = footage(60, (30, 60, 3), block_from=50)
    with_shadows, without = GaussianMixture(), GaussianMixture(detect_shadows=False)
    for frame in frames:
        a, b = with_shadows.apply(frame), without.apply(frame)
    assert (a == 127).sum() > 40
    assert (with_shadows.score()[a == 127] < 0.5).all()
    np.testing.assert_array_equal(b == 255, a != 0)


def test_backgrounds_of_two_colors_are_learned():
    model = GaussianMixture(history=50)
    for i in range(200):
        mask = model.apply(np.full((5, 30, 3), (60, 60, 60) if i % 2 else (180, 190, 60), np.uint8))
    assert not mask.any()


def test_the_picture_of_the_background_is_the_wall():
    frames, model = footage(80, (20, 50, 3), noise=2, block_from=75), GaussianMixture()
    for frame in frames:
        model.apply(frame)
    assert np.abs(model.background() - np.median(frames, axis=0)).mean() < 1.5


@pytest.mark.data
def test_it_is_opencvs_on_a_road(data_root):
    road = data_root / "CDnet2014/dataset/baseline/highway/input"
    ours, theirs, same = GaussianMixture(), cv2.createBackgroundSubtractorMOG2(), []
    for i in range(470, 620):
        frame = cv2.imread(str(road / f"in{i:06d}.jpg"))
        same.append(np.mean(ours.apply(frame) == theirs.apply(frame)))
    assert np.mean(same[1:]) > 0.998


@pytest.mark.parametrize(
    "bad",
    [
        {"history": 0},
        {"threshold": 0},
        {"n_components": 17},
        {"background_ratio": 1.5},
        {"var_max": 1.0},
        {"var_init": 100.0},
        {"complexity_reduction": 1.0},
        {"shadow_threshold": 0},
        {"detect_shadows": "yes"},
    ],
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        GaussianMixture(**bad)
