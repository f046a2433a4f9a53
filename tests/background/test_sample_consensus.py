"""SampleConsensus is its twin, lives as ViBe's paper says, and forgets as often as it promises."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.sample_consensus import sample_consensus

from motionseg.background import SampleConsensus
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


def in_picture(samples, shape):
    """The model's samples as (n_samples, H, W, C)."""
    n, n_channels = len(samples), shape[2] if len(shape) == 3 else 1
    pixels = samples.reshape(n, -1, n_channels, 64).transpose(0, 1, 3, 2).reshape(n, -1, n_channels)
    return pixels[:, : shape[0] * shape[1]].reshape(n, *shape[:2], n_channels)


@pytest.mark.parametrize(
    ("shape", "numbers", "rate"),
    [
        ((9, 23, 3), {}, None),
        ((11, 18), {}, None),
        ((8, 16, 3), {"n_samples": 5, "k": 1, "subsampling": 3, "seed": 5}, None),
        ((5, 13, 3), {"radius": 7.5, "k": 4, "subsampling": 1}, None),
        ((3, 70), {"radius": 56, "n_samples": 8}, 0.05),
        ((6, 11, 3), {"n_samples": 6}, 0.5),
    ],
)
def test_it_is_its_twin(shape, numbers, rate):
    frames, model = footage(25, shape, block_from=5, flicker=30), SampleConsensus(**numbers)
    answers, samples = sample_consensus(frames, **numbers, learning_rate=rate)
    for frame, (mask, score) in zip(frames, answers, strict=True):
        np.testing.assert_array_equal(model.apply(frame, learning_rate=rate), mask)
        sure = mask != 0  # elsewhere the score is an upper bound
        np.testing.assert_allclose(model.score()[sure], score[sure], rtol=1e-6)
        assert (model.score()[~sure] >= score[~sure] - 1e-6).all()
        assert (model.score()[~sure] < 0.5).all()
    assert 0 < np.mean([mask != 0 for mask, _ in answers]) < 1
    np.testing.assert_array_equal(in_picture(model.state()["samples"], shape), samples)


def test_the_first_samples_are_colors_of_the_neighbourhood():
    frame, model = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20), SampleConsensus(n_samples=200)
    model.apply(frame)
    samples = in_picture(model.state()["samples"], frame.shape)[..., 0]
    assert set(samples[:, 5, 7]) == {frame[y, x] for y in (4, 5, 6) for x in (6, 7, 8)}
    assert set(samples[:, 0, 0]) == {frame[y, x] for y in (0, 1) for x in (0, 1)}


def test_samples_fade_as_the_paper_says():
    """Overwritten in one of 16 frames, and as often by a neighbour: of 20 samples 1/160 a frame."""
    model = SampleConsensus(radius=56)
    model.apply(np.full((60, 80), 100, np.uint8))
    for _ in range(80):
        model.apply(np.full((60, 80), 101, np.uint8))
    left = np.mean(in_picture(model.state()["samples"], (60, 80))[:, 1:-1, 1:-1] == 100)
    assert left == pytest.approx((1 - 1 / 320) ** 160, abs=0.01)


def test_foreground_is_learned_from_its_borders_only():
    model, empty = SampleConsensus(subsampling=1), np.full((40, 60), 60, np.uint8)
    model.apply(empty)
    frame = empty.copy()
    frame[10:30, 20:50] = 200
    masks = [model.apply(frame) for _ in range(200)]
    assert (masks[-1][10:30, 20:50] == 255).all()  # it is the wall that spreads, and the object is no wall
    ghost = SampleConsensus(subsampling=1)
    ghost.apply(frame)
    areas = [np.count_nonzero(ghost.apply(empty)) for _ in range(200)]
    assert areas[0] > 400
    assert areas[199] == 0


def test_a_learning_rate_of_one_forgets_all_that_was():
    model = SampleConsensus(radius=56)
    for grey in (100, 110, 120):
        model.apply(np.full((20, 30), grey, np.uint8), learning_rate=1)
    assert (in_picture(model.state()["samples"], (20, 30)) == 120).all()


def test_the_picture_of_the_background_is_the_wall():
    frames, model = footage(80, (20, 50, 3), noise=2, block_from=75), SampleConsensus()
    for frame in frames:
        model.apply(frame)
    samples = in_picture(model.state()["samples"], (20, 50, 3))
    np.testing.assert_array_equal(model.background(), np.sort(samples, axis=0)[9])
    grey = SampleConsensus(n_samples=5)
    grey.apply(frames[0][..., 0])
    np.testing.assert_array_equal(
        grey.background(), np.median(in_picture(grey.state()["samples"], (20, 50)), axis=0)[..., 0]
    )


def test_memory_is_what_it_says():
    for shape, size in (((64, 64, 3), 60), ((64, 64), 20)):
        model = SampleConsensus()
        model.apply(np.zeros(shape, np.uint8))
        assert model.state()["samples"].nbytes == size * 64 * 64


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", SampleConsensus(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 470:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.75


@pytest.mark.parametrize("bad", [{"n_samples": 256}, {"radius": 57}, {"k": 21}, {"subsampling": 0}, {"seed": -1}])
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        SampleConsensus(**bad)
