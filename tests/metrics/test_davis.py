import json
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import davis as slow

from motionseg.core.errors import FrameError, ParameterError
from motionseg.metrics._contours import trace
from motionseg.metrics.davis import Statistics, contour_accuracy, region_similarity, statistics


@st.composite
def mask_pairs(draw):
    """Two bool masks of one size: noise of any density, blocks that may touch the border, or nothing."""
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 200)))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    masks = []
    for kind in draw(st.tuples(*[st.sampled_from(["noise", "block", "empty", "full"])] * 2)):
        mask = np.full(shape, kind == "full")
        if kind == "noise":
            mask = rng.random(shape) < rng.choice([0.003, 0.1, 0.5, 0.97])
        elif kind == "block":
            (top, bottom), (left, right) = (np.sort(rng.integers(0, side + 1, 2)) for side in shape)
            mask[top:bottom, left:right] = True
        masks.append(mask)
    return masks


@given(mask_pairs())
def test_similarity_is_that_of_the_slow_twin(pair):
    assert region_similarity(*pair) == slow.region_similarity(*pair)


@given(mask_pairs(), st.sampled_from([0.001, 0.008, 0.05, 0.5, 1, 2, 8, 63, 64, 150]))
def test_accuracy_is_that_of_the_slow_twin(pair, tolerance):
    assert contour_accuracy(*pair, tolerance=tolerance) == slow.contour_accuracy(*pair, tolerance)


@given(mask_pairs(), st.integers(1, 140))
def test_contour_and_all_that_is_near(pair, radius):
    edge = slow.boundary(pair[0])
    contour = trace(pair[0], radius)
    assert contour.length == edge.sum()
    near = cv2.dilate(edge.astype(np.uint8), slow.disk(radius)).astype(bool)
    for words, expected in ((contour.pixels, edge), (contour.near, near)):
        bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
        painted = np.zeros(edge.shape, bool)
        for y, x in np.argwhere(bits):
            row, column = y + contour.top, x + 64 * contour.left
            if 0 <= row < edge.shape[0] and 0 <= column < edge.shape[1]:
                painted[row, column] = True
            else:
                assert words is contour.near
        assert np.array_equal(painted, expected)


def test_a_large_frame_is_counted_without_overflow():
    full = np.ones((300, 1003), bool)
    half = full.copy()
    half[:150] = False
    assert region_similarity(full, full) == 1
    assert region_similarity(half, full) == 0.5


def test_accuracy_by_hand():
    truth, found = np.zeros((9, 30), bool), np.zeros((9, 30), bool)
    truth[:, 10:] = True  # the boundary is column 9
    found[:, 14:] = True  # and column 13, but in the lowest 3 rows
    found[6:, 14:] = False  # it runs along row 5 (columns 13 .. 29)
    assert contour_accuracy(found, truth, tolerance=3) == 0
    # 6 pixels of column 13 are 4 away from column 9, whose rows 0 .. 5 are 4 away from them; 23 pixels in all
    precision, recall = 6 / (6 + 16), 6 / 9
    assert contour_accuracy(found, truth, tolerance=4) == pytest.approx(2 * precision * recall / (precision + recall))


def test_nothing_and_everything():
    nothing, everything, some = np.zeros((20, 30), bool), np.ones((20, 30), bool), np.zeros((20, 30), bool)
    some[5:9, 5:9] = True
    assert (region_similarity(nothing, nothing), contour_accuracy(nothing, nothing)) == (1, 1)
    assert (region_similarity(nothing, some), contour_accuracy(nothing, some)) == (0, 0)
    assert (region_similarity(some, nothing), contour_accuracy(some, nothing)) == (0, 0)
    assert contour_accuracy(everything, nothing) == 1  # neither has a boundary
    assert contour_accuracy(some, np.roll(some, 9), tolerance=1e9) == 1


@given(mask_pairs(), st.integers(0, 10**6))
def test_void_is_background_in_both(pair, seed):
    void = np.random.default_rng(seed).random(pair[0].shape) < 0.2
    cleared = [mask & ~void for mask in pair]
    assert region_similarity(*pair, void=void) == slow.region_similarity(*cleared)
    assert contour_accuracy(*pair, void=void, tolerance=2) == slow.contour_accuracy(*cleared, 2)


def test_masks_in_every_dtype():
    foreground = np.zeros((4, 20), bool)
    foreground[:, 5:10] = True
    mask = np.where(foreground, 255, 0).astype(np.uint8)
    mask[:, 12:] = 127  # shadow
    for same in (mask, mask // 255, foreground.astype(np.int32) * 3, np.asfortranarray(foreground)):
        assert region_similarity(same, foreground) == contour_accuracy(foreground, same, tolerance=0.001) == 1


def test_arguments_stay_as_they_were():
    mask, void = np.full((9, 9), 255, np.uint8), np.eye(9, dtype=bool)
    region_similarity(mask, mask > 0, void=void)
    contour_accuracy(mask, mask > 0, void=void)
    assert (mask == 255).all()
    assert (void == np.eye(9)).all()


@pytest.mark.parametrize("measure", [region_similarity, contour_accuracy])
def test_bad_arrays(measure):
    good = np.zeros((4, 5), bool)
    for bad, what in ((good.astype(float), "float64"), (good[0], r"\(5,\)"), (good[:0], r"\(0, 5\)")):
        with pytest.raises(FrameError, match=f"mask .*{what}"):
            measure(bad, good)
        with pytest.raises(FrameError, match=f"truth .*{what}"):
            measure(good, bad)
    with pytest.raises(FrameError, match="differ"):
        measure(good, good.T)
    with pytest.raises(FrameError, match="void"):
        measure(good, good, void=good.T)
    with pytest.raises(FrameError, match="void"):
        measure(good, good, void=good.astype(np.uint8))


@pytest.mark.parametrize("tolerance", [0, -1, math.nan, math.inf, "8"])
def test_bad_tolerance(tolerance):
    with pytest.raises(ParameterError, match="tolerance"):
        contour_accuracy(np.zeros((4, 5), bool), np.zeros((4, 5), bool), tolerance=tolerance)


def test_statistics_by_hand():
    # Eight frames: the quarters begin and end at frames 0, 2, 4, 5 and 7 (0-based, ends shared).
    values = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
    told = statistics(values)
    assert told.mean == pytest.approx(0.55)
    assert told.recall == 4 / 8
    assert told.decay == pytest.approx((0.9 + 0.8 + 0.7) / 3 - (0.4 + 0.3 + 0.2) / 3)
    # Seven frames: a quarter ends at frame 1.5, which is rounded up.
    assert statistics([1, 1, 0, 0, 0, 0, 0]).decay == pytest.approx(2 / 3)
    assert statistics([0.25]) == Statistics(0.25, 0, 0)


def test_statistics_leave_nan_out():
    assert statistics([0.75, math.nan, 0.25, math.nan, 0.25]) == Statistics(1.25 / 3, 1 / 3, 0.75 - 0.25)
    assert all(math.isnan(x) for x in vars(statistics([math.nan] * 4)).values())


@pytest.mark.parametrize("values", [[], [[0.5, 0.5]]])
def test_statistics_of_no_sequence(values):
    with pytest.raises(ParameterError, match="at least one value"):
        statistics(values)


CHANGES = {
    "shift_3_down_4_left": lambda mask, first: np.roll(mask, (3, -4), (0, 1)),
    "erode_7x7": lambda mask, first: cv2.erode(mask.view(np.uint8), np.ones((7, 7), np.uint8)).view(bool),
    "annotation_of_frame_0": lambda mask, first: first,
    "empty": lambda mask, first: np.zeros_like(mask),
}


@pytest.mark.data
def test_values_of_the_official_tool(data_root):
    file = data_root.parent / "reference" / "davis_jf.json"
    if not file.is_file():
        pytest.skip(f"no reference values of the official tool: {file}")
    sequences = json.loads(file.read_text())["sequences"]
    assert sequences
    for name, changes in sequences.items():
        pictures = sorted((data_root / "DAVIS" / "Annotations" / "480p" / name).glob("*.png"))
        masks = [cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE) > 0 for picture in pictures]
        for change, expected in changes.items():
            pairs = [(CHANGES[change](mask, masks[0]), mask) for mask in masks[1:-1]]
            for letter, measure in (("J", region_similarity), ("F", contour_accuracy)):
                told = statistics(measure(*pair) for pair in pairs)
                got = [told.mean, told.recall, told.decay]
                assert got == pytest.approx(expected[letter], abs=1e-6), f"{name}, {change}, {letter}"
