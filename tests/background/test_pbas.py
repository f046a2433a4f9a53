"""PBAS is its twin; its thresholds and rates follow the scene."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.pbas import gradients, pbas

from motionseg.background import PBAS
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers", "rate"),
    [
        ((12, 23, 3), {}, None),
        ((11, 18), {"min_period": 1.0, "max_period": 3.0, "seed": 5}, None),
        ((10, 16, 3), {"n_samples": 5, "k": 1, "radius": 7.5, "radius_scale": 3.0}, None),
        ((13, 5), {"n_samples": 9, "gradient_weight": 0.0}, 0.02),
        ((9, 70, 3), {"n_samples": 6, "k": 4, "gradient_weight": 90.0}, 0.5),
    ],
)
def test_it_is_its_twin(shape, numbers, rate):
    frames, model = footage(16, shape, block_from=5, flicker=25, noise=5), PBAS(**numbers)
    answers = pbas(frames, **numbers, learning_rate=rate)
    for frame, (mask, score) in zip(frames, answers, strict=True):
        np.testing.assert_array_equal(model.apply(frame, learning_rate=rate), mask)
        np.testing.assert_allclose(model.score(), score, atol=1e-6)
    assert 0 < np.mean([score for _, score in answers]) < 1


def test_gradients_are_half_of_sobels():
    frame = footage(1, (20, 31, 3))[0]
    x, y = (cv2.Sobel(frame, cv2.CV_64F, *order, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1)))
    np.testing.assert_array_equal(gradients(frame.astype(int)), np.minimum(np.hypot(x, y) / 2, 255).astype(int))


def test_restless_pixels_get_a_larger_radius_and_are_no_foreground():
    rng, model = np.random.default_rng(0), PBAS(gradient_weight=0)
    for i in range(150):
        frame = np.full((40, 60), 100, np.uint8)
        frame[:, 30:] = 100 + 40 * (i % 2) + rng.integers(-20, 20, (40, 30))
        mask = model.apply(frame)
    radius = model.state()["feedback"][:, 1].reshape(-1)[: 40 * 60].reshape(40, 60)
    assert (radius[:, :28] < 19).all()
    assert (radius[:, 32:] > 19).mean() > 0.5
    assert not mask.any()


def test_the_period_of_foreground_grows_and_that_of_background_shrinks():
    model = PBAS(max_period=40)
    model.apply(np.full((40, 60), 100, np.uint8))
    frame = np.full((40, 60), 100, np.uint8)
    frame[10:30, 20:40] = 104
    frame[15:25, 25:35] = 150
    for _ in range(20):
        model.apply(frame)
    period = model.state()["feedback"][:, 2].reshape(-1)[: 40 * 60].reshape(40, 60)
    assert period[0, 0] == pytest.approx(18 - 20 * 0.05, abs=0.01)
    assert 18 < period[20, 30] < 40


def test_speckles_are_swept_away():
    model, frame = PBAS(), np.full((40, 60, 3), 100, np.uint8)
    model.apply(frame)
    frame[5:8, 5:8], frame[20:32, 20:40] = 250, 250
    mask = model.apply(frame)
    assert not mask[:15].any()
    assert (mask[23:29, 23:37] == 255).all()


def test_what_stands_still_is_eaten_up_from_its_borders():
    model, empty = PBAS(min_period=1, max_period=1), np.full((60, 80), 60, np.uint8)
    model.apply(empty)
    frame = empty.copy()
    frame[10:50, 20:70] = 200
    areas = [np.count_nonzero(model.apply(frame)) for _ in range(400)]
    assert areas[0] > 1900
    assert (np.diff(areas[:100:20]) < 0).all()
    assert areas[-1] == 0


def test_the_picture_of_the_background_is_the_median_of_the_samples():
    model, shape = PBAS(n_samples=4), (20, 50, 3)
    for frame in footage(5, shape):
        model.apply(frame)
    samples = model.state()["samples"][..., :64].reshape(4, -1, 3, 64).transpose(0, 1, 3, 2).reshape(4, -1, 3)
    median = np.sort(samples, axis=0)[1, : 20 * 50].reshape(shape)
    np.testing.assert_array_equal(model.background(), median)


@pytest.mark.parametrize(("shape", "size"), [((64, 64, 3), 246), ((64, 64), 82)])
def test_memory_is_what_it_says(shape, size):
    model = PBAS()
    model.apply(np.zeros(shape, np.uint8))
    assert sum(model.state()[name].nbytes for name in ("samples", "feedback")) == size * 64 * 64


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", PBAS(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.85


@pytest.mark.parametrize(
    "bad", [{"n_samples": 0}, {"radius": 255}, {"k": 36}, {"min_period": 0.5}, {"max_period": 1.5}, {"seed": -1}]
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        PBAS(**bad)
