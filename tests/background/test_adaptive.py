"""Adaptive is its twin; what it learns, forgives and labels as shadow."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.adaptive import adaptive, cleaned
from reference.footage import footage

from motionseg.background import Adaptive
from motionseg.background.adaptive import _cleaned
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers", "flicker", "rate"),
    [
        ((18, 27, 3), {}, 12, None),
        ((20, 26), {"n_modes": 3, "least_tolerance": 1.5}, 30, None),
        ((17, 24, 3), {"history": 12, "patience": 3, "threshold": 15.0, "shadow_threshold": 0.4}, 30, None),
        ((19, 22, 3), {"n_modes": 6, "threshold": 60.0, "learning_rate": 0.3}, 30, 0.1),
    ],
)
def test_it_is_its_twin(shape, numbers, flicker, rate):
    frames, model, found = footage(26, shape, block_from=5, flicker=flicker, noise=5), Adaptive(**numbers), set()
    for frame, (mask, score, picture) in zip(frames, adaptive(frames, given=rate, **numbers), strict=True):
        ours = model.apply(frame, learning_rate=rate)
        # float32 with fused products against float64: a tie may fall on the other side, and one did
        assert np.mean(ours == mask) > 0.995
        assert np.mean(np.abs(model.score() - score) < 1e-4) > 0.995
        assert np.mean(np.abs(model.background() - picture) <= 1) > 0.995
        found |= set(np.unique(ours))
    assert 255 in found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(12, 80), st.integers(12, 80), st.floats(0.3, 0.7))
def test_cleaning_is_median_closing_filling_median(seed, height, width, share):
    noise = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    raw = np.uint8(cv2.GaussianBlur(noise, (0, 0), 2) > np.quantile(cv2.GaussianBlur(noise, (0, 0), 2), share)) * 255
    np.testing.assert_array_equal(_cleaned(raw) > 0, cleaned(raw > 0))


def scene(shape=(60, 80, 3), seed=0):
    coarse = np.random.default_rng(seed).integers(40, 220, (12, 16, *shape[2:])).astype(np.uint8)
    return cv2.GaussianBlur(cv2.resize(coarse, shape[1::-1], interpolation=cv2.INTER_NEAREST), (0, 0), 1)


def test_what_stops_stays_foreground_as_long_as_the_scene_was_seen():
    model, empty = Adaptive(), scene()
    for _ in range(60):
        model.apply(empty)
    frame = empty.copy()
    frame[20:40, 30:50] = (20, 240, 30)
    still = [bool((model.apply(frame)[22:38, 32:48] == 255).all()) for _ in range(90)]
    assert 55 <= still.index(False) <= 75
    assert not any(still[80:])


def test_a_young_model_is_patient():
    model, empty = Adaptive(patience=20), scene()
    model.apply(empty)
    frame = empty.copy()
    frame[20:40, 30:50] = (20, 240, 30)
    still = [bool((model.apply(frame)[22:38, 32:48] == 255).all()) for _ in range(40)]
    assert all(still[:19])
    assert not any(still[30:])


def test_what_flickers_alone_becomes_background_and_gets_a_larger_tolerance():
    model, empty = Adaptive(), scene()
    for i in range(120):
        frame = empty.copy()
        if i % 3 == 0:
            frame[10::20, 10::20] += 128  # and around
        assert not (model.apply(frame) == 255).any()
    tolerance = model.state()["tolerance"].reshape(-1)[: 60 * 80].reshape(60, 80)
    assert tolerance[0, 0] == pytest.approx(0.7, abs=1e-4)
    modes = model.state()["modes"].reshape(-1, 4, 5, 64)
    credits = modes[:, 1:3, 4].transpose(0, 2, 1).reshape(-1, 2)[: 60 * 80].reshape(60, 80, 2)
    assert (credits[10::20, 10::20].max(axis=2) > 3).all()  # the flickering colour has become a mode


def test_rippling_is_pardoned_and_a_thing_in_it_is_not():
    rng, empty, model = np.random.default_rng(3), scene((90, 120, 3)), Adaptive()
    for _ in range(100):
        dy, dx = rng.integers(-2, 3, 2)
        frame = np.roll(empty, (dy, dx), (0, 1))
        rippled = model.apply(frame)
    assert np.mean(rippled == 255) < 0.02
    frame[30:60, 40:80] = (0, 0, 250)
    assert np.mean(model.apply(frame)[33:57, 43:77] == 255) > 0.95


def test_a_shadow_beside_an_object_is_labelled_and_a_grey_picture_has_none():
    model, empty = Adaptive(), scene()
    for _ in range(40):
        model.apply(empty)
    frame = empty.copy()
    frame[20:40, 30:40] = (0, 250, 10)
    frame[16:44, 40:66] = 0.82 * empty[16:44, 40:66]
    mask = model.apply(frame)
    assert (mask[24:36, 32:38] == 255).all()
    assert np.mean(mask[24:36, 43:46] == 127) > 0.8
    grey = Adaptive()
    for _ in range(40):
        grey.apply(empty[..., 0])
    assert 127 not in grey.apply(frame[..., 0])


def test_less_contrast_needs_less_difference():
    found = []
    for contrast in (1.0, 0.3):
        model, empty = Adaptive(), np.uint8(100 + contrast * (scene((60, 80)) - 130.0))
        for _ in range(10):
            model.apply(empty)
        frame = empty.copy()
        frame[20:40, 30:50] += 16
        found.append(float(np.mean(model.apply(frame)[22:38, 32:48] == 255)))
    assert found[0] < 0.1
    assert found[1] > 0.9


@pytest.mark.parametrize("shape", [(64, 64, 3), (64, 64)])
def test_memory_is_what_it_says(shape):
    model = Adaptive()
    model.apply(np.zeros(shape, np.uint8))
    arrays = (name.lstrip("_") for name in Adaptive._arrays)
    assert sum(model.state()[name].nbytes for name in arrays) == 89 * 64 * 64


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", Adaptive(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.93


@pytest.mark.parametrize(
    "bad",
    [
        {"history": 9},
        {"threshold": 0},
        {"patience": 0},
        {"n_modes": 2},
        {"shadow_threshold": 0},
        {"least_tolerance": 5},
        {"learning_rate": 0},
    ],
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Adaptive(**bad)
