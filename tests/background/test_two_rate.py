"""TwoRate is its twin; it tells what has stopped from what moves."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.two_rate import two_rate

from motionseg.background import TwoRate
from motionseg.core.errors import ParameterError, StateError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers", "given"),
    [
        ((9, 23, 3), {}, None),
        ((11, 18), {"fast_rate": 0.4, "patience": 2}, None),
        ((8, 16, 3), {"learning_rate": 0.2, "fast_rate": 0.9, "threshold": 2.0, "patience": 3}, None),
        ((31, 35, 3), {"var_init": 40.0, "var_min": 3.0, "fast_rate": 0.5}, 0.05),
        ((5, 13), {}, 1.0),
    ],
)
def test_it_is_its_twin(shape, numbers, given):
    frames, model, found = footage(40, shape, block_from=10, flicker=8), TwoRate(**numbers), 0
    frames[20:25] = [frames[20]] * 5  # for once, it stands still
    for frame, (mask, score, slow, fast, variance, evidence) in zip(
        frames, two_rate(frames, given=given, **numbers), strict=True
    ):
        ours, sure = model.apply(frame, learning_rate=given), np.abs(score - 0.5) > 1e-5  # float32 against float64
        np.testing.assert_array_equal(ours[sure], mask[sure])
        np.testing.assert_allclose(model.score(), score, rtol=1e-3, atol=1e-5)
        state = model.state()
        np.testing.assert_allclose(state["slow"], slow.reshape(frame.shape), rtol=1e-4)
        np.testing.assert_allclose(state["fast"], fast.reshape(frame.shape), rtol=1e-4)
        np.testing.assert_allclose(state["variance"], variance.reshape(frame.shape), rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(state["evidence"], evidence)
        found += (ours == 255).sum()
    assert found > 50


def wall(thing=None):
    frame = np.full((6, 8, 3), (60, 90, 120), np.uint8)
    if thing is not None:
        frame[thing] = (200, 40, 220)
    return frame


def test_what_is_left_behind_is_still_after_a_while_and_what_moves_is_not():
    model, left = TwoRate(patience=20), (slice(1, 3), slice(1, 3))
    for _ in range(60):
        model.apply(wall())
    first = None
    for i in range(120):
        frame = wall(left)
        frame[4:, i % 8] = 250
        mask, still = model.apply(frame), model.still_objects()
        assert (mask[left] == 255).all()
        assert not still[4:].any()
        if first is None and still[left].all():
            first = i
    assert still.sum() == 4
    assert 20 + 30 < first < 20 + 60  # the fast background has to learn it first


def test_what_has_gone_is_forgotten():
    model, left = TwoRate(patience=10), (slice(1, 3), slice(1, 3))
    for thing, n in ((None, 60), (left, 100)):
        for _ in range(n):
            model.apply(wall(thing))
    assert model.still_objects()[left].all()
    for _ in range(11):
        mask = model.apply(wall())
    assert not model.still_objects().any()
    assert not mask.any()


def test_what_moves_leaves_no_trail():
    model = TwoRate()
    for _ in range(30):
        model.apply(wall())
    before = model.state()["slow"]
    for i in range(60):
        model.apply(wall((slice(None), i % 8)))
    np.testing.assert_allclose(model.state()["slow"], before)


def test_nothing_is_still_before_there_is_anything():
    with pytest.raises(StateError):
        TwoRate().still_objects()


@pytest.mark.parametrize(("shape", "size"), [((64, 64, 3), 38), ((64, 64), 14)])
def test_memory_is_what_it_says(shape, size):
    model = TwoRate()
    model.apply(np.zeros(shape, np.uint8))
    assert model.memory() == size * 64 * 64


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", TwoRate(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.8


@pytest.mark.parametrize(
    "bad",
    [{"learning_rate": 0}, {"fast_rate": 0.009}, {"threshold": 0}, {"patience": 0}, {"var_init": 0}, {"var_min": 226}],
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        TwoRate(**bad)
