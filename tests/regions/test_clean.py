import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from motionseg.core.errors import FrameError, ParameterError
from motionseg.regions import MaskCleaner

masks = hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.sampled_from([0, 127, 255]))


def box(shape=(40, 40), rows=slice(10, 30), columns=slice(10, 30)):
    mask = np.zeros(shape, np.uint8)
    mask[rows, columns] = 255
    return mask


@given(masks)
def test_a_clean_mask_is_a_mask(mask):
    before = mask.copy()
    clean = MaskCleaner().clean(mask)
    assert clean.dtype == np.uint8
    assert clean.shape == mask.shape
    assert set(np.unique(clean)) <= {0, 127, 255}
    assert not np.shares_memory(clean, mask)
    np.testing.assert_array_equal(mask, before)
    assert ((clean == 127) <= (mask == 127)).all()  # no shadow is invented


@given(masks)
def test_nothing_asked_nothing_changed(mask):
    np.testing.assert_array_equal(MaskCleaner(speck=0, gap=0, max_hole=0).clean(mask), mask)


def test_specks_go_and_shadows_stay():
    mask = box()
    mask[2, 2] = 255
    mask[35:38, 5:20] = 127
    clean = MaskCleaner(speck=3, gap=0, max_hole=0).clean(mask)
    assert clean[2, 2] == 0
    assert (clean[35:38, 5:20] == 127).all()
    assert clean[11:29, 11:29].min() == 255


def test_gaps_close():
    mask = box()
    mask[:, 19:21] = 0
    assert MaskCleaner(speck=0, gap=5, max_hole=0).clean(mask)[20, 20] == 255
    assert MaskCleaner(speck=0, gap=0, max_hole=0).clean(mask)[20, 20] == 0


@pytest.mark.parametrize("side", [1, 2, 5, 9, 12])
def test_holes_fill_up_to_their_area(side):
    mask = box()
    mask[12 : 12 + side, 12 : 12 + side] = 0
    filled = box()
    for max_hole in (1, 4, 25, 81, 144, 200):
        clean = MaskCleaner(speck=0, gap=0, max_hole=max_hole).clean(mask)
        np.testing.assert_array_equal(clean, filled if side * side <= max_hole else mask)


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.integers(3, 40), st.floats(0.4, 0.95), st.integers(1, 60))
def test_holes_are_those_of_labelling(seed, height, width, share, max_hole):
    """Against the obvious way: label the background, and fill what small parts enclose, away from the border."""
    noise = np.random.default_rng(seed).random((height, width))
    foreground = noise < share
    expected = foreground.copy()
    labels, n = ndimage.label(~foreground)
    for label in range(1, n + 1):
        hole = labels == label
        border = hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any()
        enclosed = ndimage.binary_fill_holes(hole, np.ones((3, 3)))
        if not border and enclosed.sum() <= max_hole:
            expected |= enclosed
    clean = MaskCleaner(speck=0, gap=0, max_hole=max_hole).clean(np.where(foreground, 255, 0).astype(np.uint8))
    np.testing.assert_array_equal(clean == 255, expected)


@pytest.mark.parametrize("bad", [{"speck": 4}, {"speck": -1}, {"gap": -1}, {"gap": 1.5}, {"max_hole": -3}])
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        MaskCleaner(**bad)


def test_an_even_speck_is_named_as_it_was_given():
    with pytest.raises(ParameterError, match="odd number or 0, not 4"):
        MaskCleaner(speck=4)


def test_bad_masks():
    for bad in (np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8), [[0]]):
        with pytest.raises(FrameError):
            MaskCleaner().clean(bad)
