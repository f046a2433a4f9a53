"""Eigenbackground is its twin; it knows light that comes back."""

import cv2
import numpy as np
import pytest
from reference.eigenbackground import eigenbackground
from reference.footage import footage

from motionseg.background import Eigenbackground
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers", "given"),
    [
        ((9, 23, 3), {}, None),
        ((24, 30), {"n_components": 1, "threshold": 40.0}, None),
        ((8, 20, 3), {"n_components": 5, "learning_rate": 0.3}, None),
        ((11, 18), {}, 0.2),
    ],
)
def test_it_is_its_twin(shape, numbers, given):
    frames, model, found = footage(25, shape, block_from=8, flicker=25), Eigenbackground(**numbers), 0
    for frame, (mask, score, mean, components) in zip(
        frames, eigenbackground(frames, given=given, **numbers), strict=True
    ):
        ours, sure = model.apply(frame, learning_rate=given), np.abs(score - 0.5) > 1e-3  # float32 against float64
        np.testing.assert_array_equal(ours[sure], mask[sure])
        np.testing.assert_allclose(model.score(), score, atol=2e-3)
        state = model.state()
        np.testing.assert_allclose(state["mean"].ravel(), mean, atol=0.05)
        for v, expected in zip(state["components"], components, strict=False):
            assert np.linalg.norm(v.ravel() - expected) < 1e-3 * np.linalg.norm(expected) + 1e-2
        found += (ours == 255).sum()
    assert found > 50


def test_the_components_are_eigenvectors():
    rng, model = np.random.default_rng(0), Eigenbackground(n_components=2, threshold=255, learning_rate=0.004)
    ways = np.linalg.qr(rng.normal(0, 1, (600, 2)))[0].T * [[400], [150]]
    for _ in range(1500):
        model.apply((128 + rng.normal(0, 1, 2) @ ways).round().clip(0, 255).astype(np.uint8).reshape(20, 30))
    for v, way in zip(model.state()["components"].reshape(2, -1), ways, strict=True):
        assert abs(v @ way) > 0.98 * np.linalg.norm(v) * np.linalg.norm(way)
        assert np.linalg.norm(v) == pytest.approx(way @ way, rel=0.35)  # the variance that way


def lit(light, thing=False):
    wall = np.random.default_rng(0).integers(50, 120, (300, 320, 3))  # large: coefficients come from a part of it
    frame = wall * (1 + light * np.linspace(0, 1, 320)[:, None])
    if thing:
        frame[100:150, 100:150] = 230
    return frame.clip(0, 255).astype(np.uint8)


def test_light_that_comes_back_is_known_and_things_are_seen_in_it():
    model = Eigenbackground()
    for i in range(60):
        model.apply(lit(0.8 * (i % 20 >= 10)))
    for light in (0.8, 0.4, 0):
        mask = model.apply(lit(light, thing=True), learning_rate=0) == 255
        assert mask[100:150, 100:150].mean() > 0.95
        mask[100:150, 100:150] = False
        assert mask.mean() < 0.01
    model.apply(lit(0.8))
    assert np.abs(model.background().astype(int) - lit(0.8)).mean() < 5
    model.apply(lit(0))
    assert np.abs(model.background().astype(int) - lit(0)).mean() < 5


@pytest.mark.parametrize(("shape", "size"), [((64, 64, 3), 48), ((64, 64), 16)])
def test_memory_is_what_it_says(shape, size):
    model = Eigenbackground()
    model.apply(np.zeros(shape, np.uint8))
    assert model.memory() == size * 64 * 64 + 4 * 3


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", Eigenbackground(), ChangeCounts()
    for i in range(300, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.75


@pytest.mark.parametrize("bad", [{"n_components": 0}, {"threshold": 0}, {"learning_rate": 0}])
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Eigenbackground(**bad)
