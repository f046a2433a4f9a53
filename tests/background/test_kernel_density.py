"""KernelDensity is its twin; it knows many colours, and how noisy a pixel is."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.kernel_density import kernel_density

from motionseg.background import KernelDensity
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers", "given"),
    [
        ((9, 23, 3), {}, None),
        ((11, 18), {"n_samples": 3, "recent": 3, "history": 12, "min_bandwidth": 2.0}, None),
        ((8, 20, 3), {"n_samples": 9, "recent": 20, "history": 30, "threshold": 0.3, "min_bandwidth": 0.5}, None),
        ((5, 13, 3), {"n_samples": 6}, 0.4),
        ((6, 32), {"n_samples": 5, "threshold": 0.05}, 0.03),
    ],
)
def test_it_is_its_twin(shape, numbers, given):
    frames, model, found = footage(45, shape, block_from=8, flicker=25), KernelDensity(**numbers), 0
    answers, (recent, lasting) = kernel_density(frames, learning_rate=given, **numbers)
    for frame, (mask, score) in zip(frames, answers, strict=True):
        ours, sure = model.apply(frame, learning_rate=given), np.abs(score - 0.5) > 1e-4  # float32 against float64
        np.testing.assert_array_equal(ours[sure], mask[sure])
        is_found = sure & (ours == 255)
        np.testing.assert_allclose(model.score()[is_found], score[is_found], rtol=1e-3)
        assert (model.score() > score - 1e-3).all()
        found += is_found.sum()
    assert found > 50
    state, pixels = model.state(), model._cells(tuple(np.indices(shape[:2]).reshape(2, -1)))
    for name, samples in (("recent", recent), ("lasting", lasting)):
        expected = np.stack(samples).reshape(len(samples), shape[0] * shape[1], -1)
        np.testing.assert_array_equal(state[name][pixels[f"_{name}"]], expected)


def test_the_score_is_the_probability_of_foreground():
    model = KernelDensity(n_samples=1, recent=1, history=1, threshold=0.2, min_bandwidth=10.0)
    model.apply(np.full((1, 1, 3), 100, np.uint8))
    model.apply(np.full((1, 1, 3), (100, 120, 110), np.uint8), learning_rate=0)
    density = np.exp(-(20**2 + 10**2) / (2 * 10**2))
    assert model.score()[0, 0] == pytest.approx(0.2 / (0.2 + density), rel=0.01)


def test_what_flickers_between_colors_is_learned_and_what_lies_between_them_is_not():
    model, colors = KernelDensity(), [(200, 60, 60), (60, 200, 60), (60, 60, 200)]
    rng = np.random.default_rng(0)
    for _ in range(300):
        mask = model.apply(np.full((2, 2, 3), colors[rng.integers(3)], np.uint8))
    assert not mask.any()
    assert model.apply(np.full((2, 2, 3), (107, 107, 107), np.uint8)).all()


def test_a_noisy_pixel_is_judged_mildly():
    model, rng = KernelDensity(min_bandwidth=2.0), np.random.default_rng(0)
    for _ in range(300):
        frame = np.full((8, 16), 120, np.uint8)
        frame[:, 8:] = (120 + rng.normal(0, 12, (8, 8))).clip(0, 255)
        model.apply(frame)
    mask = model.apply(np.full((8, 16), 130, np.uint8))
    assert mask[:, :8].all()
    assert not mask[:, 8:].any()


def test_what_has_stopped_is_learned_in_time():
    model = KernelDensity(threshold=0.08, history=200)
    masks = [model.apply(np.full((1, 1), 60 if i < 50 else 200, np.uint8))[0, 0] for i in range(160)]
    assert masks == [0] * 50 + [255] * 11 + [0] * 99  # from the second of 20 samples on, of frames 50 and 60


@pytest.mark.parametrize(("shape", "size"), [((64, 64, 3), 126), ((64, 64), 42)])
def test_memory_is_what_it_says(shape, size):
    model = KernelDensity()
    model.apply(np.zeros(shape, np.uint8))
    assert model.memory() == size * 64 * 64


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", KernelDensity(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.8


@pytest.mark.parametrize(
    "bad", [{"n_samples": 0}, {"threshold": 0}, {"recent": 19}, {"history": 19}, {"min_bandwidth": 0.4}]
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        KernelDensity(**bad)
