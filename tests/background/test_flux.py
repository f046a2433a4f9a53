"""Flux is its twin; it sees what moves, and nothing else."""

import cv2
import numpy as np
import pytest
from reference.flux import flux
from reference.footage import footage

from motionseg.background import Flux
from motionseg.core.errors import ParameterError, UnsupportedError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers"),
    [
        ((12, 23), {}),
        ((9, 18, 3), {"window": 3, "threshold": 8.0}),
        ((7, 16), {"window": 1, "learning_rate": 1.0}),
        ((1, 30), {"window": 5, "threshold": 8.0, "learning_rate": 0.2}),
    ],
)
def test_it_is_its_twin(shape, numbers):
    frames, model, found = footage(15, shape, block_from=5), Flux(**numbers), 0
    grey = [frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    for frame, (mask, score) in zip(frames, flux(grey, **numbers), strict=True):
        ours, sure = model.apply(frame), np.abs(score - 0.5) > 1e-4  # float32 against float64
        np.testing.assert_array_equal(ours[sure], mask[sure])
        np.testing.assert_allclose(model.score(), score, atol=1e-4)
        found += (ours == 255).sum()
    assert found > 5


def test_what_moves_is_seen_and_what_stops_is_not():
    rng = np.random.default_rng(0)
    wall, thing = rng.integers(0, 255, (40, 60), np.uint8), rng.integers(0, 255, (12, 12), np.uint8)
    model, masks = Flux(), []
    for i in range(40):
        frame = wall.copy()
        x = 2 * min(i, 20)
        frame[14:26, x : x + 12] = thing
        masks.append(model.apply(frame) == 255)
    assert masks[15][14:26, 30:42].mean() > 0.9
    assert masks[15][:, 43:].mean() == 0
    assert not masks[39].any()


def test_a_slow_change_of_light_is_no_motion():
    wall, model = np.random.default_rng(0).integers(0, 200, (20, 30), np.uint8), Flux()
    assert not any(model.apply((wall * (1 + i / 100)).astype(np.uint8)).any() for i in range(20))


def test_there_is_no_background():
    with pytest.raises(UnsupportedError):
        Flux().background()


@pytest.mark.parametrize("shape", [(64, 64, 3), (64, 64)])
def test_memory_is_what_it_says(shape):
    model = Flux()
    model.apply(np.zeros(shape, np.uint8))
    assert model.memory() == 6 * 64 * 64


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", Flux(), ChangeCounts()
    for i in range(560, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.7


@pytest.mark.parametrize("bad", [{"threshold": 0}, {"window": 4}, {"window": 0}, {"learning_rate": 0}])
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Flux(**bad)
