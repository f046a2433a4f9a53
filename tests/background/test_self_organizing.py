"""SelfOrganizing is its twin; neighbours learn together."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.self_organizing import self_organizing

from motionseg.background import SelfOrganizing
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers", "given"),
    [
        ((9, 23, 3), {}, None),
        ((11, 18), {"calibration": 3, "learning_rate": 0.3}, None),
        ((8, 20, 3), {"threshold": 9.0, "calibration": 0}, None),
        ((5, 3, 3), {"threshold": 30.0, "calibration_threshold": 40.0}, 1.0),
        ((1, 13), {"calibration": 20, "calibration_threshold": 50.0}, 0.1),
        ((12, 1, 3), {"calibration": 10}, None),
    ],
)
def test_it_is_its_twin(shape, numbers, given):
    frames, model, found = footage(25, shape, block_from=8, flicker=25), SelfOrganizing(**numbers), 0
    answers = self_organizing(frames, given=given, **numbers)
    for frame, (mask, score, neurons) in zip(frames, answers, strict=True):
        ours = model.apply(frame, learning_rate=given)
        np.testing.assert_array_equal(ours, mask)
        np.testing.assert_allclose(model.score(), score, rtol=1e-5)
        state = model.state()["neurons"].transpose(0, 3, 1, 2).reshape(*shape[:2], 3, 3, -1)
        np.testing.assert_array_equal(state.transpose(0, 2, 1, 3, 4).reshape(neurons.shape), neurons)
        found += (ours == 255).sum()
    assert found > 10


def test_what_sways_between_neighbors_is_learned():
    rng, swaying = np.random.default_rng(0), SelfOrganizing()
    wall = rng.integers(60, 140, (40, 40), np.uint8)
    shares = [np.mean(swaying.apply(np.roll(wall, i % 2, axis=1)) == 255) for i in range(100)]
    assert shares[1] > 0.3
    assert shares[99] < 0.1


def test_a_calibrated_model_learns_no_foreground():
    model = SelfOrganizing(calibration=20)
    for _ in range(20):
        model.apply(np.full((4, 4), 60, np.uint8))
    for _ in range(100):
        assert model.apply(np.full((4, 4), 90, np.uint8)).all()
    model.reset()
    model.apply(np.full((4, 4), 60, np.uint8))
    assert model.apply(np.full((4, 4), 90, np.uint8)).all()
    assert not model.apply(np.full((4, 4), 90, np.uint8)).any()


@pytest.mark.parametrize(("shape", "size"), [((64, 64, 3), 54), ((64, 64), 18)])
def test_memory_is_what_it_says(shape, size):
    model = SelfOrganizing()
    model.apply(np.zeros(shape, np.uint8))
    assert model.memory() == size * 64 * 64


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", SelfOrganizing(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.8


@pytest.mark.parametrize(
    "bad", [{"threshold": 0.9}, {"calibration": -1}, {"calibration_threshold": 19}, {"learning_rate": 0}]
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        SelfOrganizing(**bad)
