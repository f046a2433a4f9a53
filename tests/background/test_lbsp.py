"""What the models of local binary similarity patterns share."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.lobster import describe, relative_of

from motionseg.background import _lbsp as lbsp


@pytest.mark.parametrize("shift", [-40, 0, 30])
@pytest.mark.parametrize("shape", [(7, 70, 3), (9, 64)])
def test_features_are_colors_and_patterns(shape, shift):
    frame = footage(1, shape)[0]
    relative = relative_of(0.3, 3 if len(shape) == 3 else 1)
    assert lbsp.relative_of(0.3, shape) == relative
    _, features, n_textured = lbsp.features_of(frame, relative, shift)
    twins, _, textured = describe(frame, relative, shift)
    colors = np.array([[color for color, _ in row] for row in twins])
    bits = np.array([[bits for _, bits in row] for row in twins])
    halves = np.packbits(bits.reshape(*bits.shape[:3], 2, 8), axis=-1, bitorder="little")[..., 0]
    wanted = np.concatenate([colors[..., None], halves], axis=-1).reshape(*shape[:2], -1)
    np.testing.assert_array_equal(features[:, :, : shape[1]].swapaxes(1, 2), wanted)
    assert n_textured.sum() / (shape[0] * shape[1]) == pytest.approx(textured)


def test_bits_are_counted():
    pairs = np.random.default_rng(0).integers(0, 256, (50, 2)).astype(np.uint8)
    assert [lbsp.count_bits(a, b) for a, b in pairs] == [int(n) for n in np.unpackbits(pairs, axis=1).sum(axis=1)]


@pytest.mark.parametrize("side", [3, 9, 13, 15])
def test_majority_is_opencvs_median(side):
    mask = np.where(np.random.default_rng(side).random((40, 50)) < 0.5, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(lbsp.majority(mask, side), cv2.medianBlur(mask, side))


def test_lots_are_even():
    lots = np.empty((400, lbsp.TILE), np.uint16)
    for i, out in enumerate(lots):
        lbsp.draw(lbsp.mixed(lbsp.frame_key(0, i), 7), out)
    shares = (lots < 6554).mean(axis=0)
    assert (abs(shares - 0.1) < 0.07).all()
    assert lots.mean() == pytest.approx(32768, rel=0.02)


def test_a_learning_rate_is_a_share_of_samples():
    assert lbsp.share_of_samples(0.5, 50) == (1, 25)
    odds, n = lbsp.share_of_samples(0.01, 50)
    assert (odds, n) == (pytest.approx(0.5), 1)


def test_scores_are_on_the_side_of_the_mask():
    mask, score = np.array([[0, 0, 255, 255]], np.uint8), np.array([[0.2, 0.9, 0.2, 0.9]], np.float32)
    lbsp.settle_rows(0, 1, mask, score)
    np.testing.assert_allclose(score, [[0.2, 0.5, 0.5, 0.9]], atol=1e-6)
    assert score[0, 1] < 0.5
